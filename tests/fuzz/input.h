#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "datasets/text/batching.h"
#include "datasets/text/pairs.h"
#include "datasets/text/text_file.h"
#include "framework/error.h"

/// Functions that the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput. Bad
/// input must end in an Error; any other failure is a bug.
namespace heed::fuzz {

/// The path of a file in memory that does not exist yet.
inline std::string unused_path() {
  static int made = 0;
  const std::filesystem::path folder =
      std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path();
  return (folder / fmt::format("heed-fuzz-{}-{}", ::getpid(), ++made)).string();
}

/// A file in memory with the contents that it was last given. Its extension names its format.
class File {
 public:
  explicit File(const std::string& ending) : File(unused_path(), ending) {}
  File(const std::string& stem, const std::string& ending) : path_(stem + ending) {}
  ~File() { ::unlink(path_.c_str()); }
  const std::string& holding(std::string_view bytes) const {
    std::FILE* file = std::fopen(path_.c_str(), "wb");
    if (!file || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size() ||
        std::fclose(file) != 0)
      std::abort();
    return path_;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline void require(bool condition) {
  if (!condition) std::abort();
}

/// Opens pairs and checks the guarantees of every source: sides are trimmed text, do not depend on
/// the order of reading, and can be batched.
inline void read_pairs(const std::vector<std::string>& data,
                       const std::vector<std::string>& fields = {}) {
  try {
    open_pairs(data, fields, Split::train, 1, {.blank_is_error = true});
  } catch (const Error& error) {
    require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  try {
    const auto pairs = open_pairs(data, fields, Split::train, 1);
    require(pairs->size() > 0);
    std::vector<Pair> all;
    for (Index i = 0; i < pairs->size(); ++i) {
      all.push_back(pairs->at(i));
      for (const std::string& side : {all.back().source, all.back().target}) {
        check_line(side, "a pair", static_cast<std::size_t>(i));
        require(!side.empty() && side.find('\n') == std::string::npos);
      }
    }
    for (Index i = pairs->size() - 1; i >= 0; i -= 1 + pairs->size() / 100)
      require(pairs->at(i) == all[static_cast<std::size_t>(i)]);
    const std::shared_ptr<const Tokenizer> words =
        train_tokenizer("words", {.vocab_size = 100},
                        [&](const TakeLine& take) { take(all[0].source), take(all[0].target); });
    PairBatches batches(*pairs, words,
                        {.batch_tokens = 4096, .max_length = 1000, .cut = true, .window = 128});
    Index seen = 0;
    while (batches.epoch() == 0)
      seen += static_cast<Index>(batches.next().lines.size());
    require(seen == pairs->size());
  } catch (const Error& error) {
    require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
}

}  // namespace heed::fuzz
