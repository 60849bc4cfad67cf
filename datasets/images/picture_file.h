#pragma once

#include <span>
#include <string>

#include "datasets/images/picture.h"

namespace heed {

/// Reads a PNG or a JPEG file, in grey or in colour. What is transparent is laid over white.
/// Throws Error, `FILE: ...`, when the file is missing, is none of the two, is damaged, or has more
/// than most_pixels.
Picture read_picture(const std::string& path);
/// The same of the bytes of a file. `name`: the file's, in messages.
Picture decode_picture(std::span<const std::uint8_t> bytes, const std::string& name);

/// The bytes of a PNG file that shows the picture.
std::string png_of(const Picture& picture);

}  // namespace heed
