// The payload of a checkpoint, under a header with the right length and checksums. The first byte
// selects the format, and whether the rest is a payload or a list of changes to the payload of a
// run: two bytes for a position and one for its new value. A checkpoint that loads is saved and
// loaded again, and used by a model and a trainer.
#include <fstream>
#include <sstream>

#include <xxhash.h>

#include "framework/checkpoint.h"
#include "tests/durability/tiny_run.h"
#include "tests/fuzz/input.h"

namespace {

using namespace heed;

std::string sealed(const std::string& payload, std::uint64_t format) {
  const auto number = [](std::uint64_t x) {
    return std::string(reinterpret_cast<const char*>(&x), sizeof x);
  };
  const std::string header = "HEEDCKPT" + number(format) + number(payload.size()) +
                             number(XXH3_64bits(payload.data(), payload.size()));
  return header + (format == 1 ? "" : number(XXH3_64bits(header.data(), header.size()))) + payload;
}

/// The folder of a run, and the payload of its last checkpoint.
struct Fixed {
  std::string folder = fuzz::unused_path();
  RunFolder run{folder};
  std::string payload;
  Fixed() {
    TinyRun(folder, 1).run();
    std::ifstream in(run.last(), std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    payload = bytes.str().substr(40);
    std::filesystem::remove(run.step(1));
  }
  ~Fixed() { std::filesystem::remove_all(folder); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Fixed fixed;
  static const fuzz::File again(".heed");
  if (size == 0) return 0;
  std::string payload(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] & 2) {
    const std::string changes = std::exchange(payload, fixed.payload);
    for (std::size_t i = 0; i + 2 < changes.size();
         i += 3)  // most of it is elements; what tells about them stands at the beginning
      payload[(static_cast<std::uint8_t>(changes[i]) * 256 +
               static_cast<std::uint8_t>(changes[i + 1])) %
              payload.size()] = changes[i + 2];
  }
  const std::string path = fixed.run.last().string();
  std::ofstream(path, std::ios::binary | std::ios::trunc) << sealed(payload, data[0] & 1 ? 1 : 2);
  const auto brief = [](const Error& error) {
    fuzz::require(std::string_view(error.what()).size() < 4000);
  };
  try {
    const Checkpoint checkpoint = load(path);
    save(checkpoint, again.path());
    fuzz::require(difference(load(again.path()), checkpoint).empty());
    TinyModel model;
    try {
      take(checkpoint, "model.", model);
    } catch (const Error& error) {
      brief(error);
    }
    static TinyRun* const run = new TinyRun(fixed.folder, 2);
    run->trainer.resume();
    fuzz::require(run->trainer.load_best());
  } catch (const Error& error) {
    brief(error);
  }
  return 0;
}
