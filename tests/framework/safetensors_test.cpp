#include "framework/safetensors.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/datasets/temporary.h"

namespace heed {
namespace {

std::string number(std::uint64_t x) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>(x >> (8 * i));
  return bytes;
}

/// A file: the length of the header, the header, and `elements` zero bytes for the elements.
std::string with(const std::string& header, std::size_t elements = 0) {
  return number(header.size()) + header + std::string(elements, '\0');
}

/// The header of a file whose only tensor is 'a'.
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"a":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

/// One tensor of floats in a header.
std::string entry(const std::string& name, const std::string& shape, const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}";
}

/// The header of a file of two tensors of floats.
std::string two(const std::string& first, const std::string& second) {
  return "{" + first + "," + second + "}";
}

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST(Safetensors, ReturnsWhatWasPut) {
  const TemporaryFolder folder;
  Tensor large({1000, 91});
  for (Index i = 0; i < large.size(); ++i)
    large[i] = static_cast<Real>(i) / 7;
  const std::vector<NamedTensor> tensors{
      {"b", Tensor({2, 3}, {1, 2, 3, 4, 5, Real(0.1)})},
      {"scalar", Tensor({}, {7})},
      {"none", Tensor(Shape{0, 4})},
      {"deep", Tensor({1, 1, 1, 1, 1, 2}, {std::numeric_limits<Real>::infinity(), Real(-0.0)})},
      {"large", large},
      {"", Tensor({1}, {-1})},
      {"a \"name\"\n\\ \xC3\xA9 \xF0\x9F\x98\x80 \x01", Tensor({1}, {2})}};
  const std::map<std::string, std::string> metadata{
      {"format", "pt"}, {"text", "line\nline \"\xE2\x82\xAC\"\t"}, {"", ""}};
  const std::string path = folder.path("m.safetensors");
  save_safetensors(path, tensors, metadata);
  const Safetensors found = load_safetensors(path);
  EXPECT_EQ(found.metadata, metadata);
  EXPECT_EQ(found.dtypes, (std::set<std::string>{sizeof(Real) == 4 ? "F32" : "F64"}));
  Checkpoint before;
  Checkpoint after;
  before.tensors = tensors;
  after.tensors = found.tensors;
  EXPECT_EQ(difference(after, before), "");
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
  // The order in which the tensors are given changes no byte. The elements begin at a multiple
  // of 8.
  const std::string again = folder.path("again.safetensors");
  save_safetensors(again, found.tensors, found.metadata);
  EXPECT_EQ(bytes_of(again), bytes_of(path));
  EXPECT_EQ(static_cast<unsigned char>(bytes_of(path)[0]) % 8, 0);
}

TEST(Safetensors, WritesTheFormatsBytes) {
  if (sizeof(Real) != 4) GTEST_SKIP() << "the bytes are those of floats";
  const TemporaryFolder folder;
  save_safetensors(
      folder.path("m"),
      std::vector<NamedTensor>{{"w", Tensor({1, 2}, {1, -2})}, {"b", Tensor({1}, {Real(0.5)})}},
      {{"k", "v"}});
  std::string header = R"({"__metadata__":{"k":"v"},)"
                       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                       R"("w":{"dtype":"F32","shape":[1,2],"data_offsets":[4,12]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::string elements("\x00\x00\x00\x3f\x00\x00\x80\x3f\x00\x00\x00\xc0", 12);
  EXPECT_EQ(bytes_of(folder.path("m")), number(header.size()) + header + elements);
  save_safetensors(folder.path("empty"), {}, {});
  EXPECT_EQ(bytes_of(folder.path("empty")), number(8) + "{}      ");
  const Safetensors empty = load_safetensors(folder.path("empty"));
  EXPECT_TRUE(empty.tensors.empty() && empty.metadata.empty());
}

