#include "framework/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "framework/error.h"
#include "framework/files.h"

namespace heed {

static_assert(std::endian::native == std::endian::little,
              "elements are written as they lie in memory");

namespace {

using Path = std::filesystem::path;

constexpr std::uint64_t length_bytes = 8;
constexpr std::uint64_t most_header_bytes = 100'000'000;
// A name takes many more bytes in memory than in the file. Large models have some thousands of
// names.
constexpr std::size_t most_names = 250'000;
constexpr std::string_view metadata_key = "__metadata__";

struct Dtype {
  std::string_view name;
  std::uint64_t bits;
};
// clang-format off
constexpr Dtype dtypes[] = {
    {"F32", 32}, {"F64", 64}, {"F16", 16}, {"BF16", 16},  // can be loaded
    {"BOOL", 8},
    {"U8", 8}, {"U16", 16}, {"U32", 32}, {"U64", 64},
    {"I8", 8}, {"I16", 16}, {"I32", 32}, {"I64", 64},
    {"C64", 64},
    {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8},
    {"F6_E2M3", 6}, {"F6_E3M2", 6},
    {"F4", 4},
};
// clang-format on
constexpr std::ptrdiff_t weight_dtypes = 4;  // the first line of `dtypes`
constexpr Dtype own = sizeof(Real) == 4 ? dtypes[0] : dtypes[1];

/// Thrown when a file is not valid; load_safetensors() adds the name of the file.
struct Malformed {
  std::string why;
};

template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> message, Args&&... args) {
  throw Malformed{fmt::format(message, std::forward<Args>(args)...)};
}

/// A name for a message: without control characters, and at most 100 bytes of it. It is not cut
/// within a UTF-8 character.
std::string shown(std::string_view name) {
  constexpr std::size_t most = 100;
  const auto continues_character = [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
  };
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  std::string text(name.substr(0, most));
  while (name.size() > most && !text.empty() && continues_character(name[text.size()]))
    text.pop_back();
  std::replace_if(text.begin(), text.end(), is_control, '?');
  return "'" + text + (name.size() > most ? "...'" : "'");
}

/// A tensor of the header. Its bytes are [begin, end) after the header.
struct Entry {
  std::string name;
  const Dtype* dtype = nullptr;
  std::array<Index, Shape::max_rank> extents{};
  int rank = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// Collects the header while it is parsed. The parse stops at the first thing that the format does
/// not allow, and `error` then says what it is.
class Header final : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;
  std::string error;

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("true or false"); }
  bool number_integer(std::int64_t) override { return unexpected("a negative number"); }
  bool number_float(double, const std::string& text) override {
    return unexpected("the number " + text.substr(0, 30));
  }
  bool binary(binary_t&) override { return unexpected("bytes"); }
  bool number_unsigned(std::uint64_t x) override {
    if (place_ == Place::shape) return add_extent(x);
    if (place_ == Place::offsets) return add_offset(x);
    return unexpected("a number");
  }
  bool string(std::string& x) override {
    if (place_ == Place::metadata) {
      metadata[key_] = std::move(x);
      return true;
    }
    if (place_ != Place::tensor || field_ != "dtype") return unexpected("a string");
    const auto* found = std::find_if(std::begin(dtypes), std::end(dtypes),
                                     [&](const Dtype& d) { return d.name == x; });
    if (found == std::end(dtypes))
      return give_up("tensor {} has an unknown dtype {}", shown(entry().name), shown(x));
    entry().dtype = found;
    return true;
  }
  bool start_object(std::size_t) override {
    if (place_ == Place::nowhere) {
      place_ = Place::root;
      return true;
    }
    if (place_ != Place::root) return unexpected("an object");
    place_ = key_ == metadata_key ? Place::metadata : Place::tensor;
    if (place_ == Place::tensor) {
      entries.emplace_back().name = std::move(key_);
      seen_ = {};
      offsets_ = 0;
    }
    return entries.size() <= most_names || give_up("it has more than {} tensors", most_names);
  }
  bool key(std::string& x) override {
    switch (place_) {
      case Place::root:
        if (x == metadata_key && std::exchange(has_metadata_, true))
          return give_up("the key {} stands twice", shown(x));
        break;
      case Place::metadata:
        if (metadata.contains(x))
          return give_up("the key {} stands twice in {}", shown(x), metadata_key);
        if (metadata.size() == most_names)
          return give_up("it has more than {} entries in {}", most_names, metadata_key);
        break;
      default:
        return begin_field(x);
    }
    key_ = std::move(x);
    return true;
  }
  bool end_object() override {
    if (place_ == Place::tensor) {
      const auto* missing = std::find(seen_.begin(), seen_.end(), false);
      if (missing != seen_.end())
        return give_up("tensor {} lacks its {}", shown(entry().name),
                       fields[static_cast<std::size_t>(missing - seen_.begin())]);
    }
    place_ = place_ == Place::root ? Place::nowhere : Place::root;
    return true;
  }
  bool start_array(std::size_t) override {
    if (place_ != Place::tensor || field_ == "dtype") return unexpected("an array");
    place_ = field_ == "shape" ? Place::shape : Place::offsets;
    return true;
  }
  bool end_array() override {
    if (place_ == Place::offsets && offsets_ != 2)
      return give_up("tensor {} has {} of its two data_offsets", shown(entry().name), offsets_);
    place_ = Place::tensor;
    return true;
  }
  bool parse_error(std::size_t at, const std::string&,
                   const nlohmann::json::exception& exception) override {
    const std::string_view what = exception.what();
    return give_up("its header is no valid {} (byte {})",
                   what.find("UTF-8") != what.npos ? "UTF-8" : "JSON", at + length_bytes);
  }

