#include "experiments/serve/service.h"

#include <algorithm>
#include <functional>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "datasets/text/labels.h"
#include "experiments/inference/attention.h"
#include "experiments/inference/confidence.h"
#include "experiments/inference/prediction.h"
#include "experiments/inference/target_scores.h"
#include "experiments/inference/tasks.h"
#include "experiments/inference/text_generation.h"
#include "experiments/report/text.h"
#include "experiments/serve/internal/work_queue.h"
#include "framework/nearest.h"

namespace heed {

namespace {

using Json = nlohmann::ordered_json;

constexpr int api_version = 1;

/// A request as JSON, whose fields are read with checks.
class Request {
 public:
  Request(const std::string& text, const ServiceLimits& limits)
      : json_(Json::parse(text.empty() ? "{}" : text, nullptr, false)), limits_(limits) {
    if (json_.is_discarded()) throw BadRequest("expected JSON in UTF-8; got what is none");
    if (!json_.is_object()) throw BadRequest("expected a JSON object");
  }

  /// Throws BadRequest where a field is none of these: it would have no effect.
  void check_fields(const std::vector<std::string>& known) const {
    for (const auto& [key, value] : json_.items())
      if (std::find(known.begin(), known.end(), key) == known.end())
        throw BadRequest(fmt::format("there is no field '{}'{}", report::readable(key),
                                     did_you_mean(key, known)));
  }

  std::string text(const char* key) const {
    if (!json_.contains(key) || !json_[key].is_string()) throw wanted(key, "a text");
    return checked(key, json_[key].get<std::string>());
  }

  std::string line(const char* key) const { return as_line(text(key)); }

  std::vector<std::string> lines(const char* key) const {
    if (!json_.contains(key) || !json_[key].is_array()) throw wanted(key, "a list of texts");
    if (json_[key].size() > limits_.lines)
      throw BadRequest(fmt::format("{}: expected at most {} texts; got {}", key, limits_.lines,
                                   json_[key].size()));
    std::vector<std::string> lines;
    for (const Json& line : json_[key]) {
      if (!line.is_string()) throw wanted(key, "a list of texts");
      lines.push_back(as_line(checked(key, line.get<std::string>())));
    }
    return lines;
  }

  template <class Number>
  Number number(const char* key, Number usual, Number least, Number most) const {
    if (!json_.contains(key)) return usual;
    const Json& value = json_[key];
    const bool whole = std::is_integral_v<Number>;
    if (!(whole ? value.is_number_integer() : value.is_number()) || value < least || value > most)
      throw wanted(key,
                   fmt::format("a {}number from {} to {}", whole ? "whole " : "", least, most));
    return value.get<Number>();
  }

 private:
  static BadRequest wanted(const char* key, const std::string& what) {
    return BadRequest(fmt::format("{}: expected {}", key, what));
  }

  /// Line ends become spaces, as in a .jsonl.
  static std::string as_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
  }

  std::string checked(const char* key, std::string text) const {
    if (text.size() > limits_.bytes)
      throw BadRequest(fmt::format("{}: a text has {} bytes; at most {} are read", key, text.size(),
                                   limits_.bytes));
    return text;
  }

  Json json_;
  const ServiceLimits& limits_;
};

Json to_json(const TokenConfidence& token) {
  Json best = Json::array();
  for (const TokenConfidence::Candidate& candidate : token.best)
    best.push_back(
        {{"token", report::well_formed(candidate.token)}, {"probability", candidate.probability}});
  return {{"token", report::well_formed(token.token)},
          {"probability", token.probability},
          {"rank", token.rank},
          {"best", best}};
}

Json to_json(const std::vector<TokenConfidence>& tokens) {
  Json json = Json::array();
  for (const TokenConfidence& token : tokens)
    json.push_back(to_json(token));
  return json;
}

Json to_json(const Translation& found) {
  return {{"text", report::well_formed(found.text)},
          {"score", found.score},
          {"log_probability", found.log_probability},
          {"tokens", found.ids.size() + found.ended}};
}

Json tokens_json(const std::vector<std::string>& tokens) {
  Json json = Json::array();
  for (const std::string& token : tokens)
    json.push_back(report::well_formed(token));
  return json;
}

/// The double with the shortest text that restores the float, as JSON prints it.
double shortest(float weight) { return std::stod(fmt::format("{}", weight)); }

Json to_json(const AttentionLayerMap& map) {
  Json heads = Json::array();
  const float* row = map.weights.data();
  for (Index head = 0; head < map.heads; ++head) {
    Json rows = Json::array();
    for (Index i = 0; i < map.rows; ++i) {
      Json weights = Json::array();
      for (Index j = 0; j < map.columns; ++j)
        weights.push_back(shortest(row[j]));
      rows.push_back(std::move(weights));
      row += map.columns;
    }
    heads.push_back(std::move(rows));
  }
  return {{"layer", map.layer}, {"heads", heads}};
}

/// Throws BadRequest where the run is of another task.
void need(bool fits, const Run& run, const char* what) {
  if (!fits)
    throw BadRequest(fmt::format("this model {}: its task is {}", what, run.settings.task.name));
}
bool translates(const Run& run) {
  return run.settings.task.row().decodes && run.settings.task.row().reads_pairs;
}

}  // namespace