TEST(Safetensors, RefusesToWriteWhatCannotBeRead) {
  const TemporaryFolder folder;
  const auto save = [&](const std::vector<NamedTensor>& tensors,
                        const std::map<std::string, std::string>& metadata = {}) {
    return folder.message([&] { save_safetensors(folder.path("m"), tensors, metadata); });
  };
  const Tensor x({1}, {1});
  EXPECT_EQ(save({{"a", x}, {"a", x}}), "m: cannot be written: two things would be named 'a'");
  EXPECT_EQ(save({{"__metadata__", x}}),
            "m: cannot be written: two things would be named '__metadata__'");
  EXPECT_EQ(save({{"a\xFF", x}}),
            "m: cannot be written: 'a\xFF' is no UTF-8, which the format asks for");
  EXPECT_EQ(save({{"a", x}}, {{"k", "\xC3"}}),
            "m: cannot be written: '\xC3' is no UTF-8, which the format asks for");
  EXPECT_FALSE(std::filesystem::exists(folder.path("m")));
}

struct HalfRow {
  std::uint16_t bits;
  float value;
};
constexpr float infinity = std::numeric_limits<float>::infinity();

// clang-format off
constexpr HalfRow halves[]{
    {0x0000, 0.0f},        {0x8000, -0.0f},           // zeros
    {0x0001, 0x1p-24f},    {0x8001, -0x1p-24f},       // the smallest subnormal numbers
    {0x03FF, 1023 * 0x1p-24f},                        // the largest subnormal number
    {0x0400, 0x1p-14f},                               // the smallest normal number
    {0x3C00, 1.0f},        {0x3C01, 1 + 0x1p-10f},
    {0xC000, -2.0f},       {0x3555, 0x1.554p-2f},
    {0x7BFF, 65504.0f},    {0xFBFF, -65504.0f},       // the largest numbers
    {0x7C00, infinity},    {0xFC00, -infinity},
};
constexpr HalfRow bfloats[]{
    {0x0000, 0.0f},        {0x8000, -0.0f},           // zeros
    {0x0001, 0x1p-133f},   {0x007F, 127 * 0x1p-133f}, // the smallest and largest subnormal numbers
    {0x0080, 0x1p-126f},                              // the smallest normal number
    {0x3F80, 1.0f},        {0xC049, -3.140625f},
    {0x7F7F, 0x1.FEp127f},                            // the largest number
    {0x7F80, infinity},    {0xFF80, -infinity},
};
// clang-format on

std::uint32_t bits_of(float x) { return std::bit_cast<std::uint32_t>(x); }

TEST(Safetensors, ReadsHalfPrecisionBitByBit) {
  for (const HalfRow& row : halves)
    EXPECT_EQ(bits_of(from_half(row.bits)), bits_of(row.value)) << row.bits;
  for (const HalfRow& row : bfloats)
    EXPECT_EQ(bits_of(from_bfloat(row.bits)), bits_of(row.value)) << row.bits;
  EXPECT_EQ(bits_of(from_half(0x7E01)), 0x7FC02000u) << "a NaN keeps its payload";
  EXPECT_TRUE(std::isnan(from_bfloat(0xFFC1)));
  // Every half is what its definition says.
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const int fraction = static_cast<int>(bits & 1023);
    if (exponent == 31) continue;
    const double magnitude =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    ASSERT_EQ(from_half(static_cast<std::uint16_t>(bits)), bits >> 15 != 0 ? -magnitude : magnitude)
        << bits;
  }
}

TEST(Safetensors, ReadsEveryTypeThatHoldsWeights) {
  const TemporaryFolder folder;
  // What PyTorch might write: large types first, no padding, a zero extent, a scalar.
  std::string header = R"({"d":{"dtype":"F64","shape":[2],"data_offsets":[0,16]},)"
                       R"("f":{"shape":[],"data_offsets":[16,20],"dtype":"F32"},)"
                       R"("b":{"dtype":"BF16","shape":[1,2],"data_offsets":[20,24]},)"
                       R"("h":{"dtype":"F16","shape":[1],"data_offsets":[24,26]},)"
                       R"("n":{"dtype":"F16","shape":[3,0],"data_offsets":[20,20]}})";
  std::string bytes = with(header);
  const double d[] = {0.1, -2};
  const float f = 1.5f;
  const std::uint16_t half_bits[] = {0x3F80, 0xC000, 0x3800};
  bytes.append(reinterpret_cast<const char*>(d), 16)
      .append(reinterpret_cast<const char*>(&f), 4)
      .append(reinterpret_cast<const char*>(half_bits), 6);
  const Safetensors found = load_safetensors(folder.write("m", bytes));
  std::map<std::string, std::vector<Real>> values;
  for (const auto& [name, tensor] : found.tensors)
    values[name] = tensor.to_vector();
  const std::map<std::string, std::vector<Real>> expected{
      {"d", {static_cast<Real>(0.1), -2}}, {"f", {1.5}}, {"b", {1, -2}}, {"h", {0.5}}, {"n", {}}};
  EXPECT_EQ(values, expected);
  EXPECT_EQ(found.dtypes, (std::set<std::string>{"BF16", "F16", "F32", "F64"}));
  EXPECT_EQ(to_string(found.tensors[2].tensor.shape()), "(3, 0)");
}

