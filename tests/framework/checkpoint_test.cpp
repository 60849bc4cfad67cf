#include "framework/checkpoint.h"

#include <cstring>
#include <functional>
#include <limits>
#include <sstream>

#include <gtest/gtest.h>
#include <xxhash.h>

#include "framework/files.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

Checkpoint sample() {
  Checkpoint c;
  c.tensors = {{"b", Tensor({2, 3}, {1, 2, 3, 4, 5, Real(0.1)})},
               {"a", Tensor({}, {7})},
               {"none", Tensor(Shape{0, 4})}};
  c.text = {{"config", "d = 8\n"}, {"empty", ""}};
  c.numbers = {{"least", std::numeric_limits<std::int64_t>::min()}, {"step", 12}};
  c.reals = {{"loss", 0.1}, {"endless", std::numeric_limits<double>::infinity()}};
  c.lists = {{"data", {3, -1, std::int64_t{1} << 40}}, {"nothing", {}}};
  return c;
}

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string little_endian(std::uint64_t x) {
  std::string s(8, '\0');
  for (int i = 0; i < 8; ++i)
    s[static_cast<std::size_t>(i)] = static_cast<char>(x >> (8 * i));
  return s;
}

std::uint64_t hash(const std::string& bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

/// A header of any version and length whose checksum is right.
std::string header(std::uint64_t version, std::uint64_t length, std::uint64_t payload_hash = 0) {
  const std::string first =
      "HEEDCKPT" + little_endian(version) + little_endian(length) + little_endian(payload_hash);
  return first + little_endian(hash(first));
}

/// A file of any payload, whose length and checksums are right.
std::string sealed(const std::string& payload) {
  return header(2, payload.size(), hash(payload)) + payload;
}

/// The same in format 1, whose header has no checksum.
std::string sealed_first(const std::string& payload) {
  return header(1, payload.size(), hash(payload)).substr(0, 32) + payload;
}

/// The two ways to read a checkpoint: from a file of these bytes, and from the bytes alone.
struct Reading {
  const char* name;
  std::function<Checkpoint(const TemporaryFolder&, const std::string& file, const std::string&)>
      load;
};
const Reading readings[] = {
    {"file", [](const TemporaryFolder& folder, const std::string& file,
                const std::string& bytes) { return load(folder.write(file, bytes)); }},
    {"memory", [](const TemporaryFolder&, const std::string& file,
                  const std::string& bytes) { return load_bytes(bytes, file); }},
};

struct Pairing {
  Parameter a{Tensor({2}, {1, 2})};
  Parameter b{Tensor({1, 2}, {3, 4})};
  Parameter again = a.share();
  void visit(Visitor& v) {
    v("a", a);
    v("b", b);
    v("again", again);
  }
};

TEST(Checkpoint, ReturnsWhatWasPut) {
  const TemporaryFolder folder;
  save(sample(), folder.path("c.heed"));
  const Checkpoint found = load(folder.path("c.heed"));
  EXPECT_EQ(difference(found, sample()), "");
  ASSERT_EQ(found.tensors.size(), 3u);
  EXPECT_EQ(found.tensors[0].name, "b") << "in the order put";
  EXPECT_EQ(to_string(found.tensors[2].tensor.shape()), "(0, 4)");
  EXPECT_EQ(found.number("step"), 12);
  EXPECT_EQ(found.find("nowhere"), nullptr);
  EXPECT_THROW(found.real("nowhere"), Error);
  EXPECT_FALSE(std::filesystem::exists(folder.path("c.heed.partial")));
}

TEST(Checkpoint, OwnsWhatItReadFromMemory) {
  const TemporaryFolder folder;
  save(sample(), folder.path("c.heed"));
  const std::string whole = bytes_of(folder.path("c.heed"));
  for (const std::string& bytes : {whole, sealed_first(whole.substr(40))}) {
    for (const std::size_t offset : {0, 1, 3}) {  // the bytes may lie at any address
      std::string padded = std::string(offset, 'x') + bytes;
      const Checkpoint found = load_bytes(std::string_view(padded).substr(offset), "c");
      std::fill(padded.begin(), padded.end(), '\xFF');
      EXPECT_EQ(difference(found, sample()), "") << offset;
    }
  }
}

TEST(Checkpoint, ReturnsNothingAndMuch) {
  const TemporaryFolder folder;
  save({}, folder.path("empty.heed"));
  EXPECT_EQ(difference(load(folder.path("empty.heed")), {}), "");
  EXPECT_EQ(difference(load_bytes(bytes_of(folder.path("empty.heed")), "empty"), {}), "");
  Checkpoint large;
  for (int i = 0; i < 5; ++i) {
    Tensor x({1000, 91});
    for (Index j = 0; j < x.size(); ++j)
      x[j] = static_cast<Real>(j + i);
    large.tensors.push_back({"x" + std::to_string(i), x});
  }
  large.text["long"] = std::string(200000, 'x');
  save(large, folder.path("large.heed"));
  EXPECT_EQ(difference(load(folder.path("large.heed")), large), "");
  EXPECT_EQ(difference(load_bytes(bytes_of(folder.path("large.heed")), "large"), large), "");
}

TEST(Checkpoint, IsLittleEndianWithFixedWidths) {
  const TemporaryFolder folder;
  Checkpoint c;
  c.numbers["n"] = 258;
  save(c, folder.path("c.heed"));
  const std::string bytes = bytes_of(folder.path("c.heed"));
  // The archive's mark of little-endian, then text, numbers {"n": 258}, reals, lists and tensors,
  // each after its 64-bit count.
  const std::string payload = std::string("\1", 1) + std::string(8, '\0') +
                              std::string("\1\0\0\0\0\0\0\0", 8) +
                              std::string("\1\0\0\0\0\0\0\0n", 9) +
                              std::string("\2\1\0\0\0\0\0\0", 8) + std::string(24, '\0');
  EXPECT_EQ(bytes, sealed(payload));
}

TEST(Checkpoint, ConvertsTheOtherPrecision) {
  const TemporaryFolder folder;
  const std::string zeros(8, '\0');
  const std::string one("\1\0\0\0\0\0\0\0", 8);
  const std::string two("\2\0\0\0\0\0\0\0", 8);
  const auto with = [&](char bits, const std::string& elements) {
    return sealed("\1" + zeros + zeros + zeros + zeros + one + one + "x" + std::string(1, bits) +
                  std::string(7, '\0') + one + two + elements);
  };
  const float floats[] = {0.5f, -3.0f};
  const double doubles[] = {0.5, -3.0};
  for (const std::string& bytes :
       {with(32, std::string(reinterpret_cast<const char*>(floats), sizeof floats)),
        with(64, std::string(reinterpret_cast<const char*>(doubles), sizeof doubles))}) {
    for (const Reading& reading : readings) {
      const Checkpoint c = reading.load(folder, "c.heed", bytes);
      ASSERT_NE(c.find("x"), nullptr) << reading.name;
      EXPECT_EQ(c.find("x")->to_vector(), (std::vector<Real>{Real(0.5), Real(-3)}));
    }
  }
}

/// Reads every truncation, extension and flipped bit of a whole checkpoint.
void expect_damage_is_noticed(const Reading& reading, const std::string& whole,
                              bool sealed_header) {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& bytes) {
    return folder.message([&] { reading.load(folder, "damaged.heed", bytes); });
  };
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(message(whole.substr(0, length)).find("damaged.heed: truncated: "), std::string::npos)
        << reading.name << length;
    EXPECT_EQ(message(whole + whole.substr(0, length + 1)),
              fmt::format("damaged.heed: extended: {} bytes follow its end; use another checkpoint",
                          length + 1))
        << reading.name;
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string changed = whole;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    const std::string text = message(changed);
    EXPECT_EQ(text.rfind("damaged.heed: ", 0), 0u) << reading.name << bit << ": " << text;
    EXPECT_EQ(text.find('\n'), std::string::npos);
    EXPECT_TRUE(!sealed_header || bit < 64 || text.find(": damaged: ") != std::string::npos)
        << reading.name << bit << ": " << text;
  }
}

