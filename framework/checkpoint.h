#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/module.h"
#include "framework/tensor.h"

namespace heed {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// What a checkpoint file holds: tensors in the order they were put, and small values under names.
///
/// The file: "HEEDCKPT", then little-endian 64-bit format version, length of the payload, its XXH3
/// hash, and the XXH3 hash of these 32 bytes; then the payload, a cereal portable binary archive.
/// Format 1 had no hash of its header; it loads for ever. Tensors are stored as 32- or 64-bit
/// floats, as the program that wrote them computes, and converted when loaded into one that
/// computes with the other.
struct Checkpoint {
  std::vector<NamedTensor> tensors;
  std::map<std::string, std::string> text;
  std::map<std::string, std::int64_t> numbers;
  std::map<std::string, double> reals;
  std::map<std::string, std::vector<std::int64_t>> lists;

  const Tensor* find(std::string_view name) const;     // null when there is none
  std::int64_t number(const std::string& name) const;  // these throw Error when there is none
  double real(const std::string& name) const;
  const std::vector<std::int64_t>& list(const std::string& name) const;
};

/// Replaces `path` as a whole (FileWriter).
void save(const Checkpoint& checkpoint, const std::filesystem::path& path);
/// Throws Error, naming the file, when it is no checkpoint, is truncated, extended or damaged, or
/// is of a newer format.
Checkpoint load(const std::filesystem::path& path);

/// Every parameter under its name; the checkpoint shares the elements, so save it before they
/// change.
std::vector<NamedTensor> named_tensors(AnyModule module);
void put(Checkpoint& checkpoint, std::string_view prefix, std::span<const NamedTensor> tensors);
void put(Checkpoint& checkpoint, std::string_view prefix, AnyModule module);
/// Copies the tensors whose names begin with `prefix` into `targets`. Throws Error before anything
/// is changed when names or shapes differ, naming tensors that are missing, not expected or of
/// another shape: three of each, and how many more.
void take(const Checkpoint& checkpoint, std::string_view prefix, std::span<NamedTensor> targets);
void take(const Checkpoint& checkpoint, std::string_view prefix, AnyModule module);

/// The first thing in which they differ, to the bit, or "": "tensor model.weight: 0.5 and 0.25 at
/// element 3".
std::string difference(const Checkpoint& a, const Checkpoint& b);

}  // namespace heed
