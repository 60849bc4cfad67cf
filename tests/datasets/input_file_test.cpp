#include "datasets/text/internal/input_file.h"

#include <cstdlib>
#include <limits>

#include <gtest/gtest.h>
#include <zlib.h>

#include "datasets/text/internal/line_reader.h"
#include "datasets/text/pairs.h"
#include "datasets/text/text_file.h"
#include "tests/datasets/gzip.h"
#include "tests/datasets/temporary.h"

namespace heed {

std::string gzip(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    std::abort();
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

namespace {

using namespace std::string_literals;

struct Packed {
  const char* name;
  std::string bytes;
  std::string text;
};

TEST(Gzip, IsReadAsIfItWerePlain) {
  std::string large;
  for (int i = 0; i < 60'000; ++i)
    large += fmt::format("line {} of many\n", i * 7919 % 100'003);
  const Packed rows[]{
      {"one member", gzip("one\r\ntwo\n"), "one\ntwo\n"},
      {"two members", gzip("one\ntw") + gzip("o\nthree"), "one\ntwo\nthree"},
      {"an empty member between", gzip("one\n") + gzip("") + gzip("two\n"), "one\ntwo\n"},
      {"zeros behind", gzip("one\n") + std::string(100, '\0'), "one\n"},
      {"zeros between", gzip("one\n") + std::string(3, '\0') + gzip("two\n"), "one\ntwo\n"},
      {"a byte order mark inside", gzip("\xEF\xBB\xBFone\n"), "one\n"},
      {"larger than a chunk", gzip(large), large},
      {"many members",
       [] {
         std::string bytes;
         for (int i = 0; i < 5000; ++i)
           bytes += gzip("x\n");
         return bytes;
       }(),
       [] {
         std::string text;
         for (int i = 0; i < 5000; ++i)
           text += "x\n";
         return text;
       }()},
  };
  const TemporaryFolder folder;
  for (const Packed& row : rows)
    for (const char* name : {"file.gz", "file"})
      EXPECT_EQ(read_text(folder.write(name, row.bytes)), row.text) << row.name;
  EXPECT_EQ(read_lines(folder.write("plain.gz", "not packed\n")),
            std::vector<std::string>{"not packed"});
}

TEST(Gzip, DamageIsTold) {
  std::string good = gzip("one\ntwo\nthree\n");
  std::string wrong_sum = good;
  std::string wrong_size = good;
  std::string wrong_method = good;
  std::string wrong_data = good;
  wrong_sum[good.size() - 8] ^= 1;
  wrong_size[good.size() - 4] ^= 1;
  wrong_method[2] = 7;
  wrong_data[10] = '\xFF';
  const std::string again = "; copy or download it again";
  const std::pair<std::string, std::string> rows[]{
      {good.substr(0, good.size() - 1),
       fmt::format("f.gz: ends in the middle of its gzip data, after {} bytes", good.size() - 1)},
      {good.substr(0, 2), "f.gz: ends in the middle of its gzip data, after 2 bytes"},
      {good.substr(0, 14), "f.gz: ends in the middle of its gzip data, after 14 bytes"},
      {good + good.substr(0, 5),
       fmt::format("f.gz: ends in the middle of its gzip data, after {} bytes", good.size() + 5)},
      {wrong_sum,
       fmt::format("f.gz: damaged gzip near byte {} (incorrect data check)", good.size() - 4)},
      {wrong_size,
       fmt::format("f.gz: damaged gzip near byte {} (incorrect length check)", good.size())},
      {wrong_method, "f.gz: damaged gzip near byte 4 (unknown compression method)"},
      {wrong_data, "f.gz: damaged gzip near byte 11 (invalid block type)"},
      {good + "tail", fmt::format("f.gz: damaged gzip near byte {} (no gzip data from there on)",
                                  good.size() + 1)},
  };
  const TemporaryFolder folder;
  for (const auto& [bytes, message] : rows) {
    const std::string path = folder.write("f.gz", bytes);
    EXPECT_EQ(folder.message([&] { read_text(path); }), message + again);
  }
  EXPECT_EQ(folder.message([&] { read_text(folder.write("f.gz", gzip(""))); }),
            "f.gz: is empty; expected at least one line of text");
  EXPECT_EQ(folder.message([&] { read_text(folder.write("f.gz", gzip("a\nb\xFF\n"))); }),
            "f.gz:2: malformed UTF-8 at byte 2 of the line (0xFF); save the file as UTF-8");
}

// A tenth of a MiB decompresses to a tenth of a GiB. Lines are read from disk, and a line without
// an end is refused.
TEST(Gzip, ABombIsNoLine) {
  const TemporaryFolder folder;
  const std::string path = folder.write("bomb.gz", gzip(std::string(100 << 20, 'x')));
  EXPECT_LT(std::filesystem::file_size(path), 1u << 20);
  const InputFile file(path);
  LineReader reader(file);
  std::string_view line;
  EXPECT_EQ(folder.message([&] { reader.next(line); }),
            "bomb.gz:1: is longer than 4 MiB; is this a text with a pair a line? break it up or "
            "leave it out");
}

TEST(InputFile, SaysWhatItCannotRead) {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& bytes) {
    return folder.message([&] { InputFile(folder.write("f", bytes)); });
  };
  EXPECT_EQ(message("\xFD"s + "7zXZ\0"s),
            "f: is packed by xz; unpack it (xz -d) or pack it by gzip");
  EXPECT_EQ(message("\x28\xB5\x2F\xFD..."),
            "f: is packed by zstd; unpack it (zstd -d) or pack it by gzip");
  EXPECT_EQ(message("BZh91AY&SY..."),
            "f: is packed by bzip2; unpack it (bzip2 -d) or pack it by gzip");
  EXPECT_EQ(message("PK\x03\x04..."), "f: is a zip archive; unpack it and name the files in it");
  EXPECT_EQ(message("\xFF\xFEh\0i\0"s), "f: is UTF-16; save it as UTF-8");
  EXPECT_EQ(message("\xFE\xFF\0h\0i"s), "f: is UTF-16; save it as UTF-8");
  EXPECT_EQ(message("\xFF\xFE\0\0h\0\0\0"s), "f: is UTF-32; save it as UTF-8");
  EXPECT_EQ(message("\0\0\xFE\xFF\0\0\0h"s), "f: is UTF-32; save it as UTF-8");
  EXPECT_EQ(message("h\0i\0\n\0"s), "f: is UTF-16; save it as UTF-8");
  EXPECT_EQ(message("\0h\0i\0\n"s), "f: is UTF-16; save it as UTF-8");
  EXPECT_EQ(message("BZhang is a name\n"), "no error");
  EXPECT_EQ(folder.message([] { InputFile("/dev/null"); }),
            "/dev/null: is a device; name a text file");
}

TEST(InputFile, SaysWhereThereIsNoRoom) {
  const TemporaryFolder folder;
  const std::string path = folder.write("f.gz", gzip("one\n"));
  const char* before = std::getenv("TMPDIR");
  const std::string kept = before ? before : "";
  setenv("TMPDIR", folder.path("nowhere").c_str(), 1);
  const std::string message = folder.message([&] { InputFile file(path); });
  before ? setenv("TMPDIR", kept.c_str(), 1) : unsetenv("TMPDIR");
  EXPECT_TRUE(
      message.starts_with("f.gz: must be unpacked into a temporary file, and TMPDIR takes none ("))
      << message;
  EXPECT_TRUE(message.ends_with("); set TMPDIR to a folder that does")) << message;
}

const std::string of_an_old_mac =
    R"(: its lines end in carriage returns alone, as on old Macs; write line feeds (tr '\r' '\n'))";

TEST(LineReader, SaysWhatHasNoLines) {
  const std::string mac = "f" + of_an_old_mac;
  const std::pair<std::string, std::string> rows[]{
      {"one\rtwo\rthree\r", mac},
      {"one\rtwo", mac},
      {"one\rtwo\rthree\n", mac},
      {"one\r\rtwo\r", mac},
      {gzip("one\rtwo\r"), mac},
      {"one\n\rtwo\rthree\rfour\rfive\r", mac},
      {"one\r", "no error"},
      {"one\rtwo\n", "no error"},
      {"one\r\ntwo\r\n", "no error"},
      {"one\r\r\ntwo\r\r\n", "no error"},
      {"a\rstray\nbetween\nlines\n", "no error"},
      {gzip("\xFF\xFEh\0i\0"s), "f: is UTF-16; save it as UTF-8"},
      {gzip(gzip("one\n")), "f: is packed by gzip; unpack it (gzip -d)"},
      {gzip("\x28\xB5\x2F\xFD..."), "f: is packed by zstd; unpack it (zstd -d)"},
  };
  const TemporaryFolder folder;
  for (const auto& [bytes, message] : rows) {
    const std::string path = folder.write("f", bytes);
    EXPECT_EQ(folder.message([&] { read_text(path); }), message) << bytes;
    EXPECT_EQ(folder.message([&] { read_lines(path); }), message) << bytes;
  }
}

// Binary files hold carriage returns too, and advice to change them would damage such files.
TEST(LineReader, CallsNoBinaryFileATextOfOldMacs) {
  const TemporaryFolder folder;
  for (const std::string& bytes : {"a\rb\0c\rd"s, "a\rb\xFF\xFE\xFF\rccccccc\rd"s}) {
    const std::string path = folder.write("f", bytes);
    const std::string message = folder.message([&] { read_lines(path); });
    EXPECT_EQ(message.find("old Macs"), std::string::npos) << message;
  }
}

// For each format of pairs.
TEST(LineReader, SaysWhatHasNoLinesToEveryReaderOfPairs) {
  const TemporaryFolder folder;
  const auto message = [&](std::vector<std::string> paths) {
    return folder.message([&] { open_pairs(paths, {}, Split::train, 1); });
  };
  const std::string good = folder.write("good", "one\ntwo\n");
  const std::string mac = folder.write("mac", "one\rtwo\r");
  EXPECT_EQ(message({good, mac}), "mac" + of_an_old_mac);
  EXPECT_EQ(message({mac, mac}), "mac" + of_an_old_mac);
  EXPECT_EQ(message({folder.write("mac.tsv", "a\tb\rc\td\r")}), "mac.tsv" + of_an_old_mac);
  const std::string object = R"({"source": "a", "target": "b"})";
  EXPECT_EQ(message({folder.write("mac.jsonl", object + "\r" + object + "\r")}),
            "mac.jsonl" + of_an_old_mac);
}

TEST(LineReader, GoesOnFromAnyLine) {
  const TemporaryFolder folder;
  std::string text = "\xEF\xBB\xBF";
  for (int i = 0; i < 40'000; ++i)
    text += fmt::format("{}\r\n", i);
  const InputFile file(folder.write("f", text));
  LineReader reader(file);
  std::string_view line;
  std::vector<std::int64_t> offsets;
  for (int i = 0; i < 40'000; ++i) {
    offsets.push_back(reader.offset());
    ASSERT_TRUE(reader.next(line));
    ASSERT_EQ(line, fmt::format("{}", i));
    ASSERT_EQ(reader.number(), i + 1);
  }
  EXPECT_FALSE(reader.next(line));
  EXPECT_FALSE(reader.next(line));
  for (const int i : {39'999, 0, 20'000, 20'001, 19'999, 1, 0, 39'000}) {
    reader.seek(offsets[static_cast<std::size_t>(i)], i);
    ASSERT_TRUE(reader.next(line));
    EXPECT_EQ(line, fmt::format("{}", i));
    EXPECT_EQ(reader.number(), i + 1);
  }
}

TEST(LineReader, BoundsTheLength) {
  const TemporaryFolder folder;
  const InputFile file(
      folder.write("f", std::string(100'000, 'x') + "\n" + std::string(100'001, 'y') + "\nz"));
  std::string_view line;
  LineReader wide(file, 100'001);
  LineReader narrow(file, 100'000);
  EXPECT_TRUE(wide.next(line) && wide.next(line) && wide.next(line));
  EXPECT_EQ(line, "z");
  EXPECT_TRUE(narrow.next(line));
  EXPECT_EQ(
      folder.message([&] { narrow.next(line); }),
      "f:2: is longer than 0 MiB; is this a text with a pair a line? break it up or leave it out");
}

}  // namespace
}  // namespace heed
