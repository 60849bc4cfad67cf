#include "cli/comparison.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include <nlohmann/json.hpp>

#include "cli/values.h"
#include "datasets/metrics/exact.h"
#include "framework/error.h"

namespace heed::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr int resamples = 1000;
constexpr std::uint64_t bootstrap_seed = 2004;

/// Effective order: where no output of a set has four words (a bucket of short lines), the orders
/// that exist are judged.
const BleuOptions bleu_options{.effective_order = true};

Index words(const std::string& text) {
  std::istringstream stream(text);
  Index count = 0;
  for (std::string word; stream >> word;)
    ++count;
  return count;
}

double bleu_of(std::span<const BleuCounts> lines, const std::vector<std::size_t>& chosen) {
  BleuCounts sum;
  for (std::size_t i : chosen)
    sum += lines[i];
  return bleu_score(sum, 1, bleu_options).score;
}

Json to_json(const Spread& s) {
  return {{"mean", s.mean}, {"deviation", s.deviation ? Json(*s.deviation) : Json(nullptr)}};
}

/// Columns as wide as what stands in them; the first to the left, the others to the right.
std::string table(const std::vector<std::vector<std::string>>& rows) {
  const auto width = [](const std::string& text) {  // code points
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
  };
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width(row[i]));
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - width(row[i]), ' ');
      line += i == 0 ? row[i] + space : "  " + space + row[i];
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

}  // namespace

Json to_json(const RunResult& r) {
  return {{"model", r.model},
          {"seed", r.seed},
          {"d", r.d},
          {"parameters", r.parameters},
          {"steps", r.steps},
          {"best_step", r.best_step},
          {"seconds", r.seconds},
          {"tokens_per_s", r.tokens_per_s},
          {"peak_mb", r.peak_mb},
          {"valid_loss", r.valid_loss},
          {"valid_perplexity", std::exp(r.valid_loss)}};
}

RunResult result_from_json(const Json& j) {
  return {.model = j.at("model"),
          .seed = j.at("seed"),
          .d = j.at("d"),
          .parameters = j.at("parameters"),
          .steps = j.at("steps"),
          .best_step = j.at("best_step"),
          .seconds = j.at("seconds"),
          .tokens_per_s = j.at("tokens_per_s"),
          .peak_mb = j.at("peak_mb"),
          .valid_loss = j.at("valid_loss"),
          .hypotheses = {}};
}

Spread spread_of(const std::vector<double>& values) {
  Spread s;
  if (values.empty()) return s;
  for (double v : values)
    s.mean += v / static_cast<double>(values.size());
  double squares = 0;
  for (double v : values)
    squares += (v - s.mean) * (v - s.mean);
  if (values.size() > 1) s.deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
  return s;
}

std::string to_text(const Spread& s, int digits, double factor) {
  const std::string mean = fmt::format("{:.{}f}", factor * s.mean, digits);
  return s.deviation ? fmt::format("{} ± {:.{}f}", mean, factor * *s.deviation, digits) : mean;
}

std::string LengthBucket::text() const {
  return low == high ? fmt::format("{}", low) : fmt::format("{}-{}", low, high);
}

std::vector<LengthBucket> length_buckets(const std::vector<std::string>& sources) {
  std::vector<std::pair<Index, std::size_t>> lengths;
  for (std::size_t i = 0; i < sources.size(); ++i)
    lengths.emplace_back(words(sources[i]), i);
  std::sort(lengths.begin(), lengths.end());
  constexpr std::size_t parts = 5;
  std::vector<LengthBucket> buckets;
  for (std::size_t begin = 0; begin < lengths.size();) {
    // Up to where the next fifth ends, and then all lines as long as the last.
    std::size_t end = std::max(
        begin + 1, lengths.size() * std::min(parts, parts * begin / lengths.size() + 1) / parts);
    while (end < lengths.size() && lengths[end].first == lengths[end - 1].first)
      ++end;
    LengthBucket bucket{lengths[begin].first, lengths[end - 1].first, {}};
    for (std::size_t i = begin; i < end; ++i)
      bucket.lines.push_back(lengths[i].second);
    buckets.push_back(std::move(bucket));
    begin = end;
  }
  return buckets;
}

