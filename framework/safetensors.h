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

/// The contents of a safetensors file (github.com/huggingface/safetensors), a format that PyTorch
/// and other frameworks read and write.
///
/// The file, with little-endian numbers:
///
/// | bytes | field |
/// |---|---|
/// | 0 to 7 | length of the header, n |
/// | 8 to n + 7 | header: JSON, filled up with spaces |
/// | from n + 8 | elements of all tensors, row-major |
///
/// The header has a key for each tensor, and one for the metadata:
///
///     {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]},
///      "__metadata__": {"key": "value"}}
///
/// The offsets are counted from the end of the header.
struct Safetensors {
  std::vector<NamedTensor> tensors;  // in the order of their elements
  std::map<std::string, std::string> metadata;
  std::set<std::string> dtypes;  // types in the file of the tensors that are not empty
};

/// Replaces the file `path` as a whole (FileWriter). Tensors are sorted by name, so equal contents
/// give equal bytes. The type is that of Real: F32, or F64 with HEED_DOUBLE.
///
/// Throws Error when
/// - two tensors have the same name, or one is called "__metadata__";
/// - a name or a metadata string is not UTF-8;
/// - the header would be above 100 MB;
/// - the file cannot be written.
void save_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                      const std::map<std::string, std::string>& metadata);

/// Reads F32, F64, F16 and BF16, and converts them to Real. It allocates no more memory than the
/// size of the file justifies.
///
/// Throws Error, one line with the name of the file, when
/// - the header is above 100 MB, or longer than the file;
/// - the header is not valid JSON or UTF-8, or has a key twice;
/// - the bytes of a tensor do not fit its shape and type;
/// - the tensors overlap, or leave bytes unused;
/// - a tensor has another type.
Safetensors load_safetensors(const std::filesystem::path& path);

/// The exact value of the bits of an IEEE 754 half or of a bfloat16.
float from_half(std::uint16_t bits);
float from_bfloat(std::uint16_t bits);

}  // namespace heed
