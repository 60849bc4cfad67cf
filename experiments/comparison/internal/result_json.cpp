#include "experiments/comparison/internal/result_json.h"

namespace heed {

namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Spread& s) {
  return {{"mean", s.mean}, {"deviation", s.deviation ? Json(*s.deviation) : Json(nullptr)}};
}

Json to_json(const std::vector<Spread>& spreads) {
  Json json = Json::array();
  for (const Spread& s : spreads)
    json.push_back(to_json(s));
  return json;
}

Json to_json(const ModelSummary& m, const Comparison& comparison) {
  const std::vector<ComparedFigure>& figures = comparison.figures;
  Json json{{"model", m.model},
            {"d", m.d},
            {"parameters", m.parameters},
            {"outside_vocabulary", m.outside_vocabulary},
            {"flops", m.flops},
            {"steps", to_json(m.steps)},
            {"tokens_per_s", to_json(m.tokens_per_s)},
            {"seconds", to_json(m.seconds)},
            {"peak_mb", to_json(m.peak_mb)},
            {"decoded_tokens_per_s", to_json(m.decoded_tokens_per_s)},
            {"state_kib", m.state_kib},
            {"valid_perplexity", to_json(m.perplexity)}};
  for (std::size_t i = 0; i < figures.size(); ++i)
    json["test_" + figures[i].metric] = to_json(m.scores[i]);
  for (std::size_t i = 0; i < m.grouped.size(); ++i)
    json[figures[0].metric + "_by_" + comparison.groupings[i].key] = to_json(m.grouped[i]);
  return json;
}

Json to_json(const ModelPair& p, const std::string& metric, bool decides) {
  return {{"better", p.better},
          {"worse", p.worse},
          {metric, p.difference.mean},
          {"low", p.difference.low},
          {"high", p.difference.high},
          {"wins", p.difference.wins},
          {"significant", decides && p.difference.significant()},
          {"p", p.difference.p},
          {"holm_p", p.holm_p},
          {"significant_after_holm", decides && p.significant_after_holm()}};
}

}  // namespace

Json to_json(const RunResult& r) {
  return {{"model", r.model},
          {"family", r.family},
          {"seed", r.seed},
          {"d", r.d},
          {"parameters", r.parameters},
          {"outside_vocabulary", r.outside_vocabulary},
          {"flops", r.flops},
          {"steps", r.steps},
          {"best_step", r.best_step},
          {"seconds", r.seconds},
          {"tokens_per_s", r.tokens_per_s},
          {"peak_mb", r.peak_mb},
          {"decoded_tokens_per_s", r.decoding.tokens_per_s},
          {"state_kib", r.decoding.state_kib},
          {"valid_loss", r.valid_loss},
          {"valid_perplexity", r.valid_perplexity()}};
}

RunResult result_from_json(const Json& j) {
  return {.model = j.at("model"),
          .family = j.value("family", std::string(j.at("model"))),  // missing in earlier versions
          .seed = j.at("seed"),
          .d = j.at("d"),
          .parameters = j.at("parameters"),
          .outside_vocabulary = j.value("outside_vocabulary", Index{0}),
          .flops = j.value("flops", Index{0}),
          .steps = j.at("steps"),
          .best_step = j.at("best_step"),
          .seconds = j.at("seconds"),
          .tokens_per_s = j.at("tokens_per_s"),
          .peak_mb = j.at("peak_mb"),
          .decoding = {.tokens_per_s = j.value("decoded_tokens_per_s", 0.0),
                       .state_kib = j.value("state_kib", 0.0)},
          .valid_loss = j.at("valid_loss"),
          .hypotheses = {}};
}

Json to_json(const Comparison& result) {
  const std::string& metric = result.figures[0].metric;
  Json json{{metric + "_signature", result.signature},
            {"models", Json::array()},
            {"differences", Json::array()}};
  for (const ModelSummary& m : result.models)
    json["models"].push_back(to_json(m, result));
  for (const Grouping& grouping : result.groupings)
    for (const LineGroup& group : grouping.groups)
      json[grouping.key + "_buckets"].push_back(
          {{"low", group.low}, {"high", group.high}, {"lines", group.lines.size()}});
  for (const ModelPair& p : result.pairs)
    json["differences"].push_back(to_json(p, metric, result.decides()));
  for (const auto& [model, tuning] : result.tunings) {
    Json row{{"model", model}};
    row.update(Json::parse(to_json(tuning)));
    json["tuning"].push_back(row);
  }
  return json;
}

}  // namespace heed
