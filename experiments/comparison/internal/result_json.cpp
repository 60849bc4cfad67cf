#include "experiments/comparison/internal/result_json.h"

namespace heed {

namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Spread& s) {
  return {{"mean", s.mean}, {"deviation", s.deviation ? Json(*s.deviation) : Json(nullptr)}};
}

Json to_json(const ModelSummary& m) {
  Json by_length = Json::array();
  for (const Spread& s : m.by_length)
    by_length.push_back(to_json(s));
  return {{"model", m.model},
          {"d", m.d},
          {"parameters", m.parameters},
          {"steps", to_json(m.steps)},
          {"tokens_per_s", to_json(m.tokens_per_s)},
          {"seconds", to_json(m.seconds)},
          {"peak_mb", to_json(m.peak_mb)},
          {"valid_perplexity", to_json(m.perplexity)},
          {"test_bleu", to_json(m.bleu)},
          {"test_exact", to_json(m.exact)},
          {"bleu_by_length", by_length}};
}

Json to_json(const ModelPair& p) {
  return {{"better", p.better},
          {"worse", p.worse},
          {"bleu", p.difference.mean},
          {"low", p.difference.low},
          {"high", p.difference.high},
          {"wins", p.difference.wins},
          {"significant", p.difference.significant()}};
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
          {"valid_perplexity", r.valid_perplexity()}};
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

Json to_json(const Comparison& result) {
  Json json{{"bleu_signature", result.signature},
            {"models", Json::array()},
            {"length_buckets", Json::array()},
            {"differences", Json::array()}};
  for (const ModelSummary& m : result.models)
    json["models"].push_back(to_json(m));
  for (const LengthBucket& b : result.buckets)
    json["length_buckets"].push_back({{"low", b.low}, {"high", b.high}, {"lines", b.lines.size()}});
  for (const ModelPair& p : result.pairs)
    json["differences"].push_back(to_json(p));
  return json;
}

}  // namespace heed