 private:
  enum class Place : std::uint8_t { nowhere, root, metadata, tensor, shape, offsets };
  /// The keys of a tensor, in the order of seen_.
  static constexpr std::array<std::string_view, 3> fields{"dtype", "shape", "data_offsets"};

  Entry& entry() { return entries.back(); }

  bool add_extent(std::uint64_t x) {
    if (entry().rank == Shape::max_rank)
      return give_up("tensor {} has more than {} axes", shown(entry().name), Shape::max_rank);
    if (x > static_cast<std::uint64_t>(std::numeric_limits<Index>::max()))
      return give_up("tensor {} claims more elements than there can be", shown(entry().name));
    entry().extents[static_cast<std::size_t>(entry().rank)] = static_cast<Index>(x);
    ++entry().rank;
    return true;
  }
  bool add_offset(std::uint64_t x) {
    if (offsets_ == 2)
      return give_up("tensor {} has more than two data_offsets", shown(entry().name));
    (offsets_ == 0 ? entry().begin : entry().end) = x;
    ++offsets_;
    return true;
  }
  bool begin_field(const std::string& name) {
    const auto at =
        static_cast<std::size_t>(std::find(fields.begin(), fields.end(), name) - fields.begin());
    if (at == fields.size())
      return give_up("tensor {} has an unknown key {}", shown(entry().name), shown(name));
    if (std::exchange(seen_[at], true))
      return give_up("the key {} stands twice in tensor {}", shown(name), shown(entry().name));
    field_ = fields[at];
    return true;
  }

  template <class... Args>
  bool give_up(fmt::format_string<Args...> message, Args&&... args) {
    error = fmt::format(message, std::forward<Args>(args)...);
    return false;
  }
  bool unexpected(const std::string& what) {
    switch (place_) {
      case Place::nowhere:
        return give_up("expected the header to be an object; got {}", what);
      case Place::root:
        return give_up("expected an object for {}; got {}", shown(key_), what);
      case Place::metadata:
        return give_up("expected a string for {} in {}; got {}", shown(key_), metadata_key, what);
      case Place::tensor:
        return give_up("expected {} for {} of tensor {}; got {}",
                       field_ == "dtype" ? "a string" : "an array", field_, shown(entry().name),
                       what);
      default:
        return give_up("expected whole numbers from 0 in {} of tensor {}; got {}", field_,
                       shown(entry().name), what);
    }
  }

  Place place_ = Place::nowhere;
  std::string key_;
  std::string_view field_;
  std::array<bool, fields.size()> seen_{};
  int offsets_ = 0;
  bool has_metadata_ = false;
};

void check_names(std::vector<Entry>& entries) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(entries.begin(), entries.end(),
                         [](const Entry& a, const Entry& b) { return a.name == b.name; });
  if (twice != entries.end()) refuse("the key {} stands twice", shown(twice->name));
}

