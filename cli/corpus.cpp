#include "cli/corpus.h"

#include <algorithm>
#include <numeric>

#include "datasets/batching.h"
#include "datasets/text_windows.h"
#include "framework/error.h"
#include "framework/random.h"
#include "datasets/text_file.h"

namespace heed::cli {

namespace {

constexpr Index toy_vocabulary_lines = 20000, toy_valid_lines = 500;
constexpr std::uint64_t toy_seed = 1;  // the corpus is the same whatever the seed of training

/// Some lines of another source.
class ChosenPairs final : public PairSource {
 public:
  ChosenPairs(std::shared_ptr<const PairSource> all, std::vector<Index> lines) : all_(std::move(all)), lines_(std::move(lines)) {}
  Index size() const override { return static_cast<Index>(lines_.size()); }
  Pair at(Index i) const override { return all_->at(lines_[i]); }
  std::string name() const override { return all_->name(); }
  Index skipped() const override { return all_->skipped(); }

 private:
  std::shared_ptr<const PairSource> all_;
  std::vector<Index> lines_;
};

std::vector<Index> first(Index n) {
  std::vector<Index> lines(static_cast<std::size_t>(n));
  std::iota(lines.begin(), lines.end(), Index{0});
  return lines;
}

Tokenizers train_on_pairs(const Settings& s, const PairSource& pairs) {
  return train_tokenizer(s.data.tokenizer, {.min_count = s.data.min_count, .max_size = s.data.vocab_size}, [&](const TakeLine& take) {
    const Index lines = pairs.size() < 0 ? toy_vocabulary_lines : pairs.size();
    for (Index i = 0; i < lines; ++i) {
      const Pair pair = pairs.at(i);
      take(pair.source), take(pair.target);
    }
  });
}

BatchOptions batch_options(const Settings& s) {
  return {.batch_tokens = s.data.batch_tokens, .max_length = s.data.max_length, .seed = static_cast<std::uint64_t>(s.train.seed)};
}

Corpus open_pair_corpus(const Settings& s, const Tokenizers& tokenizers) {
  Corpus corpus;
  corpus.train_pairs = open_pairs(s.data.train, s.data.fields, Split::train, toy_seed);
  std::string held_out;
  if (!s.data.valid.empty() || is_toy(s.data.train)) {
    corpus.valid_pairs = open_evaluation_pairs(s.data.valid.empty() ? s.data.train : s.data.valid, s.data.fields, toy_valid_lines, Split::valid);
  } else if (const Index n = corpus.train_pairs->size(), valid = std::min<Index>(1000, static_cast<Index>(static_cast<double>(n) * s.data.valid_fraction));
             valid > 0) {
    std::vector<Index> lines = first(n);
    Random random(0, 0x4e1d);  // the same lines whatever the seed of training: runs of several seeds are judged by one set
    random.shuffle(lines);
    std::vector<Index> kept(lines.begin() + valid, lines.end());
    lines.resize(static_cast<std::size_t>(valid));
    std::sort(kept.begin(), kept.end()), std::sort(lines.begin(), lines.end());
    const std::shared_ptr<const PairSource> all = std::move(corpus.train_pairs);
    corpus.train_pairs = std::make_unique<ChosenPairs>(all, std::move(kept));
    corpus.valid_pairs = std::make_unique<ChosenPairs>(all, std::move(lines));
    held_out = " (held out; choose your own with --valid)";
  }
  corpus.tokenizers = tokenizers.source ? tokenizers : train_on_pairs(s, *corpus.train_pairs);
  corpus.train = std::make_unique<PairBatches>(*corpus.train_pairs, corpus.tokenizers, batch_options(s));
  if (s.train.epochs > 0) {
    if (corpus.train_pairs->size() < 0) fail("{} has no end, so no epochs; give --steps or --time", corpus.train_pairs->name());
    corpus.batches_per_epoch = PairBatches(*corpus.train_pairs, corpus.tokenizers, batch_options(s)).count_epoch();
  }
  const auto count = [](const PairSource& pairs) { return pairs.size() < 0 ? std::string("endless") : fmt::format("{} pairs", pairs.size()); };
  corpus.description = fmt::format("{}: {}", corpus.train_pairs->name(), count(*corpus.train_pairs));
  if (const Index skipped = corpus.train_pairs->skipped(); skipped > 0) corpus.description += fmt::format(", {} with a blank side skipped", skipped);
  if (corpus.valid_pairs) {
    BatchCounts counts;
    corpus.valid = all_batches(*corpus.valid_pairs, corpus.tokenizers, batch_options(s), &counts);
    corpus.description += fmt::format("; validation: {}{}", count(*corpus.valid_pairs), held_out);
    if (counts.dropped > 0) corpus.description += fmt::format(", {} longer than data.max_length left out", counts.dropped);
  } else {
    corpus.description += "; no validation";
  }
  return corpus;
}

Corpus open_text_corpus(const Settings& s, const Tokenizers& tokenizers) {
  if (s.data.train.size() != 1 || is_toy(s.data.train) || s.data.valid.size() > 1)
    fail("--model lm trains on one text file: --train FILE.txt [--valid FILE.txt]");
  Corpus corpus;
  corpus.tokenizers = tokenizers;
  if (!tokenizers.source) {
    const std::string text = read_text(s.data.train[0]);
    corpus.tokenizers = train_tokenizer(s.data.tokenizer, {.min_count = s.data.min_count, .max_size = s.data.vocab_size},
                                       [&](const TakeLine& take) { take(text); });
  }
  TextWindows windows = TextWindows::open(s.data.train[0], s.data.valid.empty() ? "" : s.data.valid[0], *corpus.tokenizers.target,
                                          {.context = s.model.context,
                                           .batch = std::max<Index>(1, s.data.batch_tokens / s.model.context),
                                           .valid_fraction = s.data.valid_fraction,
                                           .seed = static_cast<std::uint64_t>(s.train.seed)});
  corpus.valid = windows.valid_batches();
  corpus.batches_per_epoch = std::max<Index>(1, static_cast<Index>(windows.train().size()) / s.data.batch_tokens);
  corpus.description = fmt::format("{}: {} tokens; validation: {} tokens", s.data.train[0], windows.train().size(), windows.valid().size());
  corpus.train = std::make_unique<TextWindows>(std::move(windows));
  return corpus;
}

}  // namespace

bool is_toy(const std::vector<std::string>& data) { return data.size() == 1 && data[0].starts_with("toy:"); }

std::unique_ptr<PairSource> open_evaluation_pairs(const std::vector<std::string>& data, const std::vector<std::string>& fields, Index lines,
                                                  Split split) {
  std::unique_ptr<PairSource> pairs = open_pairs(data, fields, split, toy_seed);
  if (pairs->size() >= 0) return pairs;
  return std::make_unique<ChosenPairs>(std::move(pairs), first(lines));
}

Corpus open_corpus(const Settings& settings, const Tokenizers& tokenizers) {
  return settings.model.name == "lm" ? open_text_corpus(settings, tokenizers) : open_pair_corpus(settings, tokenizers);
}

}  // namespace heed::cli
