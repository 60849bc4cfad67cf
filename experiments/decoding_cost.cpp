#include "experiments/decoding_cost.h"

#include <chrono>

#include "datasets/text/special_ids.h"
#include "framework/sequences.h"

namespace heed {

namespace {

void keep_most(std::vector<Id>& tokens, Index most) {
  if (most > 0) tokens.resize(std::min(tokens.size(), static_cast<std::size_t>(most)));
}

/// Numbers that the state holds after the last token.
Index write(const Decoder& decoder, const ForcedText& text) {
  const auto state = decoder.start(pack({text.source}));
  for (const Id token : text.tokens)
    state->step(std::span(&token, 1));
  return state->state_size();
}

}  // namespace

std::vector<ForcedText> forced_pairs(const Decoder& decoder, const Tokenizers& tokenizers,
                                     const TestSet& test) {
  constexpr std::size_t most = 64;
  std::vector<ForcedText> texts;
  for (std::size_t i = 0; i < test.sources.size() && texts.size() < most; ++i) {
    std::vector<std::string> extra;
    ForcedText text{encode_source(decoder, tokenizers, test.sources[i], extra), {bos_id}};
    if (text.source.empty()) continue;
    const std::vector<Id> reference = tokenizers.target->encode(test.references[i], extra);
    text.tokens.insert(text.tokens.end(), reference.begin(), reference.end());
    keep_most(text.tokens, decoder.longest_output(std::ssize(text.source)));
    texts.push_back(std::move(text));
  }
  return texts;
}

std::vector<ForcedText> forced_beginning(const Decoder&, const Tokenizers& tokenizers,
                                         const TestSet& test) {
  constexpr Index most = 512;
  ForcedText text;
  for (const std::string& part : test.sources) {
    const std::vector<Id> more = tokenizers.target->encode(part);
    text.tokens.insert(text.tokens.end(), more.begin(), more.end());
    if (std::ssize(text.tokens) >= most) break;
  }
  keep_most(text.tokens, most);
  return {text};
}

DecodingCost decoding_cost(const Decoder& decoder, std::span<const ForcedText> texts,
                           const ShouldStop& should_stop) {
  if (texts.empty()) return {};
  write(decoder, {texts[0].source, {texts[0].tokens[0]}});  // warms up
  Index tokens = 0;
  Index numbers = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (const ForcedText& text : texts) {
    stop_if(should_stop);
    numbers += write(decoder, text);
    tokens += std::ssize(text.tokens);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const double mean = static_cast<double>(numbers) / static_cast<double>(texts.size());
  return {.tokens_per_s = static_cast<double>(tokens) / seconds.count(),
          .state_kib = mean * sizeof(Real) / 1024};
}

}  // namespace heed
