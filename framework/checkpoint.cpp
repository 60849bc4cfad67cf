#include "framework/checkpoint.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <istream>
#include <memory>
#include <ostream>
#include <set>
#include <streambuf>
#include <utility>

#include <cereal/archives/portable_binary.hpp>
#include <fmt/format.h>
#include <xxhash.h>

#include "framework/error.h"
#include "framework/files.h"
#include "framework/internal/first_three.h"
#include "framework/memory.h"

namespace heed {

namespace {

using Path = std::filesystem::path;

constexpr std::string_view magic = "HEEDCKPT";
constexpr std::uint64_t version = 2;
// Format 1: magic, version, length and hash of the payload.
constexpr std::size_t first_header_bytes = 32;
// Since format 2: the same, then the hash of those 32 bytes.
constexpr std::size_t header_bytes = 40;

void put_number(char* to, std::uint64_t number) {
  for (int i = 0; i < 8; ++i)
    to[i] = static_cast<char>(number >> (8 * i));
}

std::uint64_t get_number(const char* from) {
  std::uint64_t number = 0;
  for (int i = 0; i < 8; ++i)
    number |= static_cast<std::uint64_t>(static_cast<unsigned char>(from[i])) << (8 * i);
  return number;
}

/// Hashes and counts the payload while it is written to the file. cereal calls this buffer
/// directly, not through the stream, so errors of the file reach the caller of save().
class PayloadBuffer : public std::streambuf {
 public:
  explicit PayloadBuffer(FileWriter& file) : file_(file) { XXH3_64bits_reset(state_.get()); }
  std::uint64_t length() const { return length_; }
  std::uint64_t hash() const { return XXH3_64bits_digest(state_.get()); }

 protected:
  int_type overflow(int_type c) override {
    if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
    const char byte = traits_type::to_char_type(c);
    xsputn(&byte, 1);
    return traits_type::not_eof(c);
  }
  std::streamsize xsputn(const char* from, std::streamsize count) override {
    XXH3_64bits_update(state_.get(), from, static_cast<std::size_t>(count));
    file_.write(from, static_cast<std::size_t>(count));
    length_ += static_cast<std::uint64_t>(count);
    return count;
  }

 private:
  FileWriter& file_;
  std::uint64_t length_ = 0;
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_{XXH3_createState(),
                                                                  XXH3_freeState};
};

class Writer {
 public:
  explicit Writer(std::ostream& out)
      : archive_(out, cereal::PortableBinaryOutputArchive::Options::LittleEndian()) {}
  void operator()(std::uint64_t x) { archive_(x); }
  void operator()(std::int64_t x) { archive_(x); }
  void operator()(double x) { archive_(x); }
  void operator()(const std::string& x) {
    (*this)(static_cast<std::uint64_t>(x.size()));
    archive_(cereal::binary_data(x.data(), x.size()));
  }
  void operator()(const std::vector<std::int64_t>& x) {
    (*this)(static_cast<std::uint64_t>(x.size()));
    archive_(cereal::binary_data(x.data(), x.size() * sizeof(std::int64_t)));
  }
  void operator()(const NamedTensor& x) {
    (*this)(x.name);
    (*this)(static_cast<std::uint64_t>(sizeof(Real) * 8));
    (*this)(std::vector<std::int64_t>(x.tensor.shape().begin(), x.tensor.shape().end()));
    archive_(cereal::binary_data(x.tensor.data(),
                                 static_cast<std::size_t>(x.tensor.size()) * sizeof(Real)));
  }
  template <class T>
  void operator()(const std::map<std::string, T>& xs) {
    (*this)(static_cast<std::uint64_t>(xs.size()));
    for (const auto& [name, x] : xs) {
      (*this)(name);
      (*this)(x);
    }
  }
  void operator()(const std::vector<NamedTensor>& xs) {
    (*this)(static_cast<std::uint64_t>(xs.size()));
    for (const NamedTensor& x : xs)
      (*this)(x);
  }

