#include "experiments/distillation.h"

#include <algorithm>
#include <unordered_set>

#include <fmt/ranges.h>

#include "datasets/text/text_file.h"
#include "experiments/inference/toml.h"
#include "experiments/internal/distillation_writer.h"
#include "experiments/internal/distilled_file.h"
#include "experiments/run_folder_check.h"
#include "experiments/trained_run.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

constexpr Index usual_lines = 20000;  // of an endless corpus

std::string hex(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

std::string fingerprint(const PairSource* pairs) {
  return pairs ? hex(pairs->fingerprint()) : "none";
}

std::unique_ptr<PairSource> swapped(const PairSource& pairs) {
  std::vector<Pair> all;
  for (Index i = 0; i < pairs.size(); ++i)
    all.push_back(swapped(pairs.at(i)));
  return std::make_unique<MemoryPairs>(std::move(all), pairs.name());
}

/// The first `count` pairs whose sources differ. Fewer where many in a row are known already.
std::unique_ptr<PairSource> distinct_pairs(const PairSource& endless, Index count) {
  constexpr Index most_known = 10000;
  std::unordered_set<std::string> sources;
  std::vector<Pair> pairs;
  for (Index i = 0, known = 0; std::ssize(pairs) < count && known < most_known; ++i) {
    Pair pair = endless.at(i);
    const bool is_new = sources.insert(pair.source).second;
    known = is_new ? 0 : known + 1;
    if (is_new) pairs.push_back(std::move(pair));
  }
  return std::make_unique<MemoryPairs>(std::move(pairs), endless.name());
}

/// Hashes of pairs.
std::unordered_set<std::uint64_t> hashes_of(const PairSource& pairs) {
  std::unordered_set<std::uint64_t> hashes;
  for (Index i = 0; i < pairs.size(); ++i) {
    const Pair pair = pairs.at(i);
    hashes.insert(hash_of(pair.source, pair.target));
  }
  return hashes;
}

void write_pairs(const PairSource& pairs, const fs::path& path) {
  DistilledFile file(path);
  file.keep(0);
  for (Index i = 0; i < pairs.size(); ++i)
    file.add(pairs.at(i), 0);
  file.commit();
}

/// Throws DistillationError where options contradict each other.
void check_options(const DistillationOptions& o) {
  if (o.lines < 0) throw FieldError("lines", "at least 0", fmt::format("{}", o.lines));
  if (!o.back) return;
  if (o.sources.empty())
    throw DistillationError("sources: missing; back-translation needs a file of lines");
  if (o.train.empty())
    throw DistillationError(
        "train: missing; name the pairs to which the translated ones are added");
  if (o.mix) throw DistillationError("mix: with back, the pairs are read anyway; leave it out");
}

void check_teacher(const std::string& name, const Run& teacher) {
  const Task& task = teacher.settings.task.row();
  if (!task.reads_pairs || !task.decodes)
    fail("{}: its task is {}; a teacher is a model from text to text", name, task.name);
}

}  // namespace

fs::path distilled_path(const fs::path& folder) { return folder / "distilled.jsonl"; }
fs::path distilled_valid_path(const fs::path& folder) { return folder / "distilled.valid.jsonl"; }

void DistillationOptions::list(Fields& f) {
  f("sources", sources, any_value(),
    "file of lines to translate (default: the sources of the pairs)")
      .option("sources");
  f("back", back, any_value(),
    "the teacher translates from the student's target language: its outputs become sources, and "
    "the pairs are added to those of --train")
      .option("back");
  f("mix", mix, any_value(), "train on the pairs as they are too").option("mix");
  f("lines", lines, between(Index{0}),
    "the most lines to translate (default: all; of a built-in corpus 20000)")
      .option("lines")
      .option_range(between(Index{1}));
}

std::string to_text(const DistilledLines& lines) {
  std::string text = fmt::format("{} lines translated", lines.translated);
  if (lines.pairs > 0) text += fmt::format(", beside {} pairs as they were", lines.pairs);
  std::vector<std::string> dropped;
  const auto add = [&](Index count, const char* what) {
    if (count > 0) dropped.push_back(fmt::format("{} {}", count, what));
  };
  add(lines.blank, "blank");
  add(lines.too_long, "too long for the teacher");
  add(lines.without, "without an output that ended");
  add(lines.validation, "that are validated on");
  if (!dropped.empty()) text += fmt::format("; dropped: {}", fmt::join(dropped, ", "));
  return text;
}

Distillation::Distillation(const std::string& teacher, const std::string& checkpoint,
                           DistillationOptions options, fs::path folder)
    : options_(std::move(options)),
      folder_(std::move(folder)),
      teacher_(open_trained_run(teacher, checkpoint)),
      teacher_name_(teacher) {
  check_options(options_);
  check_teacher(teacher, teacher_);
  teacher_settings_ = read_run_settings(teacher);
  decode_ = heed::decode_options(teacher_.settings, {.values = options_.decoding});
}

Distillation::Data Distillation::open_other_data() const {
  Settings s = teacher_settings_;
  s.data.train = options_.train;
  s.data.fields = options_.fields;
  s.data.valid.clear();
  Data data;
  if (options_.valid.empty() && teacher_settings_.data.valid.empty()) {
    PairParts parts = open_pair_parts(s);
    const auto known = teacher_.text.find("data.valid");
    const auto as_teacher = options_.back && parts.valid ? swapped(*parts.valid) : nullptr;
    const PairSource* valid = as_teacher ? as_teacher.get() : parts.valid.get();
    if (known != teacher_.text.end() && known->second == fingerprint(valid))
      return {std::move(parts.train), std::move(parts.valid), false};
  }
  s.data.valid_fraction = 0;  // all pairs
  data.pairs = open_pair_parts(s).train;
  data.other = true;
  return data;
}

