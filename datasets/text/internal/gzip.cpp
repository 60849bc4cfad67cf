#include "datasets/text/internal/gzip.h"

#include <cstdint>
#include <vector>

#include <zlib.h>

#include "framework/error.h"

namespace heed {

namespace {

constexpr std::size_t chunk = 1 << 16;
constexpr unsigned char first_magic_byte = 0x1F;
constexpr int gzip_window = 15 + 16;  // zlib: the largest window, and a gzip header

[[noreturn]] void fail_damaged(const std::string& name, std::int64_t byte, const char* what) {
  fail("{}: damaged gzip near byte {} ({}); copy or download it again", name, byte,
       what ? what : "wrong data");
}

// Decompresses a sequence of gzip members.
class Gunzip {
 public:
  Gunzip(const std::function<std::size_t(std::span<char>)>& read,
         const std::function<void(std::string_view)>& write, const std::string& name)
      : read_(read), write_(write), name_(name) {
    if (inflateInit2(&stream_, gzip_window) != Z_OK) throw std::bad_alloc();
  }
  Gunzip(const Gunzip&) = delete;
  ~Gunzip() { inflateEnd(&stream_); }

  void run() {
    if (!fill()) fail("{}: is empty; expected at least one line of text", name_);
    do
      unpack_member();
    while (skip_padding());
  }

 private:
  // Reads more compressed data; false at the end.
  bool fill() {
    const std::size_t n = read_(packed_);
    stream_.next_in = reinterpret_cast<Bytef*>(packed_.data());
    stream_.avail_in = static_cast<uInt>(n);
    bytes_ += static_cast<std::int64_t>(n);
    return n > 0;
  }

  // Skips zeros between members and after the last one. False at the end.
  bool skip_padding() {
    for (;;) {
      if (stream_.avail_in == 0 && !fill()) return false;
      if (*stream_.next_in != 0) break;
      ++stream_.next_in;
      --stream_.avail_in;
    }
    if (*stream_.next_in != first_magic_byte)
      fail_damaged(name_, bytes_ - stream_.avail_in + 1, "no gzip data from there on");
    return true;
  }

  void unpack_member() {
    if (inflateReset(&stream_) != Z_OK) fail_damaged(name_, bytes_ - stream_.avail_in, stream_.msg);
    for (int status = Z_OK; status != Z_STREAM_END;) {
      if (stream_.avail_in == 0 && !fill())
        fail("{}: ends in the middle of its gzip data, after {} bytes; copy or download it again",
             name_, bytes_);
      stream_.next_out = reinterpret_cast<Bytef*>(plain_.data());
      stream_.avail_out = chunk;
      status = inflate(&stream_, Z_NO_FLUSH);
      if (const std::size_t n = chunk - stream_.avail_out; n > 0) write_({plain_.data(), n});
      if (status == Z_MEM_ERROR) throw std::bad_alloc();
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        fail_damaged(name_, bytes_ - stream_.avail_in, stream_.msg);
    }
  }

  const std::function<std::size_t(std::span<char>)>& read_;
  const std::function<void(std::string_view)>& write_;
  const std::string& name_;
  z_stream stream_{};
  std::vector<char> packed_ = std::vector<char>(chunk);
  std::vector<char> plain_ = std::vector<char>(chunk);
  std::int64_t bytes_ = 0;  // the compressed bytes read so far
};

}  // namespace

bool is_gzip(std::string_view start) { return start.starts_with("\x1F\x8B"); }

void gunzip(const std::function<std::size_t(std::span<char>)>& read,
            const std::function<void(std::string_view)>& write, const std::string& name) {
  Gunzip(read, write, name).run();
}

}  // namespace heed
