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

/// What a folder holds, in the order of the names, but for hidden files.
std::vector<fs::path> listed(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> all;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (!at->path().filename().string().starts_with('.')) all.push_back(at->path());
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
      const std::size_t before = files_.size();
      for (const fs::path& file : listed(label))
        if (is_picture_name(file)) files_.push_back(file);
      if (files_.size() == before)
        fail("{}: holds no PNG or JPEG files; convert what it holds, or take it out",
             label.string());
    }
    if (files_.empty()) fail("{}: holds no pictures in folders; {}", folder, accepted);
  }
  Index size() const override { return std::ssize(files_); }
  Pair at(Index i) const override {
    const fs::path& file = files_.at(static_cast<std::size_t>(i));
    return {file.string(), file.parent_path().filename().string()};
  }
  std::string name() const override { return folder_; }
  std::string place(Index i) const override { return at(i).source; }
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
      : pictures_(data[0]), label_file_(data[1]) {
    const IdxFile labels(data[1]);
    constexpr const char* order = "give the file of pictures first, then that of labels";
    if (pictures_.axes() != 3) fail("{}: holds labels; {}", data[0], order);
    if (labels.axes() != 1) fail("{}: holds pictures; {}", data[1], order);
    labels_ = labels.labels();
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
  std::string place(Index i) const override { return fmt::format("{}#{}", label_file_, i); }
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
  NamedPictures(std::unique_ptr<PairSource> names, const fs::path& file)
      : names_(std::move(names)), folder_(file.parent_path()) {}
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
  std::string place(Index i) const override { return names_->place(i); }
  Index block() const override { return names_->block(); }
  void will_need(Index first, Index count) const override { names_->will_need(first, count); }
  std::string identity(Index i) const override { return names_->at(i).source; }

 private:
  std::unique_ptr<PairSource> names_;
  fs::path folder_;
};

std::vector<std::string> tsv_names(const std::vector<std::string>& lines,
                                   const std::vector<std::string>& names) {
  std::vector<std::string> found;
  for (const std::string& name : names)
    if (!columns_named(tsv_columns(lines[0]), name).empty()) found.push_back(name);
  return found;
}

std::vector<std::string> json_names(const std::vector<std::string>& lines,
                                    const std::vector<std::string>& names) {
  const auto first = std::ranges::find_if(lines, [](const auto& line) { return !line.empty(); });
  if (first == lines.end()) return {};
  JsonFields fields;
  for (const std::string& name : names)
    fields.fields.push_back({.key = name});
  read_json_fields(*first, fields);
  std::vector<std::string> found;
  for (const JsonFields::Field& field : fields.fields)
    if (fields.error == 0 && fields.is_object && field.times > 0) found.push_back(field.key);
  return found;
}

bool is_table(const std::string& path) {
  return extension(path) == ".tsv" || extension(path) == ".jsonl";
}

/// Those of `names` that a .tsv or .jsonl has.
std::vector<std::string> names_in(const std::string& path, const std::vector<std::string>& names) {
  const std::vector<std::string> lines = first_lines(path);
  if (lines.empty()) return {};
  return extension(path) == ".tsv" ? tsv_names(lines, names) : json_names(lines, names);
}

bool is_picture_column(const std::string& field) {
  return std::ranges::any_of(picture_names(), [&](const std::string& name) {
    return !columns_named({field}, name).empty();
  });
}

/// Whether a table names one picture in each line, and no text that could be meant as well.
bool names_pictures(const std::string& path, const std::vector<std::string>& fields) {
  if (!is_table(path)) return false;
  if (!fields.empty()) return fields.size() == 2 && is_picture_column(fields[0]);
  return names_in(path, picture_names()).size() == 1 && names_in(path, text_names()).empty() &&
         names_label({path});
}

std::unique_ptr<PairSource> open_table(const std::vector<std::string>& data,
                                       std::vector<std::string> fields, Split split,
                                       std::uint64_t seed, const ReadOptions& options) {
  if (fields.empty()) {
    const std::vector<std::string> names = names_in(data[0], picture_names());
    if (names.size() != 1)
      fail("{}: names {} of the columns or keys {}; it needs one, beside label", data[0],
           names.empty() ? "none" : fmt::format("{}", fmt::join(names, " and ")),
           fmt::join(picture_names(), ", "));
    fields = {names[0], std::string(label_name)};
  }
  return std::make_unique<NamedPictures>(open_pairs(data, fields, split, seed, options), data[0]);
}

}  // namespace

bool are_pictures(const std::vector<std::string>& data, const std::vector<std::string>& fields) {
  if (data.size() == 2) return is_idx_name(data[0]) && is_idx_name(data[1]);
  if (data.size() != 1) return false;
  const std::string& path = data[0];
  if (path.starts_with(toy_prefix)) {
    const CorpusKind* corpus = corpora().find(path.substr(toy_prefix.size()));
    return corpus && corpus->pictures;
  }
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return true;
  return names_pictures(path, fields);
}

std::unique_ptr<PairSource> open_pictures(const std::vector<std::string>& data,
                                          const std::vector<std::string>& fields, Split split,
                                          std::uint64_t seed, const ReadOptions& options) {
  if (data.empty() || data.size() > 2) fail("{}; got {} names", accepted, data.size());
  const bool idx = data.size() == 2 && is_idx_name(data[0]) && is_idx_name(data[1]);
  if (idx) return std::make_unique<IdxPictures>(data);
  if (data.size() == 2)
    return std::make_unique<NamedPictures>(open_pairs(data, fields, split, seed, options), data[0]);
  const std::string& path = data[0];
  if (path.starts_with(toy_prefix)) return open_pairs(data, fields, split, seed, options);
  if (is_table(path)) return open_table(data, fields, split, seed, options);
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return std::make_unique<FolderPictures>(path);
  fail("{}: {}; {}", path, fs::exists(path, ignored) ? "holds no pictures" : "no such folder",
       accepted);
}

}  // namespace heed