struct Service::Parts {
  std::vector<Run> runs;
  ServiceLimits limits;
  WorkQueue queue;

  Parts(std::vector<Run> all, const ServiceLimits& most)
      : runs(std::move(all)), limits(most), queue(most.waiting) {}

  const Run& run_of(const Request& request) const {
    const auto last = std::ssize(runs) - 1;
    return runs[static_cast<std::size_t>(request.number<Index>("run", 0, 0, last))];
  }

  /// Computes on the thread of the queue.
  Json compute(const ShouldStop& abandoned, const std::function<Json()>& work) {
    auto found = std::make_shared<Json>();
    queue.run([found, work] { *found = work(); }, abandoned);
    return std::move(*found);
  }

  DecodeOptions options_of(const Request& request, const Run& run) const {
    DecodeOptions options = run.decode_options();
    options.beam = request.number("beam", options.beam, 1, 64);
    options.nbest = request.number("nbest", 1, 1, options.beam);
    options.length_penalty = static_cast<Real>(
        request.number("length_penalty", static_cast<double>(options.length_penalty), 0.0, 100.0));
    return options;
  }

  void check_decoding(const std::vector<std::string>& lines, const DecodeOptions& options) const {
    std::size_t bytes = 0;
    for (const std::string& line : lines)
      bytes += line.size();
    const auto beam = static_cast<std::size_t>(options.beam);
    if (bytes * beam > limits.decoding)
      throw BadRequest(fmt::format(
          "{} bytes with a beam of {} take too long: their product may be {}; ask for less at once",
          bytes, beam, limits.decoding));
  }

  Json describe(const Request&, const ShouldStop&) const {
    Json all = Json::array();
    for (const Run& run : runs) {
      Json json{{"model", run.settings.model.name},
                {"task", run.settings.task.name},
                {"parameters", parameter_count(*run.model)},
                {"checkpoint", run.checkpoint.filename().string()},
                {"attends", translates(run) && attends(run.decoder())},
                {"beam", translates(run) ? run.decode_options().beam : 0}};
      if (run.tokenizers.labels) json["labels"] = tokens_json(run.tokenizers.labels->names());
      all.push_back(std::move(json));
    }
    return {{"version", api_version}, {"requests", Service::requests()}, {"runs", all}};
  }

  Json translate(const Request& request, const ShouldStop& abandoned) {
    const Run& run = run_of(request);
    need(translates(run), run, "does not translate");
    const std::vector<std::string> lines = request.lines("lines");
    const DecodeOptions options = options_of(request, run);
    check_decoding(lines, options);
    Json results = Json::array();
    for (const std::vector<Translation>& found : queue.translate(run, lines, options, abandoned)) {
      Json outputs = Json::array();
      for (const Translation& output : found)
        outputs.push_back(to_json(output));
      results.push_back(std::move(outputs));
    }
    return {{"results", results}};
  }

  /// The outputs of a line with what there is to see of them.
  Json attention(const Request& request, const ShouldStop& abandoned) {
    const Run& run = run_of(request);
    need(translates(run), run, "does not translate");
    const std::vector<std::string> lines{request.line("line")};
    check_decoding(lines, options_of(request, run));
    const auto found = queue.translate(run, lines, options_of(request, run), abandoned);
    return compute(abandoned, [&run, lines, found, most = limits.weights] {
      Json outputs = Json::array();
      std::size_t weights = 0;
      for (const Translation& output : found[0]) {
        const Translations alone{{output}};
        Json json = to_json(output);
        json["confidence"] =
            to_json(confidences(run.decoder(), run.tokenizers, lines, alone).front());
        const AttendedLine line = attend(run.decoder(), run.tokenizers, lines, alone).front();
        json["source"] = tokens_json(line.source);
        json["target"] = tokens_json(line.target);
        for (const AttentionLayerMap& map : line.layers)
          weights += map.weights.size();
        if (weights > most)
          throw BadRequest(fmt::format(
              "the answer has more than {} weights; ask for a shorter text, or fewer outputs",
              most));
        json["layers"] = Json::array();
        for (const AttentionLayerMap& map : line.layers)
          json["layers"].push_back(to_json(map));
        outputs.push_back(std::move(json));
      }
      return Json{{"outputs", outputs}};
    });
  }

