#include "framework/checkpoint.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <istream>
#include <limits>
#include <memory>
#include <ostream>
#include <streambuf>
#include <utility>

#include <cereal/archives/portable_binary.hpp>
#include <fmt/format.h>
#include <xxhash.h>

#include "framework/error.h"

namespace heed {

namespace {

using Path = std::filesystem::path;

constexpr std::string_view magic = "HEEDCKPT";
constexpr std::uint64_t version = 1;
constexpr std::size_t header_bytes = 32;  // magic, version, length, hash
using Header = std::array<char, header_bytes>;

void put_number(char* to, std::uint64_t number) {
  for (int i = 0; i < 8; ++i) to[i] = static_cast<char>(number >> (8 * i));
}

std::uint64_t get_number(const char* from) {
  std::uint64_t number = 0;
  for (int i = 0; i < 8; ++i) number |= static_cast<std::uint64_t>(static_cast<unsigned char>(from[i])) << (8 * i);
  return number;
}

class Descriptor {
 public:
  Descriptor(const Path& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    if (number_ < 0) fail("{}: cannot be opened: {}", path.string(), std::strerror(errno));
  }
  ~Descriptor() { ::close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

/// Takes a file that is not finished away again, unless it was kept.
class Unfinished {
 public:
  explicit Unfinished(Path path) : path_(std::move(path)) {}
  ~Unfinished() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  const Path& path() const { return path_; }
  void rename_to(const Path& path) {
    if (::rename(path_.c_str(), path.c_str()) != 0)
      fail("{}: cannot be replaced: {}; the old file is left as it was", path.string(), std::strerror(errno));
    path_.clear();
  }

 private:
  Path path_;
};

Path beside(const Path& path) { return path.string() + ".partial"; }

void sync_folder(const Path& path) {
  const Path folder = path.has_parent_path() ? path.parent_path() : Path(".");
  const Descriptor descriptor(folder, O_RDONLY | O_DIRECTORY);
  ::fsync(descriptor.number());  // not every file system can; the rename stands anyway
}

/// Writes the payload to the file and hashes it on the way; what goes wrong shows in `error`, since streams do not throw.
class PayloadBuffer : public std::streambuf {
 public:
  explicit PayloadBuffer(int file) : file_(file) {
    XXH3_64bits_reset(state_.get());
    setp(buffer_.data(), buffer_.data() + buffer_.size());
  }
  std::uint64_t length() const { return length_; }
  std::uint64_t hash() const { return XXH3_64bits_digest(state_.get()); }
  int error() const { return error_; }
  bool flush() {
    write(pbase(), static_cast<std::size_t>(pptr() - pbase()));
    setp(buffer_.data(), buffer_.data() + buffer_.size());
    return error_ == 0;
  }

 protected:
  int_type overflow(int_type c) override {
    if (!flush()) return traits_type::eof();
    return traits_type::eq_int_type(c, traits_type::eof()) ? traits_type::not_eof(c) : sputc(traits_type::to_char_type(c));
  }
  std::streamsize xsputn(const char* from, std::streamsize count) override {
    if (count > epptr() - pptr() && !flush()) return 0;
    if (count > epptr() - pptr()) {
      write(from, static_cast<std::size_t>(count));
      return error_ == 0 ? count : 0;
    }
    std::copy_n(from, count, pptr());
    pbump(static_cast<int>(count));
    return count;
  }

 private:
  void write(const char* from, std::size_t count) {
    if (error_ != 0) return;
    XXH3_64bits_update(state_.get(), from, count);
    length_ += count;
    while (count > 0) {
      const ssize_t written = ::write(file_, from, count);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        error_ = written < 0 ? errno : EIO;
        return;
      }
      from += written, count -= static_cast<std::size_t>(written);
    }
  }

  int file_, error_ = 0;
  std::uint64_t length_ = 0;
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_{XXH3_createState(), XXH3_freeState};
  std::vector<char> buffer_ = std::vector<char>(std::size_t{1} << 16);
};

class Writer {
 public:
  explicit Writer(std::ostream& out) : archive_(out, cereal::PortableBinaryOutputArchive::Options::LittleEndian()) {}
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
    archive_(cereal::binary_data(x.tensor.data(), static_cast<std::size_t>(x.tensor.size()) * sizeof(Real)));
  }
  template <class T>
  void operator()(const std::map<std::string, T>& xs) {
    (*this)(static_cast<std::uint64_t>(xs.size()));
    for (const auto& [name, x] : xs) (*this)(name), (*this)(x);
  }
  void operator()(const std::vector<NamedTensor>& xs) {
    (*this)(static_cast<std::uint64_t>(xs.size()));
    for (const NamedTensor& x : xs) (*this)(x);
  }