 private:
  cereal::PortableBinaryOutputArchive archive_;
};

struct MemoryBuffer : std::streambuf {
  explicit MemoryBuffer(std::string_view bytes) {
    char* const begin = const_cast<char*>(bytes.data());  // a streambuf that only reads
    setg(begin, begin, begin + bytes.size());
  }
  std::uint64_t left() const { return static_cast<std::uint64_t>(egptr() - gptr()); }
};

/// Reads from memory what Writer wrote. Before it allocates memory for a count, it compares the
/// count with the bytes that are left.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : buffer_(bytes), in_(&buffer_), archive_(in_) {}
  std::uint64_t left() const { return buffer_.left(); }
  void operator()(std::int64_t& x) { archive_(x); }
  void operator()(double& x) { archive_(x); }
  void operator()(std::string& x) {
    x.resize(count(1));
    archive_(cereal::binary_data(x.data(), x.size()));
  }
  void operator()(std::vector<std::int64_t>& x) {
    x.resize(count(sizeof(std::int64_t)));
    archive_(cereal::binary_data(x.data(), x.size() * sizeof(std::int64_t)));
  }
  void operator()(NamedTensor& x) {
    (*this)(x.name);
    std::uint64_t bits = 0;
    archive_(bits);
    std::vector<std::int64_t> extents;
    (*this)(extents);
    check_tensor(x.name, bits, extents);
    x.tensor = Tensor(Shape(std::span<const Index>(extents)));
    if (bits == 32)
      elements<float>(x.tensor);
    else
      elements<double>(x.tensor);
  }
  template <class T>
  void operator()(std::map<std::string, T>& xs) {
    for (std::uint64_t n = count(1); n > 0; --n) {
      std::string name;
      (*this)(name);
      if (xs.contains(name)) fail("entry {} stands twice", name);
      (*this)(xs[name]);
    }
  }
  void operator()(std::vector<NamedTensor>& xs) {
    std::set<std::string> names;
    for (std::uint64_t n = count(1); n > 0; --n) {
      (*this)(xs.emplace_back());
      if (!names.insert(xs.back().name).second) fail("tensor {} stands twice", xs.back().name);
    }
  }

 private:
  std::uint64_t count(std::uint64_t bytes_each) {
    std::uint64_t n = 0;
    archive_(n);
    if (n > left() / bytes_each)
      fail("claims {} items of {} bytes where {} bytes are left", n, bytes_each, left());
    return n;
  }
  void check_tensor(const std::string& name, std::uint64_t bits,
                    const std::vector<std::int64_t>& extents) const {
    if (bits != 32 && bits != 64) fail("tensor {} claims numbers of {} bits", name, bits);
    if (extents.size() > static_cast<std::size_t>(Shape::max_rank))
      fail("tensor {} claims {} axes", name, extents.size());
    const bool empty = std::find(extents.begin(), extents.end(), 0) != extents.end();
    // The number of elements that fit. It is divided by each extent.
    std::uint64_t most = empty ? std::uint64_t{1} << 40 : left() / (bits / 8);
    for (std::int64_t extent : extents) {
      if (extent < 0 || static_cast<std::uint64_t>(extent) > most)
        fail("tensor {} claims more elements than there are", name);
      most /= static_cast<std::uint64_t>(std::max<std::int64_t>(extent, 1));
    }
    if (most == 0) fail("tensor {} claims more elements than there are", name);
  }
  template <class Stored>
  void elements(Tensor& tensor) {
    const auto n = static_cast<std::size_t>(tensor.size());
    if constexpr (std::is_same_v<Stored, Real>) {
      archive_(cereal::binary_data(tensor.data(), n * sizeof(Stored)));
    } else {
      std::vector<Stored> stored(n);
      archive_(cereal::binary_data(stored.data(), n * sizeof(Stored)));
      std::transform(stored.begin(), stored.end(), tensor.data(),
                     [](Stored x) { return static_cast<Real>(x); });
    }
  }

