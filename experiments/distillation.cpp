#include "experiments/distillation.h"

#include <algorithm>
#include <chrono>
#include <unordered_set>

#include <fmt/ranges.h>

#include "datasets/text/text_file.h"
#include "datasets/text/utf8.h"
#include "experiments/inference/toml.h"
#include "experiments/inference/translation.h"
#include "experiments/internal/distilled_file.h"
#include "experiments/progress.h"
#include "experiments/run_folder_check.h"
#include "experiments/trained_run.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

constexpr Index usual_lines = 20000;  // of an endless corpus
// Lines that are translated and written together. A block is translated as a whole, whenever it is,
// so that its outputs depend on nothing else.
constexpr Index block = 256;

std::string hex(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

std::string fingerprint(const PairSource* pairs) {
  return pairs ? hex(pairs->fingerprint()) : "none";
}

Pair swapped(Pair pair) {
  std::swap(pair.source, pair.target);
  return pair;
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

/// Translates the sources of lines and writes the pairs.
class Writer {
 public:
  Writer(const Run& teacher, const DecodeOptions& decode, bool back,
         std::unordered_set<std::uint64_t> left_out, const PairSource& lines, Index count,
         const fs::path& path)
      : teacher_(teacher),
        decode_(decode),
        back_(back),
        left_out_(std::move(left_out)),
        lines_(lines),
        count_(count),
        longest_(longest_line()),
        file_(path) {}

  /// `given`: pairs to write first; null: none.
  DistilledLines write(const PairSource* given, const DistillationObservers& observers) {
    const Index first = go_on(given);
    file_.flush();
    if (observers.on_line && first < count_) observers.on_line(plan(first));
    const auto start = std::chrono::steady_clock::now();
    for (Index begin = 0; begin < count_; begin += block) {
      const std::vector<Index> chosen = choose(begin, done_);
      if (begin < first) continue;
      stop_if(observers.should_stop);
      translate_block(chosen);
      file_.flush();
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      const Index end = std::min(begin + block, count_);
      const double a_line = seconds.count() / static_cast<double>(end - first);
      if (observers.on_progress)
        observers.on_progress(end, count_, a_line * static_cast<double>(count_ - end));
    }
    if (done_.pairs + done_.translated == 0)
      fail("{}: no line gives a pair to train on ({})", lines_.name(), to_text(done_));
    file_.commit();
    return done_;
  }

 private:
  /// The most tokens of a line, as in the teacher's training.
  std::size_t longest_line() const {
    const std::size_t placed = longest_source(teacher_.decoder()) - 1;  // without </s>
    const auto trained = static_cast<std::size_t>(teacher_.settings.data.max_length);
    return trained > 0 ? std::min(placed, trained) : placed;
  }

  bool is_left_out(const Pair& pair) const {
    return !left_out_.empty() && left_out_.contains(hash_of(pair.source, pair.target));
  }

  /// The lines of a block to translate. Counts the others.
  std::vector<Index> choose(Index begin, DistilledLines& counts) const {
    std::vector<Index> chosen;
    for (Index i = begin; i < std::min(begin + block, count_); ++i) {
      const Pair pair = lines_.at(i);
      const std::string_view text = utf8::trim(pair.source);
      // A token has at least one byte.
      const bool may_be_long = text.size() > longest_;
      if (text.empty())
        ++counts.blank;
      else if (is_left_out(pair))
        ++counts.validation;
      else if (may_be_long && teacher_.tokenizers.source->encode(text).size() > longest_)
        ++counts.too_long;
      else
        chosen.push_back(i);
    }
    return chosen;
  }

  /// Writes the pairs that were given, unless they are written. Returns the first line that is not
  /// translated yet, which begins a block.
  Index go_on(const PairSource* given) {
    for (Index i = 0; given && i < given->size(); ++i)
      ++(is_left_out(given->at(i)) ? done_.validation : done_.pairs);
    const Index records = file_.records();
    if (records > done_.pairs) return go_on_translating(records);
    file_.keep(0);
    for (Index i = 0; given && i < given->size(); ++i) {
      const Pair pair = given->at(i);
      if (!is_left_out(pair)) file_.add(pair, 0);
    }
    return 0;
  }

  Index go_on_translating(Index records) {
    const Index last = file_.line(records - 1) - 1;
    const Index begin = last / block * block;
    DistilledLines ignored;
    const std::vector<Index> chosen = choose(begin, ignored);
    const bool whole = !chosen.empty() && chosen.back() == last;
    while (!whole && records > done_.pairs && file_.line(records - 1) > begin)
      --records;
    file_.keep(records);
    done_.translated = records - done_.pairs;
    // Outputs that were left out of the blocks that are done.
    const Index first = whole ? begin + block : begin;
    Index before = 0;
    for (Index at = 0; at < first; at += block)
      before += std::ssize(choose(at, ignored));
    done_.without = before - done_.translated;
    return first;
  }

  std::vector<std::vector<Translation>> translate_lines(const std::vector<Index>& chosen) const {
    std::vector<std::string> texts;
    for (const Index i : chosen)
      texts.emplace_back(utf8::trim(lines_.at(i).source));
    return translate(teacher_.decoder(), teacher_.tokenizers, texts, decode_);
  }

  void translate_block(const std::vector<Index>& chosen) {
    const auto results = translate_lines(chosen);
    for (std::size_t k = 0; k < chosen.size(); ++k) {
      const bool ended = !results[k].empty() && results[k][0].ended;
      const std::string output(ended ? utf8::trim(results[k][0].text) : "");
      if (output.empty()) {
        ++done_.without;
        continue;
      }
      const Pair pair{std::string(utf8::trim(lines_.at(chosen[k]).source)), output};
      file_.add(back_ ? swapped(pair) : pair, chosen[k] + 1);
      ++done_.translated;
    }
  }

  /// What is to be done, and about how long it takes: some lines are translated to measure it.
  std::string plan(Index first) const {
    constexpr Index measured = 64;
    std::vector<Index> some;
    DistilledLines ignored;
    const Index every = std::max<Index>(1, (count_ - first) / measured);
    for (const Index begin : {first, first + (count_ - first) / 2 / block * block})
      for (const Index i : choose(begin, ignored))
        if (i % every == 0 || std::ssize(some) < measured / 2) some.push_back(i);
    some.resize(std::min<std::size_t>(some.size(), measured));
    const auto start = std::chrono::steady_clock::now();
    translate_lines(some);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const double a_line =
        seconds.count() / static_cast<double>(std::max<std::size_t>(1, some.size()));
    return fmt::format("distil    translating {} lines of {}{} (beam {}); about {}", count_,
                       lines_.name(), first > 0 ? fmt::format(", of which {} are done", first) : "",
                       decode_.beam, duration_text(a_line * static_cast<double>(count_ - first)));
  }

  const Run& teacher_;
  const DecodeOptions& decode_;
  bool back_;
  std::unordered_set<std::uint64_t> left_out_;
  const PairSource& lines_;
  Index count_;
  std::size_t longest_;
  DistilledFile file_;
  DistilledLines done_;
};

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
  Writer writer(teacher_, decode_, options_.back, std::move(left_out), lines,
                options_.lines > 0 ? std::min(options_.lines, all) : all, distilled_path(folder_));
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
