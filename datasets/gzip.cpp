#include "datasets/gzip.h"

#include <cstdint>
#include <memory>
#include <vector>

#include <zlib.h>

#include "framework/error.h"

namespace heed {

namespace {

constexpr std::size_t chunk = 1 << 16;
constexpr int gzip_window = 15 + 16;  // zlib: the largest window, and a gzip header around it

[[noreturn]] void fail_damaged(const std::string& name, std::int64_t byte, const char* what) {
  fail("{}: damaged gzip near byte {} ({}); copy or download it again", name, byte,
       what ? what : "wrong data");
}

}  // namespace

bool is_gzip(std::string_view start) { return start.starts_with("\x1F\x8B"); }

void gunzip(const std::function<std::size_t(std::span<char>)>& read,
            const std::function<void(std::string_view)>& write, const std::string& name) {
  z_stream stream{};
  if (inflateInit2(&stream, gzip_window) != Z_OK) throw std::bad_alloc();
  const std::unique_ptr<z_stream, int (*)(z_stream*)> ended(&stream, inflateEnd);
  std::vector<char> packed(chunk);
  std::vector<char> plain(chunk);
  std::int64_t bytes = 0;  // read so far
  const auto fill = [&] {
    const std::size_t n = read(packed);
    stream.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_in = static_cast<uInt>(n);
    bytes += static_cast<std::int64_t>(n);
    return n > 0;
  };
  for (bool begun = false;;) {  // a member a turn
    while (stream.avail_in > 0 && begun && *stream.next_in == 0) {
      ++stream.next_in;
      --stream.avail_in;
    }  // padding between and behind
    if (stream.avail_in == 0) {
      if (!fill()) {
        if (!begun) fail("{}: is empty; expected at least one line of text", name);
        return;
      }
      continue;
    }
    if (begun && *stream.next_in != 0x1F)
      fail_damaged(name, bytes - stream.avail_in + 1, "no gzip data from there on");
    begun = true;
    if (inflateReset(&stream) != Z_OK) fail_damaged(name, bytes - stream.avail_in, stream.msg);
    for (int status = Z_OK; status != Z_STREAM_END;) {
      if (stream.avail_in == 0 && !fill())
        fail("{}: ends in the middle of its gzip data, after {} bytes; copy or download it again",
             name, bytes);
      stream.next_out = reinterpret_cast<Bytef*>(plain.data());
      stream.avail_out = chunk;
      status = inflate(&stream, Z_NO_FLUSH);
      if (const std::size_t n = chunk - stream.avail_out; n > 0) write({plain.data(), n});
      if (status == Z_MEM_ERROR) throw std::bad_alloc();
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        fail_damaged(name, bytes - stream.avail_in, stream.msg);
    }
  }
}

}  // namespace heed
