// Pictures: their files, their sizes, and the data that name them.

#include <array>
#include <cstdio>
#include <map>

#include <gtest/gtest.h>
// jpeglib.h needs FILE before it.
#include <jpeglib.h>
#include <zlib.h>

#include "datasets/images/picture_file.h"
#include "datasets/images/picture_pairs.h"
#include "datasets/images/picture_reader.h"
#include "datasets/text/batching.h"
#include "datasets/text/labels.h"
#include "tests/datasets/gzip.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

using Bytes = std::vector<std::uint8_t>;

Picture grey(Index height, Index width, Bytes bytes) {
  return {.height = height, .width = width, .channels = 1, .bytes = std::move(bytes)};
}

std::span<const std::uint8_t> span_of(const std::string& bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

TEST(Pictures, AreResizedByAreaOrBetweenNeighbours) {
  struct Row {
    Picture from;
    Index height;
    Index width;
    Bytes bytes;
  };
  for (const Row& row :
       std::vector<Row>{{grey(2, 2, {0, 100, 200, 40}), 2, 2, {0, 100, 200, 40}},
                        // The centre is as far from all four.
                        {grey(2, 2, {0, 100, 200, 40}), 1, 1, {85}},
                        // Centres of 4 pixels over 2: at -1/4, 1/4, 3/4, 5/4 of the first.
                        {grey(1, 2, {0, 100}), 1, 4, {0, 25, 75, 100}},
                        // 3/4 of the two pixels within, 1/4 of the next: 25 / 1.75 and 150 / 1.75.
                        {grey(1, 4, {0, 0, 100, 100}), 1, 2, {14, 86}},
                        {grey(1, 1, {7}), 2, 3, {7, 7, 7, 7, 7, 7}}})
    EXPECT_EQ(resized(row.from, row.height, row.width), grey(row.height, row.width, row.bytes))
        << row.height << " x " << row.width;
}

TEST(Pictures, BecomeGreyByWhatTheEyeSees) {
  const Picture colour{
      .height = 1, .width = 3, .channels = 3, .bytes = {255, 0, 0, 0, 255, 0, 10, 10, 10}};
  EXPECT_EQ(with_channels(colour, 1), grey(1, 3, {76, 150, 10}));  // 255 x 0.299, 255 x 0.587
  EXPECT_EQ(with_channels(grey(1, 1, {9}), 3).bytes, (Bytes{9, 9, 9}));
}

TEST(Pictures, AreShiftedAndMirrored) {
  const Picture picture = grey(2, 3, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(shifted(picture, 1, 0), grey(2, 3, {1, 2, 3, 1, 2, 3}));
  EXPECT_EQ(shifted(picture, 0, -1), grey(2, 3, {2, 3, 3, 5, 6, 6}));
  EXPECT_EQ(shifted(picture, -5, 5), grey(2, 3, {4, 4, 4, 4, 4, 4}));
  EXPECT_EQ(mirrored(picture), grey(2, 3, {3, 2, 1, 6, 5, 4}));
}

/// The bytes of a JPEG file, which libjpeg writes.
std::string jpeg_of(const Picture& picture) {
  jpeg_compress_struct state{};
  jpeg_error_mgr errors{};
  state.err = jpeg_std_error(&errors);
  jpeg_create_compress(&state);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&state, &bytes, &size);
  state.image_width = static_cast<JDIMENSION>(picture.width);
  state.image_height = static_cast<JDIMENSION>(picture.height);
  state.input_components = static_cast<int>(picture.channels);
  state.in_color_space = picture.channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
  jpeg_set_defaults(&state);
  jpeg_set_quality(&state, 100, TRUE);
  jpeg_start_compress(&state, TRUE);
  Bytes copy = picture.bytes;
  while (state.next_scanline < state.image_height) {
    JSAMPROW row = copy.data() + state.next_scanline * picture.width * picture.channels;
    jpeg_write_scanlines(&state, &row, 1);
  }
  jpeg_finish_compress(&state);
  std::string written(reinterpret_cast<char*>(bytes), size);
  jpeg_destroy_compress(&state);
  std::free(bytes);
  return written;
}

/// A picture that grows brighter to the right.
Picture ramp(Index channels) {
  Picture picture{.height = 9, .width = 11, .channels = channels};
  for (Index i = 0; i < 9 * 11 * channels; ++i)
    picture.bytes.push_back(static_cast<std::uint8_t>(20 * (i / channels % 11)));
  return picture;
}

TEST(Pictures, AreReadFromPngAndJpeg) {
  for (const Index channels : {1, 3}) {
    const Picture picture = ramp(channels);
    EXPECT_EQ(decode_picture(span_of(png_of(picture)), "a.png"), picture);
    const Picture read = decode_picture(span_of(jpeg_of(picture)), "a.jpg");
    ASSERT_EQ(read.channels, channels);
    ASSERT_EQ(read.bytes.size(), picture.bytes.size());
    for (std::size_t i = 0; i < read.bytes.size(); ++i)
      EXPECT_NEAR(read.bytes[i], picture.bytes[i], 4) << i;  // what JPEG loses
  }
}

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int i = 0; i < 4; ++i)
    bytes += static_cast<char>(value >> (24 - 8 * i));
  return bytes;
}