 private:
  cereal::PortableBinaryOutputArchive archive_;
};

struct MemoryBuffer : std::streambuf {
  explicit MemoryBuffer(std::span<char> bytes) { setg(bytes.data(), bytes.data(), bytes.data() + bytes.size()); }
  std::uint64_t left() const { return static_cast<std::uint64_t>(egptr() - gptr()); }
};

/// Reads what Writer wrote from memory. A count is compared with the bytes that are left before anything is allocated for it.
class Reader {
 public:
  explicit Reader(std::span<char> bytes) : buffer_(bytes), in_(&buffer_), archive_(in_) {}
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
      (*this)(name), (*this)(xs[name]);
    }
  }
  void operator()(std::vector<NamedTensor>& xs) {
    for (std::uint64_t n = count(1); n > 0; --n) (*this)(xs.emplace_back());
  }

 private:
  std::uint64_t count(std::uint64_t bytes_each) {
    std::uint64_t n = 0;
    archive_(n);
    if (n > left() / bytes_each) fail("claims {} items of {} bytes where {} bytes are left", n, bytes_each, left());
    return n;
  }
  void check_tensor(const std::string& name, std::uint64_t bits, const std::vector<std::int64_t>& extents) const {
    if (bits != 32 && bits != 64) fail("tensor {} claims numbers of {} bits", name, bits);
    if (extents.size() > static_cast<std::size_t>(Shape::max_rank)) fail("tensor {} claims {} axes", name, extents.size());
    const bool empty = std::find(extents.begin(), extents.end(), 0) != extents.end();
    std::uint64_t most = empty ? std::uint64_t{1} << 40 : left() / (bits / 8);  // elements that fit, divided by each extent
    for (std::int64_t extent : extents) {
      if (extent < 0 || static_cast<std::uint64_t>(extent) > most) fail("tensor {} claims more elements than there are", name);
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
      std::transform(stored.begin(), stored.end(), tensor.data(), [](Stored x) { return static_cast<Real>(x); });
    }
  }

  MemoryBuffer buffer_;
  std::istream in_;
  cereal::PortableBinaryInputArchive archive_;
};

/// Lists the fields once, for both directions.
template <class Archive, class C>
void fields(Archive& archive, C& checkpoint) {
  archive(checkpoint.text), archive(checkpoint.numbers), archive(checkpoint.reals), archive(checkpoint.lists), archive(checkpoint.tensors);
}

void read_exactly(int file, char* to, std::size_t count, const Path& path) {
  while (count > 0) {
    const ssize_t got = ::read(file, to, count);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("{}: cannot be read: {}", path.string(), std::strerror(errno));
    if (got == 0) fail("{}: became shorter while it was read; try again", path.string());
    to += got, count -= static_cast<std::size_t>(got);
  }
}