const std::string good_header = one(R"("F32")", "[2]", "[0,8]");
const std::string hundred(100, 'x');

struct HostileFile {
  std::string bytes;
  // Between "m: is no valid safetensors file: " and "; copy or export it again".
  std::string why;
};

// clang-format off
const std::vector<HostileFile> hostile_files{
    // The length of the header.
    {"", "it has 0 bytes, and its first 8 should say how long its header is"},
    {"1234567", "it has 7 bytes, and its first 8 should say how long its header is"},
    {number(0), "its header does not begin with {"},
    {number(2), "it claims a header of 2 bytes, and 0 are left"},
    {number(std::uint64_t{1} << 63) + "{}",
     "it claims a header of 9223372036854775808 bytes, and 100000000 are the most"},
    {number(~std::uint64_t{0}) + "{}",
     "it claims a header of 18446744073709551615 bytes, and 100000000 are the most"},
    {number(100'000'001) + "{}",
     "it claims a header of 100000001 bytes, and 100000000 are the most"},
    {number(100'000'000) + "{}", "it claims a header of 100000000 bytes, and 2 are left"},
    // A big-endian length.
    {std::string("\0\0\0\0\0\0\0\2{}", 10),
     "it claims a header of 144115188075855872 bytes, and 100000000 are the most"},
    {"HEEDCKPT" + std::string(100, '\0'),
     "it claims a header of 6075438649603081544 bytes, and 100000000 are the most"},
    // JSON.
    {with(" {}"), "its header does not begin with {"},
    {with("\xEF\xBB\xBF{}"), "its header does not begin with {"},
    {with("[]"), "its header does not begin with {"},
    {with("{"), "its header is no valid JSON (byte 10)"},
    {with("{}}"), "its header is no valid JSON (byte 11)"},
    {with("{} x"), "its header is no valid JSON (byte 12)"},
    {with("{}\n"), "its header is padded with something else than spaces"},
    {with(std::string("{}\0", 3)), "its header holds a NUL byte"},
    {with(std::string("{}\0}", 4)), "its header holds a NUL byte"},
    {with("{'a':1}"), "its header is no valid JSON (byte 10)"},
    {with("{\"__metadata__\":{}, // no\n}"), "its header is no valid JSON (byte 29)"},
    {with("{\"\xC3\x28\":{}}"), "its header is no valid UTF-8 (byte 12)"},
    {with("{\"\xED\xA0\x80\":{}}"), "its header is no valid UTF-8 (byte 12)"},
    {with(R"({"\ud800":{}})"), "its header is no valid JSON (byte 17)"},
    {with("{\"a\n\":{}}"), "its header is no valid JSON (byte 12)"},
    {with(R"({"a":)" + std::string(100000, '[')), "expected an object for 'a'; got an array"},
    {with(R"({"a":{"shape":)" + std::string(100000, '[')),
     "expected whole numbers from 0 in shape of tensor 'a'; got an array"},
    {with(R"({"a":{"dtype":{"a":{"dtype":{}}}}})"),
     "expected a string for dtype of tensor 'a'; got an object"},
    // Types of values.
    {with(R"({"a":1})"), "expected an object for 'a'; got a number"},
    {with(R"({"a":null})"), "expected an object for 'a'; got null"},
    {with(R"({"a":"F32"})"), "expected an object for 'a'; got a string"},
    {with(R"({"a":{"dtype":"F32"}})"), "tensor 'a' lacks its shape"},
    {with(R"({"a":{"dtype":"F32","shape":[]}})"), "tensor 'a' lacks its data_offsets"},
    {with(R"({"a":{"shape":[0],"data_offsets":[0,0]}})"), "tensor 'a' lacks its dtype"},
    {with(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"more":1}})"),
     "tensor 'a' has an unknown key 'more'"},
    {with(one("32", "[2]", "[0,8]"), 8), "expected a string for dtype of tensor 'a'; got a number"},
    {with(one("true", "[2]", "[0,8]"), 8),
     "expected a string for dtype of tensor 'a'; got true or false"},
    {with(one(R"("F31")", "[2]", "[0,8]"), 8), "tensor 'a' has an unknown dtype 'F31'"},
    {with(one(R"("f32")", "[2]", "[0,8]"), 8), "tensor 'a' has an unknown dtype 'f32'"},
    {with(one(R"("F32")", "2", "[0,8]"), 8),
     "expected an array for shape of tensor 'a'; got a number"},
    {with(one(R"("F32")", "[-2]", "[0,8]"), 8),
     "expected whole numbers from 0 in shape of tensor 'a'; got a negative number"},
    {with(one(R"("F32")", "[2.0]", "[0,8]"), 8),
     "expected whole numbers from 0 in shape of tensor 'a'; got the number 2.0"},
    {with(one(R"("F32")", "[2e0]", "[0,8]"), 8),
     "expected whole numbers from 0 in shape of tensor 'a'; got the number 2e0"},
    {with(one(R"("F32")", "[\"2\"]", "[0,8]"), 8),
     "expected whole numbers from 0 in shape of tensor 'a'; got a string"},
    {with(one(R"("F32")", "[02]", "[0,8]"), 8), "its header is no valid JSON (byte 39)"},
    {with(one(R"("F32")", "[1,1,1,1,1,1,2]", "[0,8]"), 8), "tensor 'a' has more than 6 axes"},
    {with(one(R"("F32")", "[2]", "[8]"), 8), "tensor 'a' has 1 of its two data_offsets"},
    {with(one(R"("F32")", "[2]", "[]"), 8), "tensor 'a' has 0 of its two data_offsets"},
    {with(one(R"("F32")", "[2]", "[0,8,8]"), 8), "tensor 'a' has more than two data_offsets"},
    {with(one(R"("F32")", "[2]", "[0,-8]"), 8),
     "expected whole numbers from 0 in data_offsets of tensor 'a'; got a negative number"},
    {with(R"({"__metadata__":"x"})"), "expected an object for '__metadata__'; got a string"},
    {with(R"({"__metadata__":{"k":1}})"),
     "expected a string for 'k' in __metadata__; got a number"},
    {with(R"({"__metadata__":{"k":{}}})"),
     "expected a string for 'k' in __metadata__; got an object"},
    {with(R"({"__metadata__":{"k":null}})"), "expected a string for 'k' in __metadata__; got null"},
    // Keys that stand twice.
    {with(two(entry("a", "[1]", "[0,4]"), entry("a", "[1]", "[4,8]")), 8),
     "the key 'a' stands twice"},
    {with(two(entry("a", "[1]", "[0,4]"), entry(R"(\u0061)", "[1]", "[4,8]")), 8),
     "the key 'a' stands twice"},
    {with(R"({"__metadata__":{},"__metadata__":{}})"), "the key '__metadata__' stands twice"},
    {with(R"({"__metadata__":{"k":"1","k":"2"}})"), "the key 'k' stands twice in __metadata__"},
    {with(R"({"a":{"dtype":"F32","dtype":"F32","shape":[0],"data_offsets":[0,0]}})"),
     "the key 'dtype' stands twice in tensor 'a'"},
    {with(R"({"a":{"dtype":"F32","shape":[0],"shape":[0],"data_offsets":[0,0]}})"),
     "the key 'shape' stands twice in tensor 'a'"},
    // Sizes.
    {with(good_header), "tensor 'a' lies outside the file: its bytes 0 to 8 of 0"},
    {with(good_header, 7), "tensor 'a' lies outside the file: its bytes 0 to 8 of 7"},
    {with(good_header, 9), "1 bytes follow the last tensor"},
    {with("{}", 1), "1 bytes follow the last tensor"},
    {with(one(R"("F32")", "[2]", "[8,0]"), 8), "tensor 'a' ends before it begins"},
    {with(one(R"("F32")", "[3]", "[0,8]"), 8),
     "tensor 'a' has 8 bytes, and F32 of its shape (3) take 12"},
    {with(one(R"("F32")", "[]", "[0,8]"), 8),
     "tensor 'a' has 8 bytes, and F32 of its shape () take 4"},
    {with(one(R"("F16")", "[2]", "[0,8]"), 8),
     "tensor 'a' has 8 bytes, and F16 of its shape (2) take 4"},
    {with(one(R"("F32")", "[2]", "[18446744073709551608,18446744073709551616]"), 8),
     "expected whole numbers from 0 in data_offsets of tensor 'a'; got the number "
     "18446744073709551616"},
    {with(one(R"("F32")", "[2]", "[18446744073709551600,18446744073709551608]"), 8),
     "tensor 'a' lies outside the file: its bytes 18446744073709551600 to 18446744073709551608 "
     "of 8"},
    {with(one(R"("F32")", "[4611686018427387905]", "[0,4]"), 4),
     "tensor 'a' claims more elements than there can be"},
    {with(one(R"("F32")", "[4294967296,4294967296]", "[0,0]")),
     "tensor 'a' claims more elements than there can be"},
    {with(one(R"("F32")", "[0,4294967296,4294967296]", "[0,0]")),
     "tensor 'a' claims more elements than there can be"},
    {with(one(R"("F32")", "[18446744073709551615]", "[0,8]"), 8),
     "tensor 'a' claims more elements than there can be"},
    {with(one(R"("F4")", "[3]", "[0,1]"), 1), "tensor 'a' ends within a byte"},
    {with(two(entry("a", "[1]", "[0,4]"), entry("b", "[1]", "[8,12]")), 12),
     "a hole: no tensor has the bytes 4 to 8"},
    {with(one(R"("F32")", "[1]", "[4,8]"), 8), "a hole: no tensor has the bytes 0 to 4"},
    {with(two(entry("a", "[2]", "[0,8]"), entry("b", "[2]", "[4,12]")), 12),
     "tensor 'b' overlaps another one"},
    {with(two(entry("a", "[2]", "[0,8]"), entry("b", "[2]", "[0,8]")), 8),
     "tensor 'b' overlaps another one"},
    {with(two(entry("a", "[2]", "[0,8]"), entry("b", "[0]", "[4,4]")), 8),
     "tensor 'b' overlaps another one"},
    // Names in messages.
    {with("{\"" + hundred + "\xC3\xA9\":1}"),
     "expected an object for '" + hundred + "...'; got a number"},
    {with(R"({"a\nheed: error: b\u001b[2J":1})"),
     "expected an object for 'a?heed: error: b?[2J'; got a number"},
};
// clang-format on