  MemoryBuffer buffer_;
  std::istream in_;
  cereal::PortableBinaryInputArchive archive_;
};

/// The order of the fields in a file, for writing and for reading.
template <class Archive, class C>
void fields(Archive& archive, C& checkpoint) {
  archive(checkpoint.text);
  archive(checkpoint.numbers);
  archive(checkpoint.reals);
  archive(checkpoint.lists);
  archive(checkpoint.tensors);
}

/// The checked header of a checkpoint.
struct Header {
  std::uint64_t version = 0;
  std::uint64_t length = 0;
  std::uint64_t hash = 0;
  std::size_t bytes() const { return version == 1 ? first_header_bytes : header_bytes; }
};

constexpr const char* use_another = "; use another checkpoint";

/// Checks what only headers of format 2 or newer have: their hash, and a version that is known.
void check_new_header(std::string_view first, const std::string& name, std::uint64_t file_version) {
  if (first.size() < header_bytes)
    fail("{}: truncated: {} bytes are left{}", name, first.size(), use_another);
  const std::uint64_t hash = get_number(first.data() + first_header_bytes);
  if (XXH3_64bits(first.data(), first_header_bytes) != hash)
    fail("{}: damaged: the checksum of its header does not match{}", name, use_another);
  if (file_version > version)
    fail("{}: is of format {}, and this Heed reads formats 1 to {}; use a newer Heed", name,
         file_version, version);
  if (file_version == 0) fail("{}: is of format 0, which there never was{}", name, use_another);
}

/// Compares the length of the payload with the bytes that follow the header.
void check_length(const Header& header, std::uint64_t size, const std::string& name) {
  const std::uint64_t left = size - header.bytes();
  if (left < header.length)
    fail("{}: truncated: {} of {} bytes are left{}", name, left, header.length, use_another);
  if (left > header.length)
    fail("{}: extended: {} bytes follow its end{}", name, left - header.length, use_another);
}

/// Reads and checks the header of a checkpoint of `size` bytes, from its first header_bytes, or
/// from all of them if there are fewer. A header of format 1 has no hash, so if it is damaged,
/// another check reports the error.
Header read_header(std::string_view first, std::uint64_t size, const std::string& name) {
  if (first.substr(0, magic.size()) != magic.substr(0, first.size()))
    fail("{}: is not a Heed checkpoint", name);
  if (size < first_header_bytes)
    fail("{}: truncated: {} bytes are left{}", name, size, use_another);
  const Header header{.version = get_number(first.data() + 8),
                      .length = get_number(first.data() + 16),
                      .hash = get_number(first.data() + 24)};
  const std::uint64_t swapped = __builtin_bswap64(header.version);
  if (swapped > 0 && swapped <= 255)
    fail(
        "{}: its numbers have their bytes in the other order (big-endian); Heed writes them "
        "little-endian{}",
        name, use_another);
  if (header.version != 1) check_new_header(first, name, header.version);
  check_length(header, size, name);
  return header;
}

Checkpoint read_payload(const Header& header, std::string_view payload, const std::string& name) {
  if (XXH3_64bits(payload.data(), payload.size()) != header.hash)
    fail("{}: damaged: its checksum does not match{}", name, use_another);
  try {
    Checkpoint checkpoint;
    Reader reader(payload);
    fields(reader, checkpoint);
    if (reader.left() != 0) fail("{} bytes are left over", reader.left());
    return checkpoint;
  } catch (const cereal::Exception&) {
    fail("{}: malformed: it ends within an item{}", name, use_another);
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error& error) {
    fail("{}: malformed: {}{}", name, error.what(), use_another);
  }
}

template <class T>
const T& entry(const std::map<std::string, T>& entries, const std::string& name) {
  const auto at = entries.find(name);
  if (at == entries.end())
    fail("the checkpoint has no entry {}; it was not written by training", name);
  return at->second;
}

}  // namespace

const Tensor* Checkpoint::find(std::string_view name) const {
  for (const NamedTensor& x : tensors)
    if (x.name == name) return &x.tensor;
  return nullptr;
}

std::int64_t Checkpoint::number(const std::string& name) const { return entry(numbers, name); }
double Checkpoint::real(const std::string& name) const { return entry(reals, name); }
const std::vector<std::int64_t>& Checkpoint::list(const std::string& name) const {
  return entry(lists, name);
}

void save(const Checkpoint& checkpoint, const Path& path) {
  for (const NamedTensor& x : checkpoint.tensors)
    check(x.tensor.defined(), "save", "tensor {} is undefined", x.name);
  FileWriter file(path);
  std::array<char, header_bytes> header{};
  file.write(header.data(), header.size());
  PayloadBuffer buffer(file);
  std::ostream out(&buffer);
  Writer writer(out);
  fields(writer, checkpoint);
  std::copy(magic.begin(), magic.end(), header.begin());
  put_number(header.data() + 8, version);
  put_number(header.data() + 16, buffer.length());
  put_number(header.data() + 24, buffer.hash());
  put_number(header.data() + first_header_bytes, XXH3_64bits(header.data(), first_header_bytes));
  file.write_at(0, header.data(), header.size());
  file.commit();
}

Checkpoint load(const Path& path) {
  FileReader file(path);
  std::array<char, header_bytes> first{};
  const std::size_t taken = std::min<std::size_t>(file.size(), first.size());
  file.read(first.data(), taken);
  const Header header = read_header({first.data(), taken}, file.size(), path.string());
  const auto payload = std::make_unique_for_overwrite<char[]>(header.length);
  // Format 1 has a shorter header: the payload begins in `first`.
  const std::string_view begin(first.data() + header.bytes(), taken - header.bytes());
  std::copy(begin.begin(), begin.end(), payload.get());
  file.read(payload.get() + begin.size(), header.length - begin.size());
  return read_payload(header, {payload.get(), header.length}, path.string());
}

Checkpoint load_bytes(std::string_view bytes, const std::string& name) {
  const Header header = read_header(bytes.substr(0, header_bytes), bytes.size(), name);
  return read_payload(header, bytes.substr(header.bytes()), name);
}

std::vector<NamedTensor> named_tensors(AnyModule module) {
  std::vector<NamedTensor> result;
  for (const auto& [name, parameter] : parameters(module))
    result.push_back({name, parameter.value()});
  return result;
}

