#include "datasets/images/picture_file.h"

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <filesystem>
#include <fstream>

// jpeglib.h needs FILE and size_t before it.
#include <jpeglib.h>
#include <png.h>

#include "framework/error.h"

namespace heed {

namespace {

constexpr std::uintmax_t most_file_bytes = std::uintmax_t{1} << 28;

void check_size(Index height, Index width, const std::string& name) {
  if (height < 1 || width < 1 || height > most_pixels / width)
    fail("{}: is {} x {} pixels; the largest picture that is read has {}", name, width, height,
         most_pixels);
}

bool starts_with(std::span<const std::uint8_t> bytes, std::span<const std::uint8_t> magic) {
  return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
}

/// Over white: libpng's simplified interface composes with this background.
Picture decode_png(std::span<const std::uint8_t> bytes, const std::string& name) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  const auto refuse = [&](const char* when) {
    const std::string why = image.message;
    png_image_free(&image);
    fail("{}: {} ({})", name, when, why);
  };
  if (!png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()))
    refuse("is a damaged PNG file");
  const bool colour = (image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  if (image.height > most_pixels / std::max<png_uint_32>(image.width, 1)) png_image_free(&image);
  check_size(static_cast<Index>(image.height), static_cast<Index>(image.width), name);
  image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  Picture picture{.height = static_cast<Index>(image.height),
                  .width = static_cast<Index>(image.width),
                  .channels = colour ? 3 : 1};
  picture.bytes.resize(PNG_IMAGE_SIZE(image));
  png_color white{255, 255, 255};
  if (!png_image_finish_read(&image, &white, picture.bytes.data(), 0, nullptr))
    refuse("is a damaged PNG file");
  return picture;
}

/// libjpeg reports errors by a call that must not return.
struct JpegErrors {
  jpeg_error_mgr manager;
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void leave(j_common_ptr state) {
  auto* errors = reinterpret_cast<JpegErrors*>(state->err);
  state->err->format_message(state, errors->message);
  std::longjmp(errors->back, 1);
}

/// A warning says that data are corrupt and that something was made up in their place: an error.
void refuse_corrupt(j_common_ptr state, int level) {
  if (level < 0) leave(state);
}

/// Reads the head, and then the rows into `picture`. Nothing within may need a destructor: errors
/// jump out of it. False: `errors.message` says why.
bool read_jpeg(jpeg_decompress_struct& state, JpegErrors& errors,
               std::span<const std::uint8_t> bytes, Picture& picture) {
  if (setjmp(errors.back)) return false;  // NOLINT: libjpeg leaves no other way
  jpeg_create_decompress(&state);
  jpeg_mem_src(&state, bytes.data(), bytes.size());
  jpeg_read_header(&state, TRUE);
  state.out_color_space = state.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  picture.height = static_cast<Index>(state.image_height);
  picture.width = static_cast<Index>(state.image_width);
  picture.channels = state.num_components == 1 ? 1 : 3;
  return true;
}

bool read_jpeg_rows(jpeg_decompress_struct& state, JpegErrors& errors, Picture& picture) {
  if (setjmp(errors.back)) return false;  // NOLINT: libjpeg leaves no other way
  jpeg_start_decompress(&state);
  const auto row_bytes = static_cast<std::size_t>(picture.width * picture.channels);
  while (state.output_scanline < state.output_height) {
    JSAMPROW row = picture.bytes.data() + state.output_scanline * row_bytes;
    jpeg_read_scanlines(&state, &row, 1);
  }
  jpeg_finish_decompress(&state);
  return true;
}

Picture decode_jpeg(std::span<const std::uint8_t> bytes, const std::string& name) {
  JpegErrors errors{};
  jpeg_decompress_struct state{};
  state.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = leave;
  errors.manager.emit_message = refuse_corrupt;
  struct Destroy {
    jpeg_decompress_struct& state;
    ~Destroy() { jpeg_destroy_decompress(&state); }
  } const destroy{state};
  Picture picture;
  bool read = read_jpeg(state, errors, bytes, picture);
  if (read) {
    check_size(picture.height, picture.width, name);
    picture.bytes.resize(static_cast<std::size_t>(picture.height * picture.width) *
                         static_cast<std::size_t>(picture.channels));
    read = read_jpeg_rows(state, errors, picture);
  }
  if (!read) fail("{}: is a damaged JPEG file ({})", name, errors.message);
  return picture;
}

}  // namespace

Picture decode_picture(std::span<const std::uint8_t> bytes, const std::string& name) {
  constexpr std::uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  constexpr std::uint8_t jpeg[] = {0xFF, 0xD8, 0xFF};
  if (starts_with(bytes, png)) return decode_png(bytes, name);
  if (starts_with(bytes, jpeg)) return decode_jpeg(bytes, name);
  fail("{}: is no picture that can be read; expected PNG or JPEG", name);
}

Picture read_picture(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    fail("{}: {}", path, std::filesystem::exists(path, error) ? "is no file" : "no such file");
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error || size > most_file_bytes) fail("{}: is too large for a picture: {} bytes", path, size);
  std::vector<std::uint8_t> bytes(size);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file) fail("{}: cannot be read", path);
  return decode_picture(bytes, path);
}

std::string png_of(const Picture& picture) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = picture.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = 0;
  const auto write = [&](void* into) {
    if (png_image_write_to_memory(&image, into, &size, 0, picture.bytes.data(), 0, nullptr)) return;
    const std::string why = image.message;
    png_image_free(&image);
    fail("a picture could not be written as PNG ({})", why);
  };
  write(nullptr);
  std::string bytes(size, '\0');
  write(bytes.data());
  return bytes;
}

}  // namespace heed
