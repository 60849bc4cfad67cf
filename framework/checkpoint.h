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

/// The contents of a checkpoint file: tensors in the order in which they were put, and small values
/// with names.
///
/// The file, with little-endian numbers:
///
/// | bytes | field |
/// |---|---|
/// | 0 to 7 | "HEEDCKPT" |
/// | 8 to 15 | version of the format |
/// | 16 to 23 | length of the payload |
/// | 24 to 31 | XXH3 hash of the payload |
/// | 32 to 39 | XXH3 hash of the 32 bytes before |
/// | from 40 | payload, a cereal portable binary archive |
///
/// Format 1 has no hash of its header, so its payload begins at byte 32. It will stay readable.
/// Tensors are stored as 32- or 64-bit floats, depending on the program that wrote them, and are
/// converted when they are loaded if Real has the other size.
struct Checkpoint {
  std::vector<NamedTensor> tensors;
  std::map<std::string, std::string> text;
  std::map<std::string, std::int64_t> numbers;
  std::map<std::string, double> reals;
  std::map<std::string, std::vector<std::int64_t>> lists;

  /// The tensor, or null if there is none.
  const Tensor* find(std::string_view name) const;
  /// The value with this name. Throws Error if there is none.
  std::int64_t number(const std::string& name) const;
  double real(const std::string& name) const;
  const std::vector<std::int64_t>& list(const std::string& name) const;
};

/// Replaces the file `path` as a whole (FileWriter).
void save(const Checkpoint& checkpoint, const std::filesystem::path& path);
/// Throws Error, with the name of the file, when
/// - it cannot be read, or is not a checkpoint;
/// - it is truncated, extended or damaged;
/// - its format is newer than this version of Heed.
Checkpoint load(const std::filesystem::path& path);
/// The same from the bytes of such a file. They may be released afterwards. `name` stands in
/// messages where load() has the name of the file.
Checkpoint load_bytes(std::string_view bytes, const std::string& name);

/// The value of every parameter with its name. The tensors share the elements of the parameters, so
/// save them before training changes them.
std::vector<NamedTensor> named_tensors(AnyModule module);
/// Adds tensors to a checkpoint, with `prefix` in front of their names.
void put(Checkpoint& checkpoint, std::string_view prefix, std::span<const NamedTensor> tensors);
void put(Checkpoint& checkpoint, std::string_view prefix, AnyModule module);
/// Copies the tensors whose names begin with `prefix` into the elements of `targets`.
///
/// Throws Error, and changes nothing, when tensors are missing, are not expected or have another
/// shape. The message names three of each kind, and counts the others.
void take(const Checkpoint& checkpoint, std::string_view prefix, std::span<NamedTensor> targets);
void take(const Checkpoint& checkpoint, std::string_view prefix, AnyModule module);

/// The first difference between two checkpoints, compared bit by bit:
/// "tensor model.weight: 0.5 and 0.25 at element 3". Empty if they are equal.
std::string difference(const Checkpoint& a, const Checkpoint& b);

}  // namespace heed
