#include "experiments/internal/text_parts.h"

#include <algorithm>
#include <cmath>

#include "datasets/metrics/perplexity.h"
#include "datasets/text/text_windows.h"
#include "datasets/text/utf8.h"
#include "models/language_model.h"

namespace heed {

namespace {

// Long enough that parts are about as hard as each other, and short enough that a text of some
// pages has hundreds.
constexpr Index part_characters = 300;

/// Whole lines that together are at least so long. No token lies in two lines, so the tokens of the
/// parts are those of the text.
std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts;
  Index characters = part_characters;  // of the last part
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    const std::string line = text.substr(begin, end - begin);
    if (characters >= part_characters) {
      parts.emplace_back();
      characters = 0;
    }
    parts.back() += line;
    characters += static_cast<Index>(utf8::length(line));
    begin = end;
  }
  return parts;
}

/// -ln p of a gold id, by a row of logits.
double nats_of(const Real* logits, Index vocabulary, Id gold) {
  const double most = *std::max_element(logits, logits + vocabulary);
  double sum = 0;
  for (Index i = 0; i < vocabulary; ++i)
    sum += std::exp(static_cast<double>(logits[i]) - most);
  return std::log(sum) + most - static_cast<double>(logits[gold]);
}

/// The nats of all ids but the first.
std::vector<double> nats_of_tokens(const LanguageModel& model, std::span<const Id> ids,
                                   Index context, const ShouldStop& should_stop) {
  constexpr Index rows_at_once = 1024;  // of logits
  const Tape::Pause pause;
  std::vector<double> nats;
  for (const Batch& batch :
       consecutive_windows(ids, context, std::max<Index>(1, rows_at_once / context))) {
    stop_if(should_stop);
    const Tensor logits = model.logits(batch.target).value();
    const Index vocabulary = logits.shape()[1];
    for (Index row = 0; row < batch.gold.size(); ++row)
      if (batch.gold[row] != batch.ignored)
        nats.push_back(nats_of(logits.data() + row * vocabulary, vocabulary, batch.gold[row]));
  }
  return nats;
}

}  // namespace

TestSet text_in_parts(const std::string& name, const std::string& text,
                      const Tokenizer& tokenizer) {
  TestSet test{.name = name, .sources = parts_of(text), .references = {}, .has_lengths = false};
  if (tokenizer.encode(text).size() < 2)
    fail("{}: nothing to test on: the text has fewer than two tokens", name);
  test.references = test.sources;
  test.references[0].erase(0, end_of_tokens(tokenizer, test.references[0], 1));
  return test;
}

std::vector<std::string> nats_of_parts(const Settings& settings, const Model& model,
                                       const Tokenizers& tokenizers, const TestSet& test,
                                       const ShouldStop& should_stop) {
  std::vector<Id> ids;
  std::vector<std::size_t> ends;  // of the parts, in tokens
  for (const std::string& part : test.sources) {
    const std::vector<Id> more = tokenizers.target->encode(part);
    ids.insert(ids.end(), more.begin(), more.end());
    ends.push_back(ids.size());
  }
  const auto context = settings.value_or("model.context", Index{64});
  const std::vector<double> nats =
      nats_of_tokens(model_as<LanguageModel>(model), ids, context, should_stop);
  std::vector<std::string> sums;
  std::size_t token = 1;  // the first is given
  for (const std::size_t end : ends) {
    double sum = 0;
    for (; token < end; ++token)
      sum += nats[token - 1];
    sums.push_back(fmt::format("{}", sum));
  }
  return sums;
}

}  // namespace heed
