#include "experiments/tune_decode.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <tuple>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "datasets/metrics/bleu.h"
#include "datasets/metrics/metrics.h"
#include "experiments/corpus.h"
#include "experiments/inference/test_set.h"
#include "experiments/inference/toml.h"
#include "experiments/internal/changed_toml.h"
#include "experiments/progress.h"

namespace heed {

namespace {

double score_by(const std::string& metric, const std::vector<std::string>& outputs,
                const TestSet& set) {
  const MetricScore found = score(metric, outputs, {set.references});
  const std::vector<std::string>& figures = metrics().at(metric).overall;
  double sum = 0;
  for (const std::string& figure : figures)
    sum += found.at(figure);
  return sum / static_cast<double>(figures.size());
}

double length_ratio(const std::vector<std::string>& outputs, const TestSet& set) {
  const BleuScore bleu = corpus_bleu(outputs, std::span(&set.references, 1));
  return static_cast<double>(bleu.sys_len) / static_cast<double>(std::max<Index>(1, bleu.ref_len));
}

void check_options(const Run& run, const TuneDecodingOptions& options) {
  const Task& task = run.settings.task.row();
  if (!task.decodes || !task.reads_pairs)
    fail(
        "the task of the run is {}: only a model from text to text searches, and has something to "
        "tune",
        task.name);
  check(!options.beams.empty() && !options.length_penalties.empty(), "tune_decoding",
        "expected at least one beam and one length penalty; got {} and {}", options.beams.size(),
        options.length_penalties.size());
  const Range known = one_of(tuning_metrics());
  if (!known.holds(options.metric)) throw FieldError("metric", known.text(), options.metric);
}

/// The pairs to decode: those that are named, or those of the run.
std::unique_ptr<PairSource> open_data(const Run& run, const TuneDecodingOptions& options) {
  const DataSettings& of_run = run.settings.data;
  if (!options.data.empty())
    return open_evaluation_pairs(
        options.data, options.fields.empty() ? of_run.fields : options.fields, options.lines,
        Split::valid, {.blank_is_error = of_run.blank == "error"});
  std::unique_ptr<PairSource> pairs = open_validation_pairs(run.settings);
  if (!pairs) fail("the run was validated on nothing; name data to tune on, other than a test set");
  const auto then = run.text.find("data.valid");
  if (then != run.text.end() && then->second != fmt::format("{:016x}", pairs->fingerprint()))
    fail(
        "{}: has changed since this run began; give the data it was validated on, or name others "
        "to tune on",
        pairs->name());
  return pairs;
}

/// The beams in ascending order, each once, as are the penalties.
template <class T>
std::vector<T> sorted(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

/// The best output of each line under each length penalty.
std::vector<std::vector<std::string>> best_outputs(const Run& run, const TestSet& set,
                                                   const DecodeOptions& options,
                                                   std::span<const Real> penalties,
                                                   const ShouldStop& should_stop) {
  constexpr std::size_t group = 256;  // it may stop between groups
  std::vector<std::vector<std::string>> outputs(penalties.size());
  const std::span<const std::string> sources = set.sources;
  for (std::size_t i = 0; i < sources.size(); i += group) {
    stop_if(should_stop);
    const auto some = sources.subspan(i, std::min(group, sources.size() - i));
    const std::vector<Translations> found =
        translate_with_penalties(run.decoder(), run.tokenizers, some, options, penalties);
    for (std::size_t p = 0; p < penalties.size(); ++p)
      for (const std::vector<Translation>& line : found[p])
        outputs[p].push_back(line.empty() ? "" : line[0].text);
  }
  return outputs;
}

/// Tells what the decodings cost, before them and after the first.
class Costs {
 public:
  Costs(const std::vector<Index>& beams, std::size_t penalties, const TestSet& set,
        const TuneDecodingObservers& observers)
      : beams_(beams), observers_(observers), begin_(Clock::now()) {
    say(
        fmt::format("tuning on {} lines of {}: {} decodings (beam {}) give all {} pairs of a beam "
                    "and a length penalty",
                    set.sources.size(), set.name, beams.size(), fmt::join(beams, ", "),
                    beams.size() * penalties));
  }
  void done(std::size_t count) const {
    const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    std::string text = fmt::format("beam {} decoded", beams_[count - 1]);
    if (count < beams_.size())
      text += fmt::format("; about {} left", duration_text(seconds * share_left(count)));
    say(text);
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// The time that is left, as a multiple of that of the first `count`: a step has a row for each
  /// output of the beam.
  double share_left(std::size_t count) const {
    const auto middle = beams_.begin() + static_cast<std::ptrdiff_t>(count);
    const auto done = static_cast<double>(std::accumulate(beams_.begin(), middle, Index{0}));
    return static_cast<double>(std::accumulate(middle, beams_.end(), Index{0})) / done;
  }
  void say(const std::string& text) const {
    if (observers_.on_line) observers_.on_line(text);
  }

  const std::vector<Index>& beams_;
  const TuneDecodingObservers& observers_;
  Clock::time_point begin_;
};

}  // namespace

std::vector<std::string> tuning_metrics() {
  std::vector<std::string> names;
  for (const Metric& metric : metrics().rows())
    if (metric.scored == Scored::texts && !metric.overall.empty()) names.push_back(metric.name);
  return names;
}

DecodingCandidate best_candidate(std::span<const DecodingCandidate> candidates,
                                 double present_penalty) {
  check(!candidates.empty(), "best_candidate", "expected at least one candidate; got none");
  const auto worth = [&](const DecodingCandidate& t) {
    // Rounded, so that 0.4 and 0.8 are equally far from 0.6, which a setting holds as a float.
    const double distance = std::round(1e6 * std::abs(t.length_penalty - present_penalty));
    return std::tuple(-t.score, t.beam, distance, t.length_penalty);
  };
  return *std::min_element(candidates.begin(), candidates.end(),
                           [&](const auto& a, const auto& b) { return worth(a) < worth(b); });
}

TunedDecoding tune_decoding(const Run& run, const TuneDecodingOptions& options,
                            const TuneDecodingObservers& observers) {
  check_options(run, options);
  const TestSet set = read_test_set(*open_data(run, options));
  const std::vector<Index> beams = sorted(options.beams);
  const std::vector<double> penalties = sorted(options.length_penalties);
  const std::vector<Real> as_real(penalties.begin(), penalties.end());
  TunedDecoding tuned{.data = set.name,
                      .lines = std::ssize(set.sources),
                      .metric = options.metric,
                      .candidates = {},
                      .best = {}};
  const Costs costs(beams, penalties.size(), set, observers);
  for (std::size_t b = 0; b < beams.size(); ++b) {
    DecodeOptions decoding = run.decode_options();
    decoding.beam = static_cast<int>(beams[b]);
    const auto outputs = best_outputs(run, set, decoding, as_real, observers.should_stop);
    for (std::size_t p = 0; p < penalties.size(); ++p) {
      stop_if(observers.should_stop);
      const bool as_before = p > 0 && outputs[p] == outputs[p - 1];
      DecodingCandidate candidate =
          as_before ? tuned.candidates.back()
                    : DecodingCandidate{.score = score_by(options.metric, outputs[p], set),
                                        .length_ratio = length_ratio(outputs[p], set)};
      candidate.beam = beams[b];
      candidate.length_penalty = penalties[p];
      tuned.candidates.push_back(candidate);
    }
    costs.done(b + 1);
  }
  const auto present = static_cast<double>(run.settings.decode.length_penalty);
  tuned.best = best_candidate(tuned.candidates, present);
  return tuned;
}

std::string to_text(const TunedDecoding& tuned) {
  std::string text =
      fmt::format("{:>5} {:>8} {:>8} {:>7}\n", "beam", "penalty", tuned.metric, "length");
  for (const DecodingCandidate& t : tuned.candidates)
    text += fmt::format("{:>5} {:>8} {:>8.4f} {:>7.3f}\n", t.beam, t.length_penalty, t.score,
                        t.length_ratio);
  return text + fmt::format("best: beam {}, length penalty {}, {} {:.4f}\n", tuned.best.beam,
                            tuned.best.length_penalty, tuned.metric, tuned.best.score);
}

std::string to_json(const TunedDecoding& tuned, bool kept) {
  const auto of = [](const DecodingCandidate& t) {
    return nlohmann::ordered_json{{"beam", t.beam},
                                  {"length_penalty", t.length_penalty},
                                  {"score", t.score},
                                  {"length_ratio", t.length_ratio}};
  };
  nlohmann::ordered_json json = {
      {"data", tuned.data},     {"lines", tuned.lines},
      {"metric", tuned.metric}, {"best", of(tuned.best)},
      {"kept", kept},           {"candidates", nlohmann::ordered_json::array()}};
  for (const DecodingCandidate& candidate : tuned.candidates)
    json["candidates"].push_back(of(candidate));
  return json.dump() + "\n";
}

namespace {

void check_writable(const std::filesystem::path& file) {
  const FileWriter nothing_is_committed(file);
}

std::string with_decoding(const std::filesystem::path& config, Index beam, double length_penalty) {
  return changed_toml(read_toml_file(config.string()), config.string(),
                      {{"decode.beam", beam}, {"decode.length_penalty", length_penalty}});
}

}  // namespace

DecodingKeeper::DecodingKeeper(const std::filesystem::path& folder)
    : lock_(folder), config_(config_path(folder)) {
  check_writable(config_);
  with_decoding(config_, 1, 0);  // before anything is decoded for nothing
}

void DecodingKeeper::keep(Index beam, double length_penalty) const {
  lock_.check();
  replace_file(config_, with_decoding(config_, beam, length_penalty));
}

}  // namespace heed