TEST(Safetensors, RefusesHostileFilesByName) {
  const TemporaryFolder folder;
  for (const HostileFile& row : hostile_files) {
    const std::string path = folder.write("m", row.bytes);
    EXPECT_EQ(folder.message([&] { load_safetensors(path); }),
              "m: is no valid safetensors file: " + row.why + "; copy or export it again");
  }
}

TEST(Safetensors, RefusesATypeThatHoldsNoWeights) {
  const TemporaryFolder folder;
  const std::string path = folder.write("m", with(one(R"("I64")", "[1]", "[0,8]"), 8));
  EXPECT_EQ(folder.message([&] { load_safetensors(path); }),
            "m: tensor 'a' holds I64, and weights are F32, F64, F16 or BF16; convert it, or leave "
            "it out");
}

TEST(Safetensors, RefusesTooManyTensors) {
  const TemporaryFolder folder;
  std::string many = "{";
  for (int i = 0; i <= 250'000; ++i) {
    if (i > 0) many += ",";
    many += entry(std::to_string(i), "[0]", "[0,0]");
  }
  const std::string path = folder.write("m", with(many + "}"));
  EXPECT_EQ(
      folder.message([&] { load_safetensors(path); }),
      "m: is no valid safetensors file: it has more than 250000 tensors; copy or export it again");
}