std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto sum =
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<std::uint32_t>(data.size())) + body +
         big_endian(static_cast<std::uint32_t>(sum));
}

/// A PNG file of the specification's parts. `rows`: each with its filter, 0, before it.
std::string png_by_hand(std::uint32_t width, std::uint32_t height, char depth, char type,
                        char interlaced, const std::string& rows) {
  uLongf size = compressBound(static_cast<uLong>(rows.size()));
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size,
           reinterpret_cast<const Bytef*>(rows.data()), static_cast<uLong>(rows.size()));
  packed.resize(size);
  const std::string head =
      big_endian(width) + big_endian(height) + depth + type + std::string(2, '\0') + interlaced;
  return "\x89PNG\r\n\x1A\n" + chunk("IHDR", head) + chunk("IDAT", packed) + chunk("IEND", "");
}

TEST(Pictures, OfEveryKindOfPngHaveTheNumbersOfTheFile) {
  using std::string_literals::operator""s;
  struct Row {
    const char* what;
    std::string png;
    Picture picture;
  };
  const char grey_type = 0;
  const char with_alpha = 4;
  for (const Row& row : std::vector<Row>{
           {"8 bits", png_by_hand(2, 1, 8, grey_type, 0, "\0\x20\x90"s), grey(1, 2, {0x20, 0x90})},
           // 0x1020 / 257 = 16.06, 0x8fff / 257 = 143.4: no gamma, whatever the depth
           {"16 bits", png_by_hand(2, 1, 16, grey_type, 0, "\0\x10\x20\x8f\xff"s),
            grey(1, 2, {16, 143})},
           {"1 bit", png_by_hand(3, 1, 1, grey_type, 0, "\0\xA0"s), grey(1, 3, {255, 0, 255})},
           // The passes of Adam7 over 2 x 2: one pixel, the next, the second line.
           {"16 bits in passes",
            png_by_hand(2, 2, 16, grey_type, 1, "\0\x10\x10\0\x20\x20\0\x30\x30\x40\x40"s),
            grey(2, 2, {0x10, 0x20, 0x30, 0x40})},
           // 100 at 51 / 255 = 1/5 over white: 20 + 204
           {"an alpha", png_by_hand(2, 1, 8, with_alpha, 0, "\0\x64\x33\x64\xff"s),
            grey(1, 2, {224, 100})}})
    EXPECT_EQ(decode_picture(span_of(row.png), row.what), row.picture) << row.what;
}

TEST(Pictures, OfJpegMayHaveMoreBehindThem) {
  const std::string jpeg = jpeg_of(ramp(1));
  const Picture read = decode_picture(span_of(jpeg), "a.jpg");
  EXPECT_EQ(decode_picture(span_of(jpeg + "more"), "a.jpg"), read);
  const std::string end = jpeg.substr(jpeg.size() - 2);
  const std::string padded = jpeg.substr(0, jpeg.size() - 2) + std::string(30, '\0') + end;
  EXPECT_EQ(decode_picture(span_of(padded), "a.jpg"), read);
}