  Json score(const Request& request, const ShouldStop& abandoned) {
    const Run& run = run_of(request);
    need(translates(run), run, "scores no pairs");
    const std::vector<std::string> lines = request.lines("lines");
    const std::vector<std::string> targets = request.lines("targets");
    if (lines.size() != targets.size())
      throw BadRequest(
          fmt::format("targets: expected {} texts; got {}", lines.size(), targets.size()));
    check_decoding(lines, {.beam = 1});
    check_decoding(targets, {.beam = 1});
    return compute(abandoned, [&run, lines, targets] {
      const TargetScores found = target_scores(run, lines, targets);
      if (!found.problem.empty())
        throw BadRequest(fmt::format("targets[{}] {}", found.scores.size(), found.problem));
      Json scores = Json::array();
      for (const TargetScore& score : found.scores)
        scores.push_back({{"log_probability", score.log_probability}, {"tokens", score.tokens}});
      return Json{{"scores", scores}};
    });
  }

  Json tokenize(const Request& request, const ShouldStop&) const {
    const Run& run = run_of(request);
    need(run.tokenizers.source != nullptr, run, "reads no texts");
    Json all = Json::array();
    for (const std::string& line : request.lines("lines"))
      all.push_back(tokens_json(run.tokenizers.source->tokens(line)));
    return {{"tokens", all}};
  }

  Json predict(const Request& request, const ShouldStop& abandoned) {
    const Run& run = run_of(request);
    need(run.settings.task.row().labelled && !run.tokenizers.reader, run,
         "gives no labels, or reads no texts");
    const std::vector<std::string> lines = request.lines("lines");
    check_decoding(lines, {.beam = 1});
    return compute(abandoned, [&run, lines] {
      Json results = Json::array();
      for (const std::vector<Prediction>& found :
           heed::predict(model_as<Classifier>(*run.model), run.tokenizers, lines)) {
        Json labels = Json::array();
        for (const Prediction& one : found)
          labels.push_back(
              {{"label", report::well_formed(one.label)}, {"probability", one.probability}});
        results.push_back(std::move(labels));
      }
      return Json{{"results", results}};
    });
  }

  Json generate(const Request& request, const ShouldStop& abandoned) {
    const Run& run = run_of(request);
    need(!run.settings.task.row().reads_pairs, run, "continues no text");
    const std::string prompt = request.text("prompt");
    GenerateOptions options{
        .count = request.number<Index>("tokens", 100, 1, limits.tokens),
        .temperature = request.number("temperature", 0.8, 0.0, 100.0),
        .seed = static_cast<std::uint64_t>(request.number<Index>("seed", 1, 0, 1'000'000'000))};
    options.should_stop = abandoned;
    return compute(abandoned, [&run, prompt, options] {
      return Json{{"text", report::well_formed(generate_text(run, prompt, options))}};
    });
  }

  using Answer = std::function<Json(Parts&, const Request&, const ShouldStop&)>;
  struct Row {
    const char* name;
    std::vector<std::string> fields;
    Answer answer;
  };
  static const std::vector<Row>& rows() {
    static const std::vector<Row> all{
        {"run", {}, &Parts::describe},
        {"translate", {"run", "lines", "beam", "nbest", "length_penalty"}, &Parts::translate},
        {"attention", {"run", "line", "beam", "nbest", "length_penalty"}, &Parts::attention},
        {"score", {"run", "lines", "targets"}, &Parts::score},
        {"tokenize", {"run", "lines"}, &Parts::tokenize},
        {"predict", {"run", "lines"}, &Parts::predict},
        {"generate", {"run", "prompt", "tokens", "temperature", "seed"}, &Parts::generate}};
    return all;
  }
};

Service::Service(std::vector<Run> runs, const ServiceLimits& limits)
    : parts_(std::make_unique<Parts>(std::move(runs), limits)) {
  check(!parts_->runs.empty(), "serve", "expected at least one run");
  for (const Run& run : parts_->runs)
    if (run.settings.task.row().decodes) run.decoder();  // packed now, not at the first request
}
Service::~Service() = default;

std::vector<std::string> Service::requests() {
  std::vector<std::string> names;
  for (const Parts::Row& row : Parts::rows())
    names.emplace_back(row.name);
  return names;
}

std::string Service::answer(const std::string& what, const std::string& request,
                            const ShouldStop& abandoned) {
  for (const Parts::Row& row : Parts::rows()) {
    if (row.name != what) continue;
    const Request read(request, parts_->limits);
    read.check_fields(row.fields);
    return row.answer(*parts_, read, abandoned).dump();
  }
  throw BadRequest(fmt::format("there is no request '{}'{}", what, did_you_mean(what, requests())));
}

}  // namespace heed
