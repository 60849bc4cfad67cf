#include "datasets/images/picture_pairs.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include <fmt/ranges.h>

#include "datasets/corpora/corpora.h"
#include "datasets/images/internal/idx.h"
#include "datasets/text/internal/data_names.h"
#include "datasets/text/internal/first_lines.h"
#include "datasets/text/internal/json_fields.h"
#include "datasets/text/internal/tsv_header.h"
#include "datasets/text/labelled.h"
#include "framework/error.h"
#include "framework/random.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

constexpr const char* accepted =
    "expected a folder with a folder of PNG or JPEG files for each label, two idx files (pictures "
    "and labels), a .tsv or .jsonl with image and label, or toy:shapes";

bool is_picture_name(const fs::path& path) {
  std::string end = path.extension().string();
  std::ranges::transform(end, end.begin(), [](unsigned char c) { return std::tolower(c); });
  return end == ".png" || end == ".jpg" || end == ".jpeg";
}

/// What a folder holds, in the order of the names.
std::vector<fs::path> listed(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> all;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    all.push_back(at->path());
  if (error) fail("{}: {}", folder.string(), error.message());
  std::ranges::sort(all);
  return all;
}

/// A folder with a folder of files for each label.
class FolderPictures final : public PairSource {
 public:
  explicit FolderPictures(const std::string& folder) : folder_(folder) {
    for (const fs::path& label : listed(folder_)) {
      std::error_code ignored;
      if (!fs::is_directory(label, ignored)) continue;
      for (const fs::path& file : listed(label))
        if (is_picture_name(file)) files_.push_back(file);
    }
    if (files_.empty()) fail("{}: holds no pictures in folders; {}", folder, accepted);
  }
  Index size() const override { return std::ssize(files_); }
  Pair at(Index i) const override {
    const fs::path& file = files_.at(static_cast<std::size_t>(i));
    return {file.string(), file.parent_path().filename().string()};
  }
  std::string name() const override { return folder_; }
  std::string identity(Index i) const override {
    const fs::path& file = files_.at(static_cast<std::size_t>(i));
    std::error_code ignored;
    return fmt::format("{} {}", file.filename().string(), fs::file_size(file, ignored));
  }

 private:
  std::string folder_;
  std::vector<fs::path> files_;
};

class IdxPictures final : public PairSource {
 public:
  explicit IdxPictures(const std::vector<std::string>& data)
      : pictures_(data[0]), labels_(IdxFile(data[1]).labels()), label_file_(data[1]) {
    if (pictures_.axes() != 3)
      fail("{}: holds labels; give the file of pictures first, then that of labels", data[0]);
    if (pictures_.count() != std::ssize(labels_))
      fail("{} holds {} pictures, and {} holds {} labels; they belong to other files", data[0],
           pictures_.count(), data[1], labels_.size());
  }
  Index size() const override { return pictures_.count(); }
  Pair at(Index i) const override {
    return {fmt::format("{}#{}", pictures_.path(), i),
            fmt::format("{}", labels_.at(static_cast<std::size_t>(i)))};
  }
  std::string name() const override { return fmt::format("{} {}", pictures_.path(), label_file_); }
  std::string target_file() const override { return label_file_; }
  std::string identity(Index i) const override {
    const Picture picture = pictures_.picture(i);
    return {picture.bytes.begin(), picture.bytes.end()};
  }

 private:
  IdxFile pictures_;
  std::vector<std::uint8_t> labels_;
  std::string label_file_;
};

/// Pairs of a file that names pictures, which are found from its folder.
class NamedPictures final : public PairSource {
 public:
  explicit NamedPictures(std::unique_ptr<PairSource> names)
      : names_(std::move(names)), folder_(fs::path(names_->name()).parent_path()) {}
  Index size() const override { return names_->size(); }
  Pair at(Index i) const override {
    Pair pair = names_->at(i);
    const bool is_file = !pair.source.starts_with(toy_prefix);
    if (is_file) pair.source = (folder_ / pair.source).string();
    return pair;
  }
  std::string name() const override { return names_->name(); }
  Index skipped() const override { return names_->skipped(); }
  Index line(Index i) const override { return names_->line(i); }
  std::string target_file() const override { return names_->target_file(); }
  Index block() const override { return names_->block(); }
  void will_need(Index first, Index count) const override { names_->will_need(first, count); }
  std::string identity(Index i) const override { return names_->at(i).source; }

 private:
  std::unique_ptr<PairSource> names_;
  fs::path folder_;
};

std::vector<std::string> tsv_names(const std::vector<std::string>& lines) {
  std::vector<std::string> names;
  for (const std::string& name : picture_names())
    if (!columns_named(tsv_columns(lines[0]), name).empty()) names.push_back(name);
  return names;
}

std::vector<std::string> json_names(const std::vector<std::string>& lines) {
  const auto first = std::ranges::find_if(lines, [](const auto& line) { return !line.empty(); });
  if (first == lines.end()) return {};
  JsonFields found;
  for (const std::string& name : picture_names())
    found.fields.push_back({.key = name});
  read_json_fields(*first, found);
  std::vector<std::string> names;
  for (const JsonFields::Field& field : found.fields)
    if (found.error == 0 && found.is_object && field.times > 0) names.push_back(field.key);
  return names;
}

/// The names of picture_names() that a .tsv or .jsonl has.
std::vector<std::string> names_in(const std::string& path) {
  const std::vector<std::string> lines = first_lines(path);
  if (lines.empty()) return {};
  return extension(path) == ".tsv" ? tsv_names(lines) : json_names(lines);
}

bool is_table(const std::string& path) {
  return extension(path) == ".tsv" || extension(path) == ".jsonl";
}

std::unique_ptr<PairSource> open_table(const std::vector<std::string>& data,
                                       std::vector<std::string> fields, Split split,
                                       std::uint64_t seed, const ReadOptions& options) {
  if (fields.empty()) {
    const std::vector<std::string> names = names_in(data[0]);
    if (names.size() != 1)
      fail("{}: names {} of the columns or keys {}; it needs one, beside label", data[0],
           names.empty() ? "none" : fmt::format("{}", fmt::join(names, " and ")),
           fmt::join(picture_names(), ", "));
    fields = {names[0], std::string(label_name)};
  }
  return std::make_unique<NamedPictures>(open_pairs(data, fields, split, seed, options));
}

}  // namespace

bool are_pictures(const std::vector<std::string>& data) {
  if (data.size() == 2) return is_idx_name(data[0]) && is_idx_name(data[1]);
  if (data.size() != 1) return false;
  const std::string& path = data[0];
  if (path.starts_with(toy_prefix)) {
    const CorpusKind* corpus = corpora().find(path.substr(toy_prefix.size()));
    return corpus && corpus->pictures;
  }
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return true;
  return is_table(path) && names_label(data) && names_in(path).size() == 1;
}

std::unique_ptr<PairSource> open_pictures(const std::vector<std::string>& data,
                                          const std::vector<std::string>& fields, Split split,
                                          std::uint64_t seed, const ReadOptions& options) {
  if (data.empty() || data.size() > 2) fail("{}; got {} names", accepted, data.size());
  if (data.size() == 2) return std::make_unique<IdxPictures>(data);
  const std::string& path = data[0];
  if (path.starts_with(toy_prefix)) return open_pairs(data, fields, split, seed, options);
  if (is_table(path)) return open_table(data, fields, split, seed, options);
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return std::make_unique<FolderPictures>(path);
  fail("{}: {}; {}", path, fs::exists(path, ignored) ? "holds no pictures" : "no such folder",
       accepted);
}

}  // namespace heed