TEST(Safetensors, RefusesWhatIsNoFile) {
  const TemporaryFolder folder;
  EXPECT_EQ(folder.message([&] { load_safetensors(folder.path("nowhere")); }),
            "nowhere: cannot be opened: No such file or directory");
  EXPECT_EQ(folder.message([&] { load_safetensors(folder.path(".")); }), ".: is not a file");
  ASSERT_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(folder.message([&] { load_safetensors(folder.path("pipe")); }), "pipe: is not a file")
      << "and is not waited for";
}

TEST(Safetensors, RefusesEveryTruncationAndSurvivesEveryFlippedBit) {
  const TemporaryFolder folder;
  save_safetensors(folder.path("m"), std::vector<NamedTensor>{{"w", Tensor({3}, {1, -2, 3})}}, {});
  const std::string good = bytes_of(folder.path("m"));
  for (std::size_t n = 0; n < good.size(); ++n)
    EXPECT_THROW(load_safetensors(folder.write("c", good.substr(0, n))), Error) << n;
  const std::size_t elements = 3 * sizeof(Real);  // no check covers their bits
  for (std::size_t bit = 0; bit < 8 * (good.size() - elements); ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    try {
      // No error is right where the bit changes a letter of a name.
      load_safetensors(folder.write("c", bad));
    } catch (const Error& error) {
      EXPECT_TRUE(std::string_view(error.what()).starts_with(folder.path("c: "))) << error.what();
    }
  }
}

