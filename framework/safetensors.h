#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "framework/checkpoint.h"
#include "framework/tensor.h"

namespace heed {

/// What a safetensors file holds (github.com/huggingface/safetensors), a format that PyTorch and
/// others read and write.
///
/// The file: the length of the header, little-endian 64 bits; the header, JSON, {"NAME": {"dtype":
/// "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {"key": "value"}},
/// spaces after it; then the elements, little-endian and row-major, each tensor where its offsets
/// say, counted from the header's end.
struct Safetensors {
  std::vector<NamedTensor> tensors;  // in the order of their elements
  std::map<std::string, std::string> metadata;
  // that the file stored them as, of tensors that are not empty
  std::set<std::string> dtypes;
};

/// Replaces `path` at once, as save() of a checkpoint. Tensors are sorted by name, so equal
/// contents give equal bytes, and stored as this program computes: F32, or F64 with HEED_DOUBLE.
/// Throws Error on a name that stands twice or is no UTF-8.
void save_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                      const std::map<std::string, std::string>& metadata);

/// F32, F64, F16 and BF16 become Real. Throws Error, one line that names the file, on anything that
/// the format does not allow: a header above 100 MB or that does not fit, bad JSON or UTF-8, a key
/// that stands twice, tensors of another size than their shape's, holes, overlaps, bytes left over;
/// and on tensors of other types. Nothing is allocated that the file's real size does not bear out.
Safetensors load_safetensors(const std::filesystem::path& path);

/// IEEE 754 half precision and bfloat16, by their bits; exact.
float from_half(std::uint16_t bits);
float from_bfloat(std::uint16_t bits);

}  // namespace heed
