#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "layers/attention/attentions.h"
#include "models/convolutional.h"
#include "models/families.h"
#include "models/hybrid.h"
#include "tests/models/tiny.h"

// Small models by the settings of what they are made of.

namespace heed {

using Assignment = std::pair<std::string, FieldValue>;

/// Small sizes, where a family or a row has them.
inline const std::vector<Assignment> tiny_sizes = {
    {"d", Index{16}},       {"layers", Index{2}},         {"heads", Index{4}},   {"ff", Index{24}},
    {"context", Index{20}}, {"window", Index{3}},         {"longest", Index{6}}, {"ramp", 2.0},
    {"reach", Index{2}},    {"max_positions", Index{64}}, {"dropout", 0.1}};

/// What decides which other options there are.
inline const std::set<std::string> selecting = {"attention", "positions", "convolution", "decoder"};

inline AnyOptions options_with(const std::string& family,
                               const std::vector<Assignment>& assignments) {
  AnyOptions options = model_families().at(family).options;
  const auto set = [&](const Assignment& a, bool must) {
    const Fields fields = fields_of(options);
    const Field* field = fields.find(a.first);
    if (field) field->set(a.second);
    EXPECT_TRUE(field || !must) << family << " has no option " << a.first;
  };
  for (const Assignment& a : assignments)
    if (selecting.contains(a.first)) set(a, true);
  for (const Assignment& a : tiny_sizes)
    set(a, false);
  for (const Assignment& a : assignments)
    set(a, true);
  return options;
}

/// A small model with these options.
inline std::unique_ptr<BatchModel> made(const std::string& family,
                                        const std::vector<Assignment>& assignments) {
  AnyOptions options = options_with(family, assignments);
  options.check();
  Random random(3);
  if (family == "lm") {
    auto& o = options.as<LanguageModelOptions>();
    o.vocabulary = tiny_vocabulary;
    return of_batches<LanguageModel>(o, random);
  }
  if (family == "conv") {
    auto& o = options.as<ConvS2SOptions>();
    o.vocabulary = tiny_vocabulary;
    return of_batches<ConvS2S>(o, random);
  }
  auto& o = options.as<TransformerOptions>();
  o.vocabulary = tiny_vocabulary;
  if (o.decoder == DecoderKind::rnn) return of_batches<RecurrentSeq2Seq>(hybrid_options(o), random);
  return of_batches<Transformer>(o, random);
}

/// The attentions that layers can have.
inline std::vector<std::string> layer_attentions() {
  std::vector<std::string> names;
  for (const AttentionKind& kind : attentions().rows())
    if (kind.of_layers) names.push_back(kind.name);
  return names;
}

/// "lm attention=local d=16"
inline std::string label_of(const std::string& family, const std::vector<Assignment>& assignments) {
  std::string label = family;
  for (const auto& [key, value] : assignments)
    label += fmt::format(" {}={}", key, to_text(value));
  return label;
}

}  // namespace heed