TEST(Checkpoint, NoticesEveryTruncationAndEveryBit) {
  const TemporaryFolder folder;
  Checkpoint small;
  small.tensors = {{"w", Tensor({2}, {1, Real(0.1)})}};
  small.numbers = {{"step", 12}};
  save(small, folder.path("whole.heed"));
  const std::string second = bytes_of(folder.path("whole.heed"));
  const std::string first = sealed_first(second.substr(40));
  for (const Reading& reading : readings) {
    EXPECT_EQ(difference(reading.load(folder, "first.heed", first), small), "") << reading.name;
    expect_damage_is_noticed(reading, second, true);
    expect_damage_is_noticed(reading, first, false);
  }
}

struct WrongFile {
  std::string bytes;
  std::string message;
};

void expect_messages(const std::vector<WrongFile>& rows) {
  const TemporaryFolder folder;
  for (const WrongFile& row : rows)
    for (const Reading& reading : readings)
      EXPECT_EQ(folder.message([&] { reading.load(folder, "c.heed", row.bytes); }),
                "c.heed: " + row.message)
          << reading.name;
}

TEST(Checkpoint, SaysWhatIsWrongWithAFile) {
  const TemporaryFolder folder;
  save(sample(), folder.path("whole.heed"));
  const std::string whole = bytes_of(folder.path("whole.heed"));
  const std::string size = std::to_string(whole.size() - 40);
  const auto changed = [&](std::size_t at, char to) {
    std::string result = whole;
    result[at] = to;
    return result;
  };
  const auto flipped = [&](std::size_t at) {
    return changed(at, static_cast<char>(whole[at] ^ 1));
  };
  // clang-format off
  expect_messages({
    {"", "truncated: 0 bytes are left; use another checkpoint"},
    {"HEEDCK", "truncated: 6 bytes are left; use another checkpoint"},
    {"d = 8\n", "is not a Heed checkpoint"},
    {changed(0, 'h'), "is not a Heed checkpoint"},
    {changed(8, 3), "damaged: the checksum of its header does not match; use another checkpoint"},
    {changed(16, 3), "damaged: the checksum of its header does not match; use another checkpoint"},
    {header(3, 0), "is of format 3, and this Heed reads formats 1 to 2; use a newer Heed"},
    {header(0, 0), "is of format 0, which there never was; use another checkpoint"},
    {header(std::uint64_t{2} << 56, std::uint64_t{8} << 56) + "12345678",
     "its numbers have their bytes in the other order (big-endian); Heed writes them "
     "little-endian; use another checkpoint"},
    {header(2, std::uint64_t{1} << 63),
     "truncated: 0 of 9223372036854775808 bytes are left; use another checkpoint"},
    {header(2, ~std::uint64_t{0}),
     "truncated: 0 of 18446744073709551615 bytes are left; use another checkpoint"},
    {header(1, ~std::uint64_t{0}).substr(0, 32),
     "truncated: 0 of 18446744073709551615 bytes are left; use another checkpoint"},
    {whole.substr(0, 48), "truncated: 8 of " + size + " bytes are left; use another checkpoint"},
    {whole + "xy", "extended: 2 bytes follow its end; use another checkpoint"},
    {flipped(24),
     "damaged: the checksum of its header does not match; use another checkpoint"},
    {flipped(60),
     "damaged: its checksum does not match; use another checkpoint"},
  });
  // clang-format on
  EXPECT_EQ(folder.message([&] { load(folder.path("absent.heed")); }),
            "absent.heed: cannot be opened: No such file or directory");
  EXPECT_NE(folder.message([&] { load(folder.path("")); }), "no error") << "a folder";
}