/// Loads a file in a child process that may take `more` bytes of memory. The child is needed
/// because the allocator never gives memory back. The result is
/// - 0 when the file was loaded,
/// - 1 when it was refused,
/// - 2 when memory ran out.
int loads_within(const std::string& path, std::size_t more) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::ifstream statm("/proc/self/statm");
    std::size_t pages = 0;
    statm >> pages;
    const rlim_t most = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + more;
    const rlimit limit{most, most};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) ::_exit(3);
    try {
      load_safetensors(path);
    } catch (const Error&) {
      ::_exit(1);
    } catch (const std::bad_alloc&) {
      ::_exit(2);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

TEST(Safetensors, NeedsLittleMoreMemoryThanItsFile) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take address space of their own";
#endif
  const TemporaryFolder folder;
  constexpr std::size_t slack = std::size_t{64} << 20;
  const std::string path = folder.path("m");
  save_safetensors(path,
                   std::vector<NamedTensor>{{"a", Tensor::zeros({3000, 2000})},
                                            {"b", Tensor::zeros({2000, 1000})},
                                            {"c", Tensor::zeros({5})}},
                   {});
  EXPECT_EQ(loads_within(path, 3 * std::filesystem::file_size(path) + slack), 0);
  // Half precision takes twice its size in memory.
  const std::string half =
      folder.write("h", with(one(R"("BF16")", "[4000000]", "[0,8000000]"), 8000000));
  EXPECT_EQ(loads_within(half, 3 * std::filesystem::file_size(half) + slack), 0);
  // A header that claims more elements than the file holds.
  const std::string liar =
      folder.write("l", with(one(R"("F32")", "[2500000000]", "[0,10000000000]"), 8));
  EXPECT_EQ(loads_within(liar, slack), 1);
  // Metadata of many short entries.
  std::string entries = R"({"__metadata__":{"":"")";
  for (int i = 0; i < 1'000'000; ++i)
    entries += ",\"" + std::to_string(i) + "\":\"\"";
  const std::string wide = folder.write("w", with(entries + "}}"));
  EXPECT_EQ(loads_within(wide, 3 * std::filesystem::file_size(wide) + slack), 1);
}

}  // namespace
}  // namespace heed
