#include "experiments/internal/distillation_writer.h"

#include <algorithm>
#include <chrono>

#include "datasets/text/utf8.h"
#include "experiments/progress.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

// Lines that are translated and written together. A block is translated as a whole, whenever it is,
// so that its outputs depend on nothing else.
constexpr Index block = 256;

}  // namespace

Pair swapped(Pair pair) {
  std::swap(pair.source, pair.target);
  return pair;
}

DistillationWriter::DistillationWriter(const Run& teacher, const DecodeOptions& decode, bool back,
                                       std::unordered_set<std::uint64_t> left_out,
                                       const PairSource& lines, Index count, const fs::path& path)
    : teacher_(teacher),
      decode_(decode),
      back_(back),
      left_out_(std::move(left_out)),
      lines_(lines),
      count_(count),
      longest_(longest_line()),
      file_(path) {}

DistilledLines DistillationWriter::write(const PairSource* given,
                                         const DistillationObservers& observers) {
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

/// The most tokens of a line, as in the teacher's training.
std::size_t DistillationWriter::longest_line() const {
  const std::size_t placed = longest_source(teacher_.decoder()) - 1;  // without </s>
  const auto trained = static_cast<std::size_t>(teacher_.settings.data.max_length);
  return trained > 0 ? std::min(placed, trained) : placed;
}

bool DistillationWriter::is_left_out(const Pair& pair) const {
  return !left_out_.empty() && left_out_.contains(hash_of(pair.source, pair.target));
}

/// The lines of a block to translate. Counts the others.
std::vector<Index> DistillationWriter::choose(Index begin, DistilledLines& counts) const {
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
Index DistillationWriter::go_on(const PairSource* given) {
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

Index DistillationWriter::go_on_translating(Index records) {
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

Translations DistillationWriter::translate_lines(const std::vector<Index>& chosen) const {
  std::vector<std::string> texts;
  for (const Index i : chosen)
    texts.emplace_back(utf8::trim(lines_.at(i).source));
  return translate(teacher_.decoder(), teacher_.tokenizers, texts, decode_);
}

void DistillationWriter::translate_block(const std::vector<Index>& chosen) {
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
std::string DistillationWriter::plan(Index first) const {
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

}  // namespace heed