/// A payload begins with the mark of little-endian and four maps: text, numbers, reals and lists.
/// Then come the tensors. Each has a name, the bits of a number, its extents and its elements, and
/// each list is after its count.
TEST(Checkpoint, SaysWhatIsWrongWithAPayload) {
  const std::string zeros(8, '\0');
  const std::string seven(7, '\0');
  const std::string one = little_endian(1);
  const std::string two = little_endian(2);
  const std::string bits = little_endian(32);
  const std::string huge("\0\0\0\0\0\0\0\x40", 8);
  const std::string no_maps = "\1" + zeros + zeros + zeros + zeros;
  // clang-format off
  expect_messages({
    {sealed(""), "malformed: it ends within an item; use another checkpoint"},
    {sealed("\1" + zeros), "malformed: it ends within an item; use another checkpoint"},
    {sealed("\1" + huge),
     "malformed: claims 4611686018427387904 items of 1 bytes where 0 bytes are left; use another "
     "checkpoint"},
    {sealed(no_maps + zeros + "x"), "malformed: 1 bytes are left over; use another checkpoint"},
    {sealed("\1" + two + one + "a" + zeros + one + "a" + zeros),
     "malformed: entry a stands twice; use another checkpoint"},
    {sealed(no_maps + two + one + "x" + bits + one + zeros + one + "x" + bits + one + zeros),
     "malformed: tensor x stands twice; use another checkpoint"},
    {sealed(no_maps + one + one + "x" + "\x20" + seven + one + huge),
     "malformed: tensor x claims more elements than there are; use another checkpoint"},
    {sealed(no_maps + one + one + "x" + "\x20" + seven + "\2" + seven + zeros + huge),
     "malformed: tensor x claims more elements than there are; use another checkpoint"},
    {sealed(no_maps + one + one + "x" + "\x21" + seven + zeros),
     "malformed: tensor x claims numbers of 33 bits; use another checkpoint"},
    {sealed(no_maps + one + one + "x" + "\x20" + seven + zeros),
     "malformed: tensor x claims more elements than there are; use another checkpoint"},
  });
  // clang-format on
}

