#include "datasets/images/picture_file.h"

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <filesystem>
#include <fstream>

// jpeglib.h needs FILE and size_t before it.
#include <jpeglib.h>
// These two need jpeglib.h before them.
#include <jerror.h>
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

/// The bytes that are read next.
struct PngInput {
  std::span<const std::uint8_t> rest;
  char message[128] = {};
};

void read_png_bytes(png_structp png, png_bytep to, png_size_t count) {
  auto& input = *static_cast<PngInput*>(png_get_io_ptr(png));
  if (input.rest.size() < count) png_error(png, "the file ends within its data");
  std::copy_n(input.rest.begin(), count, to);
  input.rest = input.rest.subspan(count);
}

[[noreturn]] void leave_png(png_structp png, png_const_charp message) {
  auto& input = *static_cast<PngInput*>(png_get_error_ptr(png));
  std::snprintf(input.message, sizeof input.message, "%s", message);
  std::longjmp(png_jmpbuf(png), 1);
}

void ignore_warning(png_structp, png_const_charp) {}

/// Reads the head. What is read then has 8 bits a channel, as they are (no gamma), and an alpha.
/// Nothing within may need a destructor: errors jump out of it. False: the input says why.
bool read_png_head(png_structp png, png_infop info, PngInput& input, Picture& picture) {
  if (setjmp(png_jmpbuf(png))) return false;  // NOLINT: libpng leaves no other way
  png_set_read_fn(png, &input, read_png_bytes);
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // check_size() is stricter
  png_read_info(png, info);
  picture.height = static_cast<Index>(png_get_image_height(png, info));
  picture.width = static_cast<Index>(png_get_image_width(png, info));
  const bool palette = png_get_color_type(png, info) == PNG_COLOR_TYPE_PALETTE;
  const bool colour = (png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR) != 0;
  picture.channels = colour || palette ? 3 : 1;
  png_set_expand(png);
  png_set_scale_16(png);
  png_set_add_alpha(png, 0xff, PNG_FILLER_AFTER);
  return true;
}

bool read_png_rows(png_structp png, png_infop info, png_bytepp rows) {
  if (setjmp(png_jmpbuf(png))) return false;  // NOLINT: libpng leaves no other way
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  png_read_image(png, rows);
  return true;
}

/// Colour and alpha of each pixel, laid over white.
std::vector<std::uint8_t> over_white(const std::vector<std::uint8_t>& pixels, Index channels) {
  constexpr int full = 255;
  std::vector<std::uint8_t> bytes;
  const auto step = static_cast<std::size_t>(channels) + 1;
  for (std::size_t at = 0; at < pixels.size(); at += step) {
    const int alpha = pixels[at + step - 1];
    for (std::size_t c = 0; c + 1 < step; ++c) {
      const int mixed = pixels[at + c] * alpha + full * (full - alpha);
      bytes.push_back(static_cast<std::uint8_t>((mixed + full / 2) / full));
    }
  }
  return bytes;
}

Picture decode_png(std::span<const std::uint8_t> bytes, const std::string& name) {
  PngInput input{bytes};
  png_structp png =
      png_create_read_struct(PNG_LIBPNG_VER_STRING, &input, leave_png, ignore_warning);
  check(png != nullptr, "png", "expected libpng {}; got another one", PNG_LIBPNG_VER_STRING);
  png_infop info = png_create_info_struct(png);
  struct Destroy {
    png_structp& png;
    png_infop& info;
    ~Destroy() { png_destroy_read_struct(&png, &info, nullptr); }
  } const destroy{png, info};
  Picture picture;
  std::vector<std::uint8_t> pixels;
  bool read = read_png_head(png, info, input, picture);
  if (read) {
    check_size(picture.height, picture.width, name);
    const auto line = static_cast<std::size_t>(picture.width * (picture.channels + 1));
    pixels.resize(line * static_cast<std::size_t>(picture.height));
    std::vector<png_bytep> rows;
    for (std::size_t y = 0; y < static_cast<std::size_t>(picture.height); ++y)
      rows.push_back(pixels.data() + y * line);
    read = read_png_rows(png, info, rows.data());
  }
  if (!read) fail("{}: is a damaged PNG file ({})", name, input.message);
  picture.bytes = over_white(pixels, picture.channels);
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

/// Warnings that say that something was made up in place of missing data are errors.
void refuse_corrupt(j_common_ptr state, int level) {
  constexpr int made_up[] = {JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_ARITH_BAD_CODE,
                             JWRN_JPEG_EOF, JWRN_MUST_RESYNC};
  if (level < 0 && std::ranges::count(made_up, state->err->msg_code) > 0) leave(state);
}

/// Reads the head. Nothing within may need a destructor: errors jump out of it. False:
/// `errors.message` says why.
bool read_jpeg_head(jpeg_decompress_struct& state, JpegErrors& errors,
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
  return true;  // what stands behind the picture does not matter
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
  bool read = read_jpeg_head(state, errors, bytes, picture);
  if (read) {
    constexpr int of_cmyk = 4;
    if (state.num_components == of_cmyk)
      fail("{}: is a JPEG file in CMYK, for printing; save it in RGB", name);
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