template <class T>
const T& entry(const std::map<std::string, T>& entries, const std::string& name) {
  const auto at = entries.find(name);
  if (at == entries.end()) fail("the checkpoint has no entry {}; it was not written by training", name);
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
const std::vector<std::int64_t>& Checkpoint::list(const std::string& name) const { return entry(lists, name); }

void save(const Checkpoint& checkpoint, const Path& path) {
  for (const NamedTensor& x : checkpoint.tensors) check(x.tensor.defined(), "save", "tensor {} is undefined", x.name);
  Path partial = beside(path);
  const Descriptor file(partial, O_WRONLY | O_CREAT | O_TRUNC);
  Unfinished unfinished(std::move(partial));
  Header header{};
  PayloadBuffer buffer(file.number());
  const auto give_up = [&](int error) {
    fail("{}: cannot be written: {}; {}", path.string(), std::strerror(error),
         std::filesystem::exists(path) ? "the old file is left as it was" : "free some space or choose another folder");
  };
  if (::lseek(file.number(), header_bytes, SEEK_SET) < 0) give_up(errno);
  try {
    std::ostream out(&buffer);
    Writer writer(out);
    fields(writer, checkpoint);
  } catch (const cereal::Exception&) {  // the buffer could not write
    give_up(buffer.error() != 0 ? buffer.error() : EIO);
  }
  if (!buffer.flush()) give_up(buffer.error());
  std::copy(magic.begin(), magic.end(), header.begin());
  put_number(header.data() + 8, version);
  put_number(header.data() + 16, buffer.length());
  put_number(header.data() + 24, buffer.hash());
  if (::pwrite(file.number(), header.data(), header.size(), 0) != static_cast<ssize_t>(header.size())) give_up(errno);
  if (::fsync(file.number()) != 0) give_up(errno);
  unfinished.rename_to(path);
  sync_folder(path);
}

Checkpoint load(const Path& path) {
  const Descriptor file(path, O_RDONLY);
  struct stat status{};
  if (::fstat(file.number(), &status) != 0) fail("{}: cannot be read: {}", path.string(), std::strerror(errno));
  if (!S_ISREG(status.st_mode)) fail("{}: is not a file", path.string());
  const auto size = static_cast<std::uint64_t>(status.st_size);
  Header header{};
  read_exactly(file.number(), header.data(), std::min<std::size_t>(size, header_bytes), path);
  if (std::string_view(header.data(), std::min<std::size_t>(size, magic.size())) != magic.substr(0, size))
    fail("{}: is not a Heed checkpoint", path.string());
  if (size < header_bytes) fail("{}: truncated: {} bytes are left; use another checkpoint", path.string(), size);
  const std::uint64_t found_version = get_number(header.data() + 8), length = get_number(header.data() + 16);
  if (found_version != version)
    fail("{}: is of format {}, and this Heed reads format {}; {}", path.string(), found_version, version,
         found_version > version ? "use a newer Heed" : "the file is damaged");
  if (size - header_bytes < length)
    fail("{}: truncated: {} of {} bytes are left; use another checkpoint", path.string(), size - header_bytes, length);
  if (size - header_bytes > length)
    fail("{}: extended: {} bytes follow its end; use another checkpoint", path.string(), size - header_bytes - length);
  const auto payload = std::make_unique_for_overwrite<char[]>(length);
  read_exactly(file.number(), payload.get(), length, path);
  if (XXH3_64bits(payload.get(), length) != get_number(header.data() + 24))
    fail("{}: damaged: its checksum does not match; use another checkpoint", path.string());
  try {
    Checkpoint checkpoint;
    Reader reader(std::span<char>(payload.get(), length));
    fields(reader, checkpoint);
    if (reader.left() != 0) fail("{} bytes are left over", reader.left());
    return checkpoint;
  } catch (const cereal::Exception&) {
    fail("{}: malformed: it ends within an item; use another checkpoint", path.string());
  } catch (const Error& error) {
    fail("{}: malformed: {}; use another checkpoint", path.string(), error.what());
  }
}

void link_checkpoint(const Path& path, const Path& link) {
  Unfinished unfinished(beside(link));
  ::unlink(unfinished.path().c_str());
  if (::link(path.c_str(), unfinished.path().c_str()) != 0) {
    std::error_code error;
    std::filesystem::copy_file(path, unfinished.path(), std::filesystem::copy_options::overwrite_existing, error);
    if (error) fail("{}: cannot be written: {}", link.string(), error.message());
    ::fsync(Descriptor(unfinished.path(), O_RDONLY).number());
  }
  std::error_code error;
  if (std::filesystem::equivalent(path, link, error)) return;  // rename() would leave both names
  unfinished.rename_to(link);
  sync_folder(link);
}

std::vector<NamedTensor> named_tensors(AnyModule module) {
  std::vector<NamedTensor> result;
  for (const auto& [name, parameter] : parameters(module)) result.push_back({name, parameter.value()});
  return result;
}

void put(Checkpoint& checkpoint, std::string_view prefix, std::span<const NamedTensor> tensors) {
  for (const auto& [name, tensor] : tensors) checkpoint.tensors.push_back({std::string(prefix) + name, tensor});
}

void put(Checkpoint& checkpoint, std::string_view prefix, AnyModule module) { put(checkpoint, prefix, named_tensors(module)); }

void take(const Checkpoint& checkpoint, std::string_view prefix, std::span<NamedTensor> targets) {
  std::map<std::string_view, const Tensor*> found;
  for (const auto& [name, tensor] : checkpoint.tensors)
    if (name.starts_with(prefix)) found.emplace(std::string_view(name).substr(prefix.size()), &tensor);
  std::string missing, reshaped, extra;
  const auto list = [](std::string& to, const std::string& item) { to += (to.empty() ? "" : ", ") + item; };
  std::vector<const Tensor*> sources;
  for (const auto& [name, tensor] : targets) {
    const auto at = found.find(name);
    if (at == found.end()) {
      list(missing, name);
      continue;
    }
    if (at->second->shape() != tensor.shape())
      list(reshaped, fmt::format("{} is {} and should be {}", name, at->second->shape(), tensor.shape()));
    sources.push_back(at->second);
    found.erase(at);
  }
  for (const auto& [name, tensor] : checkpoint.tensors)
    if (name.starts_with(prefix) && found.contains(std::string_view(name).substr(prefix.size()))) list(extra, name.substr(prefix.size()));
  std::string differences;
  for (const auto& [what, names] : {std::pair{"missing", &missing}, {"of another shape", &reshaped}, {"not expected", &extra}})
    if (!names->empty()) differences += fmt::format("{}{}: {}", differences.empty() ? "" : "; ", what, *names);
  if (!differences.empty()) fail("the checkpoint does not fit the model: {}", differences);
  for (std::size_t i = 0; i < targets.size(); ++i) std::copy(sources[i]->span().begin(), sources[i]->span().end(), targets[i].tensor.data());
}

void take(const Checkpoint& checkpoint, std::string_view prefix, AnyModule module) {
  std::vector<NamedTensor> targets = named_tensors(module);
  take(checkpoint, prefix, targets);
}

namespace {

bool same_bits(std::span<const Real> a, std::span<const Real> b) { return a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0; }

std::string describe(const std::string& x) { return "\"" + x + "\""; }
std::string describe(std::int64_t x) { return std::to_string(x); }
std::string describe(double x) { return fmt::format("{}", x); }
std::string describe(const std::vector<std::int64_t>& x) { return fmt::format("({})", fmt::join(x, ", ")); }

template <class T>
std::string difference(const char* kind, const std::map<std::string, T>& a, const std::map<std::string, T>& b) {
  for (const auto& [name, x] : a) {
    const auto at = b.find(name);
    if (at == b.end()) return fmt::format("{} {}: only in the first", kind, name);
    if (!(at->second == x)) return fmt::format("{} {}: {} and {}", kind, name, describe(x), describe(at->second));
  }
  for (const auto& [name, x] : b)
    if (!a.contains(name)) return fmt::format("{} {}: only in the second", kind, name);
  return "";
}

}  // namespace

std::string difference(const Checkpoint& a, const Checkpoint& b) {
  for (std::string found : {difference("text", a.text, b.text), difference("number", a.numbers, b.numbers),
                            difference("real", a.reals, b.reals), difference("list", a.lists, b.lists)})
    if (!found.empty()) return found;
  for (const auto& [name, x] : a.tensors) {
    const Tensor* y = b.find(name);
    if (!y) return fmt::format("tensor {}: only in the first", name);
    if (!(x.shape() == y->shape())) return fmt::format("tensor {}: {} and {}", name, x.shape(), y->shape());
    if (same_bits(x.span(), y->span())) continue;
    for (Index i = 0; i < x.size(); ++i)
      if (std::memcmp(&x[i], &(*y)[i], sizeof(Real)) != 0) return fmt::format("tensor {}: {} and {} at element {}", name, x[i], (*y)[i], i);
  }
  for (const auto& [name, y] : b.tensors)
    if (!a.find(name)) return fmt::format("tensor {}: only in the second", name);
  return "";
}

}  // namespace heed