Distillation::Data Distillation::open_data() const {
  Data data;
  if (!options_.train.empty()) data = open_other_data();
  if (!options_.valid.empty()) {
    data.valid =
        open_evaluation_pairs(options_.valid, options_.fields, toy_valid_lines, Split::valid);
  }
  const bool pairs_needed = options_.sources.empty() || reads_pairs();
  if ((!data.pairs && pairs_needed) || !data.valid) {
    PairParts parts = open_pair_parts(teacher_settings_);
    if (!data.pairs) data.pairs = std::move(parts.train);
    if (!data.valid && parts.valid)
      data.valid = options_.back ? swapped(*parts.valid) : std::move(parts.valid);
  }
  if (!pairs_needed) data.pairs = nullptr;
  if (data.pairs && data.pairs->size() < 0)
    data.pairs = distinct_pairs(*data.pairs, options_.lines > 0 ? options_.lines : usual_lines);
  return data;
}

std::unique_ptr<PairSource> Distillation::lines_of_file() const {
  if (options_.sources.empty()) return nullptr;
  std::vector<Pair> lines;
  for (std::string& line : read_lines(options_.sources))
    lines.push_back({std::move(line), ""});
  return std::make_unique<MemoryPairs>(std::move(lines), options_.sources);
}

std::map<std::string, std::string> Distillation::identity(const PairSource& lines,
                                                          const Data& data) const {
  std::map<std::string, std::string> made{
      {"(teacher)", teacher_name_},
      {"(lines)", lines.name()},
      {"teacher", hex(hash_of(read_file(teacher_.checkpoint, ~std::uint64_t{0}), ""))},
      {"lines to translate", fingerprint(&lines)},
      {"lines", fmt::format("{}", options_.lines)},
      {"pairs", reads_pairs() ? fingerprint(data.pairs.get()) : "none"},
      {"validation", fingerprint(data.valid.get())},
      {"back", options_.back ? "true" : "false"}};
  DecodeOptions decode = decode_;
  for (const Field& field : fields_of(decode))
    made["decode." + field.key()] = toml_text(field.value());
  return made;
}

DistilledLines Distillation::write(const DistillationObservers& observers) {
  check_run_folder(folder_, /*resume=*/false);
  const Data data = open_data();
  const auto of_file = lines_of_file();
  const PairSource& lines = of_file ? *of_file : *data.pairs;
  fs::create_directories(folder_);
  const FolderLock lock(folder_);
  check_made_alike(folder_, identity(lines, data));
  if (fs::exists(distilled_path(folder_))) return {};
  if (data.valid) write_pairs(*data.valid, distilled_valid_path(folder_));
  std::unordered_set<std::uint64_t> left_out;
  if (data.other && data.valid) left_out = hashes_of(*data.valid);
  const Index all = lines.size();
  DistillationWriter writer(teacher_, decode_, options_.back, std::move(left_out), lines,
                            options_.lines > 0 ? std::min(options_.lines, all) : all,
                            distilled_path(folder_));
  const DistilledLines written =
      writer.write(reads_pairs() ? data.pairs.get() : nullptr, observers);
  if (observers.on_line) observers.on_line("distilled " + to_text(written));
  return written;
}

Settings Distillation::settings(const RequestedSettings& requested, std::string& warning) const {
  RequestedSettings asked = requested;
  const auto task = asked.values.find("task.name");
  const std::string& name = teacher_.settings.task.name;
  if (task != asked.values.end() && task->second != FieldValue(name))
    fail("task.name = {}: a student has the teacher's task, {}", to_text(task->second), name);
  const bool written = fs::exists(distilled_path(folder_));
  const fs::path valid = distilled_valid_path(folder_);
  using Names = std::vector<std::string>;
  asked.values["task.name"] = name;
  asked.values["data.train"] =
      written ? absolute_data({distilled_path(folder_).string()}) : teacher_settings_.data.train;
  asked.values["data.valid"] = fs::exists(valid) ? absolute_data({valid.string()}) : Names();
  asked.values["data.fields"] = written ? Names() : teacher_settings_.data.fields;
  Settings s = new_settings(asked, warning);
  for (const char* key : {"data.tokenizer", "data.min_count", "data.vocab_size", "data.case",
                          "data.joint_vocabulary"}) {
    const FieldValue of_teacher = teacher_.settings.value(key);
    if (s.is_chosen(key) && s.value(key) != of_teacher)
      fail("{} = {}: a student has the teacher's tokenizers, and so {}", key, setting_text(s, key),
           toml_text(of_teacher));
    s.assign(key, of_teacher);
  }
  if (!fs::exists(valid)) s.assign("data.valid_fraction", 0.0);
  s.check();
  return s;
}

Tokenizers Distillation::tokenizers() const {
  const Tokenizers& of_teacher = teacher_.tokenizers;
  if (!options_.back || of_teacher.joint()) return of_teacher;
  return {of_teacher.target, of_teacher.source};
}

}  // namespace heed