void put(Checkpoint& checkpoint, std::string_view prefix, std::span<const NamedTensor> tensors) {
  for (const auto& [name, tensor] : tensors)
    checkpoint.tensors.push_back({std::string(prefix) + name, tensor});
}

void put(Checkpoint& checkpoint, std::string_view prefix, AnyModule module) {
  put(checkpoint, prefix, named_tensors(module));
}

namespace {

/// The differences between the tensors of a checkpoint and those that are expected.
struct Mismatches {
  std::vector<std::string> missing;
  std::vector<std::string> reshaped;
  std::vector<std::string> extra;

  /// "missing: a, b; not expected: c", or empty.
  std::string text() const {
    std::string result;
    const auto add = [&](const char* kind, const std::vector<std::string>& names) {
      if (names.empty()) return;
      result += fmt::format("{}{}: {}", result.empty() ? "" : "; ", kind, first_three(names));
    };
    add("missing", missing);
    add("of another shape", reshaped);
    add("not expected", extra);
    return result;
  }
};

}  // namespace

void take(const Checkpoint& checkpoint, std::string_view prefix, std::span<NamedTensor> targets) {
  const auto short_name = [&](std::string_view name) { return name.substr(prefix.size()); };
  std::map<std::string_view, const Tensor*> left;  // tensors that no target has taken yet
  for (const auto& [name, tensor] : checkpoint.tensors)
    if (name.starts_with(prefix)) left.emplace(short_name(name), &tensor);
  Mismatches mismatches;
  std::vector<const Tensor*> sources;
  for (const auto& [name, tensor] : targets) {
    const auto at = left.find(name);
    if (at == left.end()) {
      mismatches.missing.push_back(name);
      continue;
    }
    if (at->second->shape() != tensor.shape())
      mismatches.reshaped.push_back(
          fmt::format("{} is {} and should be {}", name, at->second->shape(), tensor.shape()));
    sources.push_back(at->second);
    left.erase(at);
  }
  for (const auto& [name, tensor] : checkpoint.tensors)
    if (name.starts_with(prefix) && left.contains(short_name(name)))
      mismatches.extra.emplace_back(short_name(name));
  if (const std::string text = mismatches.text(); !text.empty())
    fail("the checkpoint does not fit the model: {}", text);
  for (std::size_t i = 0; i < targets.size(); ++i)
    std::copy(sources[i]->span().begin(), sources[i]->span().end(), targets[i].tensor.data());
}

void take(const Checkpoint& checkpoint, std::string_view prefix, AnyModule module) {
  std::vector<NamedTensor> targets = named_tensors(module);
  take(checkpoint, prefix, targets);
}

namespace {

bool same_bits(std::span<const Real> a, std::span<const Real> b) {
  return a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

std::string describe(const std::string& x) { return "\"" + x + "\""; }
std::string describe(std::int64_t x) { return std::to_string(x); }
std::string describe(double x) { return fmt::format("{}", x); }
std::string describe(const std::vector<std::int64_t>& x) {
  return fmt::format("({})", fmt::join(x, ", "));
}

template <class T>
std::string difference(const char* kind, const std::map<std::string, T>& a,
                       const std::map<std::string, T>& b) {
  for (const auto& [name, x] : a) {
    const auto at = b.find(name);
    if (at == b.end()) return fmt::format("{} {}: only in the first", kind, name);
    if (!(at->second == x))
      return fmt::format("{} {}: {} and {}", kind, name, describe(x), describe(at->second));
  }
  for (const auto& [name, x] : b)
    if (!a.contains(name)) return fmt::format("{} {}: only in the second", kind, name);
  return "";
}

}  // namespace

std::string difference(const Checkpoint& a, const Checkpoint& b) {
  for (std::string found :
       {difference("text", a.text, b.text), difference("number", a.numbers, b.numbers),
        difference("real", a.reals, b.reals), difference("list", a.lists, b.lists)})
    if (!found.empty()) return found;
  for (const auto& [name, x] : a.tensors) {
    const Tensor* y = b.find(name);
    if (!y) return fmt::format("tensor {}: only in the first", name);
    if (!(x.shape() == y->shape()))
      return fmt::format("tensor {}: {} and {}", name, x.shape(), y->shape());
    if (same_bits(x.span(), y->span())) continue;
    for (Index i = 0; i < x.size(); ++i)
      if (std::memcmp(&x[i], &(*y)[i], sizeof(Real)) != 0)
        return fmt::format("tensor {}: {} and {} at element {}", name, x[i], (*y)[i], i);
  }
  for (const auto& [name, y] : b.tensors)
    if (!a.find(name)) return fmt::format("tensor {}: only in the second", name);
  return "";
}

}  // namespace heed