/// The number of bits that the elements of a tensor take.
std::uint64_t bits_of(const Entry& x) {
  const auto too_many = [&] {
    refuse("tensor {} claims more elements than there can be", shown(x.name));
  };
  std::uint64_t elements = 1;
  // The product of the extents above 0: extents that no shape can have are refused in an empty
  // tensor too.
  std::uint64_t product = 1;
  for (int i = 0; i < x.rank; ++i) {
    const auto extent = static_cast<std::uint64_t>(x.extents[static_cast<std::size_t>(i)]);
    if (__builtin_mul_overflow(product, std::max<std::uint64_t>(extent, 1), &product)) too_many();
    if (product > std::uint64_t{1} << 60) too_many();
    elements *= extent;
  }
  std::uint64_t bits = 0;
  if (__builtin_mul_overflow(elements, x.dtype->bits, &bits)) too_many();
  return bits;
}

/// Checks that a tensor lies within the `buffer` bytes after the header, and has as many bytes as
/// its elements take.
void check_size(const Entry& x, std::uint64_t buffer) {
  if (x.end < x.begin) refuse("tensor {} ends before it begins", shown(x.name));
  if (x.end > buffer)
    refuse("tensor {} lies outside the file: its bytes {} to {} of {}", shown(x.name), x.begin,
           x.end, buffer);
  const std::uint64_t bits = bits_of(x);
  if (bits % 8 != 0) refuse("tensor {} ends within a byte", shown(x.name));
  if (x.end - x.begin != bits / 8)
    refuse("tensor {} has {} bytes, and {} of its shape ({}) take {}", shown(x.name),
           x.end - x.begin, x.dtype->name,
           fmt::join(x.extents.begin(), x.extents.begin() + x.rank, ", "), bits / 8);
}

/// Sorts the entries by the place of their elements. Throws unless they fill the `buffer` bytes
/// after the header, without a hole or an overlap.
void check_layout(std::vector<Entry>& entries, std::uint64_t buffer) {
  check_names(entries);
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t at = 0;
  for (const Entry& x : entries) {
    check_size(x, buffer);
    if (x.begin > at) refuse("a hole: no tensor has the bytes {} to {}", at, x.begin);
    if (x.begin < at) refuse("tensor {} overlaps another one", shown(x.name));
    at = x.end;
  }
  if (at != buffer) refuse("{} bytes follow the last tensor", buffer - at);
}

template <class Stored>
Real to_real(Stored x) {
  return static_cast<Real>(x);
}

/// Reads and converts the next elements of the file, with a small buffer.
template <class Stored, class Convert>
void read_converted(FileReader& file, std::span<Real> to, Convert convert) {
  std::array<Stored, 8192> buffer;
  while (!to.empty()) {
    const std::size_t n = std::min(to.size(), buffer.size());
    file.read(buffer.data(), n * sizeof(Stored));
    std::transform(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(n), to.begin(),
                   convert);
    to = to.subspan(n);
  }
}

void read_elements(FileReader& file, std::string_view dtype, Tensor& x) {
  if (dtype == own.name)
    file.read(x.data(), static_cast<std::size_t>(x.size()) * sizeof(Real));
  else if (dtype == "F32")
    read_converted<float>(file, x.span(), to_real<float>);
  else if (dtype == "F64")
    read_converted<double>(file, x.span(), to_real<double>);
  else if (dtype == "F16")
    read_converted<std::uint16_t>(file, x.span(),
                                  [](std::uint16_t bits) { return to_real(from_half(bits)); });
  else
    read_converted<std::uint16_t>(file, x.span(),
                                  [](std::uint16_t bits) { return to_real(from_bfloat(bits)); });
}

Header read_header(FileReader& file) {
  if (file.size() < length_bytes)
    refuse("it has {} bytes, and its first {} should say how long its header is", file.size(),
           length_bytes);
  std::uint64_t length = 0;
  file.read(&length, sizeof length);
  if (length > most_header_bytes)
    refuse("it claims a header of {} bytes, and {} are the most", length, most_header_bytes);
  if (length > file.size() - length_bytes)
    refuse("it claims a header of {} bytes, and {} are left", length, file.size() - length_bytes);
  std::string text(length, '\0');
  file.read(text.data(), text.size());
  if (!text.starts_with('{')) refuse("its header does not begin with {{");
  // The parser would take a NUL byte for the end of the text.
  if (text.find('\0') != text.npos) refuse("its header holds a NUL byte");
  text.resize(text.find_last_not_of(' ') + 1);  // the padding
  Header header;
  if (!nlohmann::json::sax_parse(text, &header)) refuse("{}", header.error);
  if (!text.ends_with('}')) refuse("its header is padded with something else than spaces");
  check_layout(header.entries, file.size() - length_bytes - length);
  return header;
}