TEST(Checkpoint, LeavesTheOldFileWhenItCannotWrite) {
  const TemporaryFolder folder;
  save(sample(), folder.path("c.heed"));
  Checkpoint broken = sample();
  broken.tensors.push_back({"x", {}});
  EXPECT_EQ(folder.message([&] { save(broken, folder.path("c.heed")); }),
            "[save] tensor x is undefined");
  EXPECT_EQ(difference(load(folder.path("c.heed")), sample()), "");
  std::filesystem::create_directory(folder.path("taken"));
  EXPECT_EQ(folder.message([&] { save(sample(), folder.path("taken")); }),
            "taken: cannot be written: Is a directory; the old file is left as it was");
  EXPECT_FALSE(std::filesystem::exists(folder.path("taken.partial")));
  EXPECT_EQ(
      folder.message([&] { save(sample(), folder.path("nowhere/c.heed")); }),
      "nowhere/c.heed: cannot be written: No such file or directory; there is no such folder");
}

TEST(Checkpoint, DoesNotWriteThroughWhatAKilledProcessLeft) {
  const TemporaryFolder folder;
  save(sample(), folder.path("1.heed"));
  // A process that was killed before the rename leaves such a file.
  std::filesystem::create_hard_link(folder.path("1.heed"), folder.path("last.heed.partial"));
  save({}, folder.path("last.heed"));
  EXPECT_EQ(difference(load(folder.path("1.heed")), sample()), "");
  EXPECT_EQ(difference(load(folder.path("last.heed")), {}), "");
}

TEST(Checkpoint, HasSeveralNames) {
  const TemporaryFolder folder;
  Checkpoint first = sample();
  Checkpoint second = sample();
  second.numbers["step"] = 13;
  save(first, folder.path("1.heed"));
  save(second, folder.path("2.heed"));
  for (const char* target : {"1.heed", "2.heed", "2.heed"}) {
    replace_by_link(folder.path(target), folder.path("last.heed"));
    EXPECT_EQ(difference(load(folder.path("last.heed")), load(folder.path(target))), "");
    EXPECT_FALSE(std::filesystem::exists(folder.path("last.heed.partial")));
  }
  // Saving writes a new file: the other name keeps the old one.
  save(first, folder.path("2.heed"));
  EXPECT_EQ(load(folder.path("last.heed")).number("step"), 13);
}

TEST(Checkpoint, TakesParametersByName) {
  Pairing model;
  Pairing other;
  other.a.value()[0] = 9;
  Checkpoint c;
  put(c, "model.", other);
  EXPECT_EQ(c.tensors.size(), 2u) << "a shared parameter once";
  take(c, "model.", model);
  EXPECT_EQ(model.a.value()[0], 9);
  EXPECT_EQ(model.again.value()[0], 9);
  EXPECT_NE(model.a.value().data(), other.a.value().data());
}

TEST(Checkpoint, ChangesNothingUnlessEverythingFits) {
  Pairing model;
  const struct {
    std::vector<NamedTensor> tensors;
    const char* message;
  } rows[] = {
      {{}, "missing: a, b"},
      {{{"m.a", Tensor({2}, {5, 6})}, {"m.b", Tensor({2}, {5, 6})}},
       "of another shape: b is (2,) and should be (1, 2)"},
      {{{"m.a", Tensor({2}, {5, 6})},
        {"m.b", Tensor({1, 2}, {5, 6})},
        {"m.c", Tensor({}, {5})},
        {"other", Tensor({}, {5})}},
       "not expected: c"},
      {{{"m.a", Tensor({1}, {5})}, {"m.x", Tensor({}, {5})}},
       "missing: b; of another shape: a is (1,) and should be (2,); not expected: x"},
  };
  for (const auto& row : rows) {
    Checkpoint c;
    c.tensors = row.tensors;
    try {
      take(c, "m.", model);
      ADD_FAILURE() << row.message;
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), std::string("the checkpoint does not fit the model: ") + row.message);
    }
    EXPECT_EQ(model.a.value().to_vector(), (std::vector<Real>{1, 2}));
    EXPECT_EQ(model.b.value().to_vector(), (std::vector<Real>{3, 4}));
  }
}

TEST(Checkpoint, TellsTheFirstDifference) {
  const auto changed = [](auto change) {
    Checkpoint c = sample();
    for (NamedTensor& x : c.tensors)
      x.tensor = x.tensor.clone();
    change(c);
    return difference(sample(), c);
  };
  EXPECT_EQ(changed([](Checkpoint& c) { c.numbers["step"] = 13; }), "number step: 12 and 13");
  EXPECT_EQ(changed([](Checkpoint& c) { c.text.erase("empty"); }), "text empty: only in the first");
  EXPECT_EQ(changed([](Checkpoint& c) { c.reals["x"] = 1; }), "real x: only in the second");
  EXPECT_EQ(changed([](Checkpoint& c) { c.tensors[0].tensor[3] = Real(4.5); }),
            "tensor b: 4 and 4.5 at element 3");
  EXPECT_EQ(changed([](Checkpoint& c) {
              c.tensors[1].tensor = Tensor({1, 1}, {7});
            }),
            "tensor a: () and (1, 1)");
}

}  // namespace
}  // namespace heed
