#include "models/decode/generate.h"

#include <algorithm>

#include "layers/dropout.h"
#include "models/decode/internal/option_lists.h"
#include "models/decode/internal/search.h"

namespace heed {

namespace {

void check_options(GenerateOptions o) {
  try {
    check_seed(o.seed);
    check_ranges(fields_of(o));
  } catch (const FieldError& error) {
    fail("[generate] {}", error.what());
  }
}

DecodeOptions draw_options(const GenerateOptions& o) {
  return {.forbid_unk = o.forbid_unk,
          .special = o.special,
          .sample = true,
          .temperature = o.temperature,
          .top_k = o.top_k,
          .top_p = o.top_p,
          .seed = o.seed};
}

Index most_tokens(const Decoder& decoder, std::span<const Id> prompt, const GenerateOptions& o) {
  const Index placed = decoder.longest_output(static_cast<Index>(prompt.size()));
  return placed == 0 ? o.count : std::min(placed, o.count);
}

/// One output that grows. Only its own computations are without dropout, not what the caller does
/// with a token.
class Text {
 public:
  Text(const Decoder& decoder, std::span<const std::vector<Id>> source,
       const DecodeOptions& options)
      : options_(options), key_(sample_key(options.seed, 0, 0)) {
    const NoDropout evaluate;
    next_ = begin(decoder, source, options.special);
  }
  /// Draws one more token; false where the text ends instead.
  bool grow() {
    const NoDropout evaluate;
    Tensor logits = next_.state->step(next_.tokens);
    const Id drawn = draw_next(ids_, key_, options_, logits.span());
    if (drawn == options_.special.pad || drawn == options_.special.eos) return false;
    ids_.push_back(drawn);
    next_.tokens = {drawn};
    return true;
  }
  const std::vector<Id>& ids() const { return ids_; }

 private:
  const DecodeOptions& options_;
  RandomKey key_;
  DecodingStart next_;  // the state, and the token that the next step feeds
  std::vector<Id> ids_;
};

}  // namespace

void GenerateOptions::list(Fields& f) {
  f("count", count, between(Index{1}), "largest number of tokens of a text")
      .resume(Resume::free)
      .option("tokens");
  list_sampling_of(*this, f);
  list_forbid_unk_of(*this, f);
}

std::vector<Id> generate(const Decoder& decoder, std::span<const Id> prompt,
                         const GenerateOptions& o) {
  check_options(o);
  const std::vector<std::vector<Id>> source = {{prompt.begin(), prompt.end()}};
  check_texts("generate", decoder, source);
  const DecodeOptions options = draw_options(o);
  Text text(decoder, source, options);
  for (Index left = most_tokens(decoder, prompt, o); left > 0; --left) {
    if (o.should_stop && o.should_stop()) break;
    if (!text.grow()) break;
    if (o.on_token) o.on_token(text.ids().back());
  }
  return text.ids();
}

}  // namespace heed