std::string quoted(const std::string& text, const Path& path) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    fail("{}: cannot be written: {} is no UTF-8, which the format asks for", path.string(),
         shown(text));
  }
}

}  // namespace

float from_half(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits} >> 15 << 31;
  const std::uint32_t exponent = bits >> 10 & 0x1Fu;
  const std::uint32_t fraction = bits & 0x3FFu;
  // 31: an infinity or a NaN. 0: a subnormal number or zero.
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | fraction << 13);
  if (exponent > 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
  return sign != 0 ? -magnitude : magnitude;
}

float from_bfloat(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

namespace {

/// "key":"value" for each entry of the metadata, separated by commas.
std::string metadata_json(const std::map<std::string, std::string>& metadata, const Path& path) {
  std::string entries;
  for (const auto& [key, value] : metadata) {
    const char* separator = entries.empty() ? "" : ",";
    entries += fmt::format("{}{}:{}", separator, quoted(key, path), quoted(value, path));
  }
  return entries;
}

/// The header for tensors in the order of their elements. `path` is for messages.
std::string header_json(std::span<const NamedTensor* const> sorted,
                        const std::map<std::string, std::string>& metadata, const Path& path) {
  std::string header = "{";
  if (!metadata.empty())
    header += fmt::format("\"{}\":{{{}}}", metadata_key, metadata_json(metadata, path));
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const auto& [name, tensor] = *sorted[i];
    if (name == metadata_key || (i > 0 && name == sorted[i - 1]->name))
      fail("{}: cannot be written: two things would be named {}", path.string(), shown(name));
    const std::uint64_t end = at + static_cast<std::uint64_t>(tensor.size()) * sizeof(Real);
    const char* separator = header.size() > 1 ? "," : "";
    header += fmt::format("{}{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                          separator, quoted(name, path), own.name,
                          fmt::join(tensor.shape().begin(), tensor.shape().end(), ","), at, end);
    at = end;
  }
  header += '}';
  header.resize((header.size() + 7) / 8 * 8, ' ');  // align the elements to 8 bytes
  if (header.size() > most_header_bytes)
    fail("{}: cannot be written: its header would have more than {} bytes", path.string(),
         most_header_bytes);
  return header;
}

}  // namespace

void save_safetensors(const Path& path, std::span<const NamedTensor> tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::vector<const NamedTensor*> sorted;
  for (const NamedTensor& x : tensors) {
    check(x.tensor.defined(), "save_safetensors", "tensor {} is undefined", x.name);
    sorted.push_back(&x);
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const NamedTensor* a, const NamedTensor* b) { return a->name < b->name; });
  const std::string header = header_json(sorted, metadata, path);
  FileWriter file(path);
  const std::uint64_t length = header.size();
  file.write(&length, sizeof length);
  file.write(header.data(), header.size());
  for (const NamedTensor* x : sorted)
    file.write(x->tensor.data(), static_cast<std::size_t>(x->tensor.size()) * sizeof(Real));
  file.commit();
}

Safetensors load_safetensors(const Path& path) {
  FileReader file(path);
  Header header;
  try {
    header = read_header(file);
  } catch (const Malformed& malformed) {
    fail("{}: is no valid safetensors file: {}; copy or export it again", path.string(),
         malformed.why);
  }
  for (const Entry& x : header.entries)
    if (x.dtype - dtypes >= weight_dtypes)
      fail(
          "{}: tensor {} holds {}, and weights are F32, F64, F16 or BF16; convert it, or leave it "
          "out",
          path.string(), shown(x.name), x.dtype->name);
  Safetensors result;
  result.metadata = std::move(header.metadata);
  result.tensors.reserve(header.entries.size());
  for (Entry& x : header.entries) {
    Tensor tensor(
        Shape(std::span<const Index>(x.extents.data(), static_cast<std::size_t>(x.rank))));
    read_elements(file, x.dtype->name, tensor);
    if (tensor.size() > 0) result.dtypes.emplace(x.dtype->name);
    result.tensors.push_back({std::move(x.name), std::move(tensor)});
  }
  return result;
}

}  // namespace heed