/// A PNG file whose head says that it is so large.
std::string png_of_size(std::uint32_t width, std::uint32_t height) {
  return png_by_hand(width, height, 8, 0, 0, "");
}

TEST(Pictures, OfDamagedFilesAreRefusedInOneLine) {
  const TemporaryFolder folder;
  const std::string png = png_of(ramp(3));
  const std::string jpeg = jpeg_of(ramp(1));
  struct Row {
    std::string bytes;
    std::string message;
  };
  for (const Row& row : std::vector<Row>{
           {"", "is no picture that can be read; expected PNG or JPEG"},
           {"GIF89a", "is no picture that can be read; expected PNG or JPEG"},
           {png.substr(0, 8), "is a damaged PNG file"},
           {png.substr(0, png.size() / 2), "is a damaged PNG file"},
           {jpeg.substr(0, 4), "is a damaged JPEG file"},
           {jpeg.substr(0, jpeg.size() / 2), "is a damaged JPEG file"},
           {png_of_size(100000, 100000),
            "is 100000 x 100000 pixels; the largest picture that is read has 67108864"}}) {
    const std::string path = folder.write("x", row.bytes);
    const std::string message = folder.message([&] { read_picture(path); });
    EXPECT_NE(message.find("x: " + row.message), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  EXPECT_EQ(folder.message([&] { read_picture(folder.path("none")); }), "none: no such file");
}

std::string idx(std::uint8_t type, const std::vector<std::uint32_t>& extents,
                const std::string& bytes) {
  std::string file{'\0', '\0', static_cast<char>(type), static_cast<char>(extents.size())};
  for (const std::uint32_t extent : extents)
    file += big_endian(extent);
  return file + bytes;
}

TEST(Pictures, OfIdxFilesAreReadOneByOne) {
  const TemporaryFolder folder;
  const std::string pictures = idx(8, {3, 2, 2}, "abcdefghijkl");
  const std::string labels = idx(8, {3}, std::string("\x07\x00\x07", 3));
  for (const bool packed : {false, true}) {
    const auto bytes = [&](const std::string& file) { return packed ? gzip(file) : file; };
    const std::string end = packed ? "-ubyte.gz" : "-ubyte";
    const std::string a = folder.write("t-idx3" + end, bytes(pictures));
    const std::string b = folder.write("t-idx1" + end, bytes(labels));
    EXPECT_TRUE(are_pictures({a, b}));
    const auto pairs = open_pictures({a, b}, {}, Split::train, 1);
    ASSERT_EQ(pairs->size(), 3);
    EXPECT_EQ(pairs->at(2), (Pair{a + "#2", "7"}));
    EXPECT_EQ(pairs->at(1).target, "0");
    const PictureReader reader({.height = 2, .width = 2});
    EXPECT_EQ(reader.original(a + "#1"), grey(2, 2, {'e', 'f', 'g', 'h'}));
    EXPECT_EQ(folder.message([&] { reader.original(a + "#3"); }),
              "t-idx3" + end + "#3: there are 3 pictures, 0 to 2");
    EXPECT_EQ(folder.message([&] { reader.original(b + "#0"); }),
              "t-idx1" + end + ": holds labels; expected a file of pictures");
  }
}

TEST(Pictures, OfDamagedIdxFilesAreRefusedInOneLine) {
  const TemporaryFolder folder;
  const std::string good = idx(8, {1}, "a");
  struct Row {
    std::string pictures;
    std::string labels;
    std::string message;
  };
  for (const Row& row : std::vector<Row>{
           {"ab", good, "p.idx: ends within its data; copy it again from where it comes from"},
           {"abcd", good, "p.idx: is no idx file: it does not begin with two zeros"},
           {idx(13, {1, 1, 1}, "abcd"), good,
            "p.idx: holds numbers of type 0x0d; expected bytes (0x08)"},
           {idx(8, {1, 1}, "a"), good, "p.idx: has 2 axes; expected 3 (pictures) or 1 (labels)"},
           {idx(8, {2, 1, 1}, "a"), good,
            "p.idx: its head says 2 x 1 x 1 numbers, and 1 bytes follow; copy it again from where "
            "it comes from"},
           {idx(8, {4294967295, 4294967295, 4294967295}, "a"), good,
            "p.idx: its head says 4294967295 x 4294967295 x 4294967295 numbers, and 1 bytes "
            "follow; copy it again from where it comes from"},
           {idx(8, {0, 1, 1}, ""), good, "p.idx: holds nothing"},
           {good, idx(8, {1, 1, 1}, "a"),
            "p.idx: holds labels; give the file of pictures first, then that of labels"},
           {idx(8, {1, 1, 1}, "a"), idx(8, {1, 1, 1}, "a"),
            "l.idx: holds pictures; give the file of pictures first, then that of labels"},
           {idx(8, {2, 1, 1}, "ab"), good,
            "p.idx holds 2 pictures, and l.idx holds 1 labels; they belong to other files"}}) {
    const std::string pictures = folder.write("p.idx", row.pictures);
    const std::string labels = folder.write("l.idx", row.labels);
    EXPECT_EQ(folder.message([&] {
      open_pictures({pictures, labels}, {}, Split::train, 1);
    }),
              row.message);
  }
}

/// A folder of pictures: two of "dark", one of "light".
std::string write_pictures(const TemporaryFolder& folder, const std::string& name) {
  for (const char* label : {"dark", "light"})
    std::filesystem::create_directories(folder.path(name + "/" + label));
  folder.write(name + "/dark/b.png", png_of(grey(2, 2, {1, 2, 3, 4})));
  folder.write(name + "/dark/a.PNG", png_of(grey(2, 2, {0, 0, 0, 0})));
  folder.write(name + "/dark/notes.txt", "no picture");
  folder.write(name + "/dark/.hidden.png", "no picture");
  folder.write(name + "/light/c.jpeg", jpeg_of(grey(2, 2, {255, 255, 255, 255})));
  return folder.path(name);
}

TEST(Pictures, AreFoundInAFolderForEachLabel) {
  const TemporaryFolder folder;
  const std::string data = write_pictures(folder, "data");
  EXPECT_TRUE(are_pictures({data}));
  const auto pairs = open_pictures({data}, {}, Split::train, 1);
  ASSERT_EQ(pairs->size(), 3);
  EXPECT_EQ(pairs->at(0), (Pair{data + "/dark/a.PNG", "dark"}));
  EXPECT_EQ(pairs->at(1), (Pair{data + "/dark/b.png", "dark"}));
  EXPECT_EQ(pairs->at(2), (Pair{data + "/light/c.jpeg", "light"}));
  const PictureReader reader({.height = 2, .width = 2});
  const Numbers numbers = reader.read(std::vector{pairs->at(0).source, pairs->at(2).source});
  EXPECT_EQ(numbers.values.shape(), Shape({2, 2, 2, 1}));
  EXPECT_EQ(numbers.values.data()[0], -1);
  EXPECT_EQ(numbers.values.data()[7], 1);
  // What a run is resumed with may have moved.
  const auto moved = open_pictures({write_pictures(folder, "moved")}, {}, Split::train, 1);
  EXPECT_EQ(moved->fingerprint(), pairs->fingerprint());
  EXPECT_EQ(first_pairs(*moved, 2)->fingerprint(), first_pairs(*pairs, 2)->fingerprint());
  folder.write("moved/light/d.png", png_of(grey(1, 1, {9})));
  const auto more = open_pictures({folder.path("moved")}, {}, Split::train, 1);
  EXPECT_NE(more->fingerprint(), pairs->fingerprint());
  std::filesystem::create_directories(folder.path("moved/third"));
  EXPECT_EQ(folder.message([&] { open_pictures({folder.path("moved")}, {}, Split::train, 1); }),
            "moved/third: holds no PNG or JPEG files; convert what it holds, or take it out");
}

TEST(Pictures, AreNamedInATable) {
  const TemporaryFolder folder;
  write_pictures(folder, "data");
  struct Row {
    std::string name;
    std::string text;
  };
  for (const Row& row :
       std::vector<Row>{{"a.tsv", "image\tlabel\ndata/dark/b.png\tdark\n"},
                        {"b.tsv", "number\tlabel\tFile\n7\tdark\tdata/dark/b.png\n"},
                        {"c.jsonl", R"({"picture": "data/dark/b.png", "label": "dark"})"
                                    "\n"}}) {
    const std::string path = folder.write(row.name, row.text);
    EXPECT_TRUE(are_pictures({path})) << row.name;
    const auto pairs = open_pictures({path}, {}, Split::train, 1, {.labelled = true});
    EXPECT_EQ(pairs->at(0), (Pair{folder.path("data/dark/b.png"), "dark"})) << row.name;
  }
  for (const Row& row : std::vector<Row>{{"t.tsv", "text\tlabel\na\tb\n"},
                                         {"u.tsv", "image\tpicture\tlabel\na\tb\tc\n"},
                                         {"v.jsonl", R"({"text": "a", "label": "b"})"
                                                     "\n"}})
    EXPECT_FALSE(are_pictures({folder.write(row.name, row.text)})) << row.name;
  // A table may name a text too: that is what is read, unless the fields name the picture.
  const std::string both = folder.write("w.tsv", "text\tpicture\tlabel\na\tb\tc\n");
  EXPECT_FALSE(are_pictures({both}));
  EXPECT_TRUE(are_pictures({both}, {"picture", "label"}));
  EXPECT_FALSE(are_pictures({folder.path("a.tsv")}, {"text", "label"}));
  const std::string names = folder.write("names.src", "data/dark/b.png\n");
  const std::string labels = folder.write("names.tgt", "dark\n");
  EXPECT_EQ(open_pictures({names, labels}, {}, Split::train, 1, {.labelled = true})->at(0),
            (Pair{folder.path("data/dark/b.png"), "dark"}));
  EXPECT_TRUE(are_pictures({"toy:shapes"}));
  EXPECT_FALSE(are_pictures({"toy:reviews"}));
  EXPECT_FALSE(are_pictures({folder.path("none")}));
  EXPECT_EQ(folder.message([&] { open_pictures({folder.path("none")}, {}, Split::train, 1); }),
            "none: no such folder; expected a folder with a folder of PNG or JPEG files for each "
            "label, two idx files (pictures and labels), a .tsv or .jsonl with image and label, or "
            "toy:shapes");
}

TEST(Pictures, AreVariedForTrainingAlone) {
  const auto pairs = first_pairs(*open_pictures({"toy:shapes"}, {}, Split::train, 1), 50);
  Tokenizers reading;
  reading.labels = std::make_shared<const Labels>(Labels::of(*pairs));
  reading.reader = std::make_shared<const PictureReader>(PictureReaderOptions{
      .height = 24, .width = 24, .rows_down = 6, .rows_across = 6, .shift = 3, .mirror = true});
  const BatchOptions options{.batch_tokens = 360};
  const auto varied = [&](std::uint64_t seed, Index epoch) {
    BatchOptions of_seed = options;
    of_seed.seed = seed;
    PairBatches batches(*pairs, reading, of_seed);
    batches.seek(std::array<std::int64_t, 3>{epoch, 0, 0});
    std::map<Index, std::vector<Real>> by_line;
    for (int i = 0; i < 5; ++i) {
      const Batch batch = batches.next();
      EXPECT_EQ(batch.items.names.size(), 10u) << "360 rows of 36 a picture";
      EXPECT_EQ(batch.tokens(), 360);
      const Tensor read = batch.items.read().values;
      const auto values = read.span();
      for (std::size_t k = 0; k < 10; ++k) {
        const auto one = values.subspan(k * 576, 576);
        by_line[batch.lines[k]] = {one.begin(), one.end()};
      }
    }
    EXPECT_EQ(by_line.size(), 50u);
    return by_line;
  };
  const auto first = varied(1, 0);
  EXPECT_EQ(varied(1, 0), first);
  EXPECT_NE(varied(1, 1), first);
  EXPECT_NE(varied(2, 0), first);
  for (const Batch& batch : all_batches(*pairs, reading, options)) {
    EXPECT_TRUE(batch.items.variations.empty());
    EXPECT_EQ(batch.items.read().values.to_vector(),
              reading.reader->read(batch.items.names).values.to_vector());
  }
}

}  // namespace
}  // namespace heed
