#include "cli/corpus.h"

#include <algorithm>
#include <tuple>

#include <fmt/ranges.h>

#include "cli/commands.h"
#include "cli/data_warnings.h"
#include "cli/model.h"
#include "cli/progress.h"
#include "cli/run.h"
#include "datasets/batching.h"
#include "datasets/text_file.h"
#include "datasets/text_windows.h"
#include "framework/error.h"

namespace heed::cli {

namespace {

constexpr Index toy_vocabulary_lines = 20000;
constexpr Index toy_valid_lines = 500;
constexpr std::uint64_t toy_seed = 1;  // the corpus is the same whatever the seed of training

constexpr const char* counting_words = "reading the text for the vocabulary";
constexpr const char* learning_subwords = "learning subwords";

/// `overlap` sees every pair that is read.
Tokenizers train_on_pairs(const Settings& s, const PairSource& pairs, Overlap& overlap,
                          Preparing& preparing) {
  const auto train = [&](bool sources, bool targets) {
    preparing.now(counting_words);
    return train_tokenizer(
        s.data.tokenizer, {.min_count = s.data.min_count, .max_size = s.data.vocab_size},
        [&](const TakeLine& take) {
          const Index lines = pairs.size() < 0 ? toy_vocabulary_lines : pairs.size();
          for (Index i = 0; i < lines; ++i) {
            stop_if_interrupted();
            if (i % 4096 == 0) preparing.done(static_cast<double>(i) / static_cast<double>(lines));
            const Pair pair = pairs.at(i);
            if (sources) {
              take(pair.source);
              overlap.train_on(pair);
            }
            if (targets) take(pair.target);
          }
          if (has_subwords(s.data.tokenizer)) preparing.now(learning_subwords);
        });
  };
  if (s.data.joint_vocabulary) return train(true, true);
  return {train(true, false), train(false, true)};
}

/// Whether the model takes shorter sides than data.max_length allows.
bool model_is_stricter(const Settings& s) {
  const Index longest = longest_side(s);
  return longest > 0 && (s.data.max_length == 0 || longest < s.data.max_length);
}

BatchOptions batch_options(const Settings& s) {
  const Index max_length = model_is_stricter(s) ? longest_side(s) : s.data.max_length;
  return {.batch_tokens = s.data.batch_tokens,
          .max_length = max_length,
          .cut = s.data.long_pairs == "cut",
          .seed = static_cast<std::uint64_t>(s.train.seed),
          .widen = s.model.copy,
          .subword_sampling = s.data.subword_sampling};
}

ReadOptions read_options(const Settings& s, Preparing& preparing) {
  preparing.now(fmt::format("reading {}", fmt::join(s.data.train, " ")));
  return {.blank_is_error = s.data.blank == "error",
          .progress = [&preparing](double part) { preparing.done(part); }};
}

std::string hex(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

void add_warning(Corpus& corpus, std::string text) {
  if (!text.empty()) corpus.warnings.push_back(std::move(text));
}

/// Those of the window that comes next, which stays at hand.
std::vector<Batch> first_window(PairBatches& batches) {
  const auto begin = batches.position();
  std::vector<Batch> window;
  do
    window.push_back(batches.next());
  while (batches.position()[0] == begin[0] && batches.position()[1] == begin[1]);
  batches.seek(begin);
  return window;
}

/// Of those with a side that the model cannot take: ", 3 longer than model.positions = 9 allows,
/// line 7 first, and dropped".
std::string beyond_model(const BatchCounts& counts, const PairSource& pairs, const Settings& s,
                         const std::string& some) {
  const Index count = counts.cut + counts.dropped - counts.over_budget;
  std::string text;
  if (count > 0)
    text = fmt::format(
        ", {}{} longer than model.positions = {} allows, </s> among them (line {} is the first), "
        "and {}",
        count, some, s.model.positions, pairs.line(counts.first_long),
        counts.cut > 0 ? "cut" : "dropped");
  if (counts.over_budget > 0)
    text +=
        fmt::format(", {}{} too long (data.batch_tokens) and dropped", counts.over_budget, some);
  return text;
}

/// What became of those too long: ", 3 too long (data.max_length) dropped", of all `size` pairs or
/// of the first that were read.
std::string too_long(const BatchCounts& counts, const PairSource& pairs, const Settings& s) {
  const std::string some =
      counts.read == pairs.size() ? "" : fmt::format(" of the first {}", counts.read);
  if (model_is_stricter(s)) return beyond_model(counts, pairs, s, some);
  std::string text;
  if (counts.dropped > 0)
    text += fmt::format(", {}{} too long (data.max_length, data.batch_tokens) and dropped",
                        counts.dropped, some);
  if (counts.cut > 0) text += fmt::format(", {}{} cut to data.max_length", counts.cut, some);
  return text;
}

Corpus open_pair_corpus(const Settings& s, const Tokenizers& tokenizers) {
  Corpus corpus;
  Preparing preparing;
  const ReadOptions reading = read_options(s, preparing);
  corpus.train_pairs = open_pairs(s.data.train, s.data.fields, Split::train, toy_seed, reading);
  std::string held_out;
  if (!s.data.valid.empty() || is_toy(s.data.train)) {
    corpus.valid_pairs =
        open_evaluation_pairs(s.data.valid.empty() ? s.data.train : s.data.valid, s.data.fields,
                              toy_valid_lines, Split::valid, reading);
  } else if (const Index n = corpus.train_pairs->size(),
             valid = std::min<Index>(
                 1000, static_cast<Index>(static_cast<double>(n) * s.data.valid_fraction));
             valid > 0) {
    // The same lines whatever the seed of training: runs of several seeds are judged by one set.
    std::tie(corpus.train_pairs, corpus.valid_pairs) =
        hold_out(std::move(corpus.train_pairs), valid, 0);
    held_out = " (held out; choose your own with --valid)";
  }
  const bool begins = !tokenizers.source;
  Overlap overlap;
  if (begins && corpus.valid_pairs) overlap.validate_on(*corpus.valid_pairs);
  corpus.tokenizers =
      begins ? train_on_pairs(s, *corpus.train_pairs, overlap, preparing) : tokenizers;
  add_warning(corpus, overlap.warning(!held_out.empty()));
  auto batches =
      std::make_unique<PairBatches>(*corpus.train_pairs, corpus.tokenizers, batch_options(s));
  BatchCounts counts;  // of the first window, or of all
  if (s.train.epochs > 0) {
    if (corpus.train_pairs->size() < 0)
      fail("{} has no end, so no epochs; give --steps or --time", corpus.train_pairs->name());
    preparing.now("counting the batches of an epoch");
    corpus.epoch_batches = s.train.epochs * batches->count_epoch(&counts);
    corpus.epochs_are_alike = batches->epochs_are_alike();
  }
  const std::vector<Batch> window = first_window(*batches);
  if (s.train.epochs == 0) counts = batches->counts();
  if (s.train.epochs == 0 && model_is_stricter(s) && corpus.train_pairs->size() > counts.read) {
    preparing.now("looking for what is too long");
    counts = count_pairs(*corpus.train_pairs, corpus.tokenizers, batch_options(s));
  }
  if (begins) {
    add_warning(corpus, uncut_warning(*corpus.train_pairs, s));
    add_warning(corpus, unknown_warning(window, s, corpus.tokenizers));
  }
  corpus.train = std::move(batches);
  const auto count = [](const PairSource& pairs) {
    return pairs.size() < 0 ? std::string("endless") : fmt::format("{} pairs", pairs.size());
  };
  corpus.description =
      fmt::format("{}: {}", corpus.train_pairs->name(), count(*corpus.train_pairs));
  if (const Index skipped = corpus.train_pairs->skipped(); skipped > 0)
    corpus.description += fmt::format(", {} with a blank side skipped", skipped);
  corpus.description += too_long(counts, *corpus.train_pairs, s);
  if (corpus.valid_pairs) {
    corpus.valid = all_batches(*corpus.valid_pairs, corpus.tokenizers, batch_options(s), &counts);
    corpus.description += fmt::format("; validation: {}{}{}", count(*corpus.valid_pairs), held_out,
                                      too_long(counts, *corpus.valid_pairs, s));
  } else {
    corpus.description += "; no validation";
  }
  corpus.fingerprints = {
      {"data.train", hex(corpus.train_pairs->fingerprint())},
      {"data.valid", corpus.valid_pairs ? hex(corpus.valid_pairs->fingerprint()) : "none"},
      {"tokenizer", fingerprint_of(corpus.tokenizers)}};
  return corpus;
}

Corpus open_text_corpus(const Settings& s, const Tokenizers& tokenizers) {
  if (s.data.train.size() != 1 || is_toy(s.data.train) || s.data.valid.size() > 1)
    fail("--model lm trains on one text file: --train FILE.txt [--valid FILE.txt]");
  Corpus corpus;
  corpus.tokenizers = tokenizers;
  Preparing preparing;
  preparing.now(fmt::format("reading {}", s.data.train[0]));
  const std::string text = read_text(s.data.train[0]);  // once: it may come through a pipe
  const std::string valid = s.data.valid.empty() ? "" : read_text(s.data.valid[0]);
  const bool begins = !tokenizers.source;
  if (begins) {
    preparing.now(has_subwords(s.data.tokenizer) ? learning_subwords : counting_words);
    corpus.tokenizers = train_tokenizer(
        s.data.tokenizer, {.min_count = s.data.min_count, .max_size = s.data.vocab_size},
        [&](const TakeLine& take) { take(text); });
    Overlap overlap;
    overlap.validate_on(valid);
    overlap.train_on(text);
    add_warning(corpus, overlap.warning(false));
  }
  preparing.now("cutting the text into tokens");
  TextWindows windows =
      TextWindows::of_texts(text, valid, *corpus.tokenizers.target,
                            {.context = s.model.context,
                             .batch = std::max<Index>(1, s.data.batch_tokens / s.model.context),
                             .valid_fraction = s.data.valid_fraction,
                             .seed = static_cast<std::uint64_t>(s.train.seed)});
  if (begins) {
    add_warning(corpus, uncut_warning(text, s));
    add_warning(corpus, unknown_warning(windows.train(), s, corpus.tokenizers));
  }
  corpus.fingerprints = {{"data.train", hex(hash_of(text, {}))},
                         {"data.valid", s.data.valid.empty() ? "none" : hex(hash_of(valid, {}))},
                         {"tokenizer", fingerprint_of(corpus.tokenizers)}};
  corpus.valid = windows.valid_batches();
  const Index rounded =
      std::max<Index>(1, static_cast<Index>(windows.train().size()) / s.data.batch_tokens);
  corpus.epoch_batches =
      s.train.exact_epochs ? windows.batches_in(s.train.epochs) : s.train.epochs * rounded;
  corpus.description = fmt::format("{}: {} tokens; validation: {} tokens", s.data.train[0],
                                   windows.train().size(), windows.valid().size());
  corpus.train = std::make_unique<TextWindows>(std::move(windows));
  return corpus;
}

}  // namespace

std::unique_ptr<PairSource> open_evaluation_pairs(const std::vector<std::string>& data,
                                                  const std::vector<std::string>& fields,
                                                  Index lines, Split split,
                                                  const ReadOptions& options) {
  // those of the training data say nothing of two files
  const bool takes_fields = data.size() == 1 && !is_toy(data);
  std::unique_ptr<PairSource> pairs = open_pairs(
      data, takes_fields ? fields : std::vector<std::string>{}, split, toy_seed, options);
  return pairs->size() >= 0 ? std::move(pairs) : first_pairs(*pairs, lines);
}

Corpus open_corpus(const Settings& settings, const Tokenizers& tokenizers) {
  const auto open = [&] {
    return settings.model.name == "lm" ? open_text_corpus(settings, tokenizers)
                                       : open_pair_corpus(settings, tokenizers);
  };
  try {
    return naming_settings(open);
  } catch (const NothingLeft& error) {
    const char* remedy = model_is_stricter(settings) ? "model.positions" : "data.max_length";
    fail("{}; raise {} or data.batch_tokens", error.what(), remedy);
  }
}

}  // namespace heed::cli