Comparison compare(const Duel& duel, const TestSet& test, const std::vector<RunResult>& results) {
  Comparison c;
  c.buckets = length_buckets(test.sources);
  c.signature = bleu_score({}, 1, bleu_options).signature();
  const std::vector<std::vector<std::string>> references{test.references};
  // of each model: BLEU on each resampled test set, the mean over its seeds
  std::vector<std::vector<double>> resampled;
  for (const std::string& name : duel.models) {
    ModelSummary m;
    m.model = name;
    std::vector<double> steps;
    std::vector<double> speed;
    std::vector<double> seconds;
    std::vector<double> memory;
    std::vector<double> perplexity;
    std::vector<double> bleu;
    std::vector<double> exact;
    std::vector<std::vector<double>> by_length(c.buckets.size());
    std::vector<double> mean(resamples);
    for (const RunResult& r : results) {
      if (r.model != name) continue;
      m.d = r.d;
      m.parameters = r.parameters;
      steps.push_back(static_cast<double>(r.steps));
      speed.push_back(r.tokens_per_s);
      seconds.push_back(r.seconds);
      memory.push_back(r.peak_mb);
      perplexity.push_back(std::exp(r.valid_loss));
      const std::vector<BleuCounts> lines = bleu_counts(r.hypotheses, references);
      BleuCounts sum;
      for (const BleuCounts& line : lines)
        sum += line;
      bleu.push_back(bleu_score(sum, 1, bleu_options).score);
      exact.push_back(exact_match(r.hypotheses, test.references));
      for (std::size_t b = 0; b < c.buckets.size(); ++b)
        by_length[b].push_back(bleu_of(lines, c.buckets[b].lines));
      const std::vector<double> scores =
          bootstrap_bleu(lines, resamples, bootstrap_seed, bleu_options);
      for (std::size_t i = 0; i < scores.size(); ++i)
        mean[i] += scores[i] / static_cast<double>(duel.seeds);
    }
    check(static_cast<Index>(bleu.size()) == duel.seeds, "compare",
          "expected {} runs of {}; got {}", duel.seeds, name, bleu.size());
    m.steps = spread_of(steps);
    m.tokens_per_s = spread_of(speed);
    m.seconds = spread_of(seconds);
    m.peak_mb = spread_of(memory);
    m.perplexity = spread_of(perplexity);
    m.bleu = spread_of(bleu);
    m.exact = spread_of(exact);
    for (const auto& scores : by_length)
      m.by_length.push_back(spread_of(scores));
    c.models.push_back(std::move(m));
    resampled.push_back(std::move(mean));
  }
  std::vector<std::size_t> order(c.models.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return c.models[a].bleu.mean > c.models[b].bleu.mean;
  });
  for (std::size_t i = 0; i < order.size(); ++i)
    for (std::size_t j = i + 1; j < order.size(); ++j)
      c.pairs.push_back({c.models[order[i]].model, c.models[order[j]].model,
                         paired_difference(resampled[order[i]], resampled[order[j]])});
  return c;
}

Json to_json(const Comparison& c) {
  Json json{{"bleu_signature", c.signature},
            {"models", Json::array()},
            {"length_buckets", Json::array()},
            {"differences", Json::array()}};
  for (const ModelSummary& m : c.models) {
    Json by_length = Json::array();
    for (const Spread& s : m.by_length)
      by_length.push_back(to_json(s));
    json["models"].push_back({{"model", m.model},
                              {"d", m.d},
                              {"parameters", m.parameters},
                              {"steps", to_json(m.steps)},
                              {"tokens_per_s", to_json(m.tokens_per_s)},
                              {"seconds", to_json(m.seconds)},
                              {"peak_mb", to_json(m.peak_mb)},
                              {"valid_perplexity", to_json(m.perplexity)},
                              {"test_bleu", to_json(m.bleu)},
                              {"test_exact", to_json(m.exact)},
                              {"bleu_by_length", by_length}});
  }
  for (const LengthBucket& b : c.buckets)
    json["length_buckets"].push_back({{"low", b.low}, {"high", b.high}, {"lines", b.lines.size()}});
  for (const ModelPair& p : c.pairs)
    json["differences"].push_back({{"better", p.better},
                                   {"worse", p.worse},
                                   {"bleu", p.difference.mean},
                                   {"low", p.difference.low},
                                   {"high", p.difference.high},
                                   {"wins", p.difference.wins},
                                   {"significant", p.difference.significant()}});
  return json;
}

std::string to_text(const Comparison& c) {
  std::vector<std::vector<std::string>> rows{{"model", "parameters", "d", "steps", "tokens/s",
                                              "seconds", "peak MB", "valid ppl", "test BLEU",
                                              "exact %"}};
  for (const ModelSummary& m : c.models)
    rows.push_back({m.model, fmt::format("{}", m.parameters), fmt::format("{}", m.d),
                    fmt::format("{:.0f}", m.steps.mean), fmt::format("{:.0f}", m.tokens_per_s.mean),
                    fmt::format("{:.0f}", m.seconds.mean), fmt::format("{:.0f}", m.peak_mb.mean),
                    to_text(m.perplexity, 3), to_text(m.bleu, 2), to_text(m.exact, 1, 100)});
  std::string out = table(rows);

  rows = {{"BLEU by source words"}, {"lines"}};
  for (const LengthBucket& b : c.buckets) {
    rows[0].push_back(b.text());
    rows[1].push_back(fmt::format("{}", b.lines.size()));
  }
  for (const ModelSummary& m : c.models) {
    rows.push_back({m.model});
    for (const Spread& s : m.by_length)
      rows.back().push_back(to_text(s, 1));
  }
  out += "\n" + table(rows);

  if (!c.pairs.empty()) {
    rows = {{"better", "worse", "BLEU", "95 % of test sets", "better on", ""}};
    for (const ModelPair& p : c.pairs) {
      const PairedDifference& d = p.difference;
      rows.push_back({p.better, p.worse, signed_fixed(d.mean, 2),
                      fmt::format("{} to {}", signed_fixed(d.low, 2), signed_fixed(d.high, 2)),
                      fmt::format("{:.1f} %", 100 * d.wins),
                      d.significant() ? "significant" : "may be chance"});
    }
    out += "\n" + table(rows);
  }
  return out;
}

}  // namespace heed::cli
