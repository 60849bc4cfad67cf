#include "models/decode/internal/option_lists.h"
#include "models/decode/internal/search.h"

namespace heed {

namespace {

constexpr Index most_tokens = Index{1} << 20;

/// Throws FieldError where an option is out of its range.
void check_each(DecodeOptions o) {
  check_ranges(fields_of(o));
  if (!o.sample) return;
  check_seed(o.seed);
  Fields sampling;
  o.list_sampling(sampling);
  check_ranges(sampling);
}

}  // namespace

void DecodeOptions::list(Fields& f) {
  const auto search = [&](const char* name, auto& value, Range range, const char* option,
                          const char* help) {
    f(name, value, std::move(range), help).resume(Resume::free).option(option);
  };
  search("beam", beam, between(Index{1}, Index{1000}), "beam", "beam width; 1: greedy");
  search("length_penalty", length_penalty, between(0.0, 100.0), "length-penalty",
         "alpha; larger values favour longer outputs");
  search("min_length", min_length, between(Index{0}, most_tokens), "min-length",
         "smallest number of tokens of an output");
  f("max_length", max_length, between(Index{0}, most_tokens),
    "largest number of tokens of an output; 0: twice the source + 20, at most as many as in "
    "training, or 1024")
      .resume(Resume::free)
      .option("max-length")
      .option_help("largest number of tokens of an output")
      .option_range(between(Index{1}, most_tokens));
  search("no_repeat_ngram", no_repeat_ngram, between(Index{0}, most_tokens), "no-repeat-ngram",
         "no sequence of N tokens occurs twice in an output; 0: it may");
  search("coverage_penalty", coverage_penalty, between(0.0, 100.0), "coverage-penalty",
         "beta; larger values favour outputs that attend to all of the source");
  list_forbid_unk_of(*this, f);
}

void DecodeOptions::list_sampling(Fields& f) { list_sampling_of(*this, f); }

void DecodeOptions::check() const {
  if (max_length > 0 && min_length > max_length)
    throw FieldError("min_length", fmt::format("at most max_length, {}", max_length),
                     std::to_string(min_length));
  if (nbest < 1) throw FieldError("nbest", "a whole number above 0", std::to_string(nbest));
  if (!sample && nbest > beam)
    throw FieldError("nbest", fmt::format("at most beam, {}", beam), std::to_string(nbest));
  if (sample && coverage_penalty != 0)
    throw FieldError("coverage_penalty", "0, because samples are not ranked",
                     fmt::format("{}", coverage_penalty));
}

void check_options(const DecodeOptions& o) {
  try {
    check_each(o);
    o.check();
  } catch (const FieldError& error) {
    fail("[decode] {}", error.what());
  }
  check(o.usual_length >= 0, "decode",
        "usual_length: expected a whole number of at least 0; got {}", o.usual_length);
}

}  // namespace heed
