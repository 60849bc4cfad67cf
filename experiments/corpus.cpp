#include "experiments/corpus.h"

#include <algorithm>
#include <tuple>

#include <fmt/ranges.h>

#include "datasets/metrics/perplexity.h"
#include "datasets/text/batch.h"
#include "datasets/text/batching.h"
#include "datasets/text/labels.h"
#include "datasets/text/text_file.h"
#include "datasets/text/text_windows.h"
#include "experiments/data_warnings.h"
#include "experiments/inference/tokenizer_files.h"
#include "experiments/task_works.h"
#include "framework/error.h"

namespace heed {

namespace {

constexpr Index toy_vocabulary_lines = 20000;
// A built-in corpus is the same for every seed of training.
constexpr std::uint64_t toy_seed = 1;
constexpr Index most_held_out = 1000;

constexpr const char* counting_words = "reading the text for the vocabulary";
constexpr const char* learning_subwords = "learning subwords";

VocabularyOptions vocabulary_options(const Settings& s) {
  return {.min_count = s.data.min_count,
          .vocab_size = s.data.vocab_size,
          .mark_case = s.data.letter_case == "mark"};
}

/// Trains the tokenizers of a new run. `overlap` is shown every pair that is read.
class PairTokenizers {
 public:
  PairTokenizers(const Settings& settings, const PairSource& pairs, ValidationOverlap& overlap,
                 const PreparationObserver& preparing)
      : settings_(settings), pairs_(pairs), overlap_(overlap), preparing_(preparing) {}

  Tokenizers train() {
    if (settings_.task.row().labelled) return train_on(true, false);
    if (settings_.data.joint_vocabulary) return train_on(true, true);
    auto source = train_on(true, false);
    return {std::move(source), train_on(false, true)};
  }

 private:
  std::shared_ptr<const Tokenizer> train_on(bool sources, bool targets) {
    preparing_.begin(counting_words);
    const auto read = [&](const TakeLine& take) { read_pairs(sources, targets, take); };
    return train_tokenizer(settings_.data.tokenizer, vocabulary_options(settings_), read);
  }

  void read_pairs(bool sources, bool targets, const TakeLine& take) {
    const Index lines = pairs_.size() < 0 ? toy_vocabulary_lines : pairs_.size();
    for (Index i = 0; i < lines; ++i) {
      stop_if(preparing_.should_stop);
      if (i % 4096 == 0) preparing_.done(static_cast<double>(i) / static_cast<double>(lines));
      const Pair pair = pairs_.at(i);
      if (sources) {
        take(pair.source);
        overlap_.train_on(pair);
      }
      if (targets) take(pair.target);
    }
    if (has_subwords(settings_.data.tokenizer)) preparing_.begin(learning_subwords);
  }

  const Settings& settings_;
  const PairSource& pairs_;
  ValidationOverlap& overlap_;
  const PreparationObserver& preparing_;
};

/// Whether the model can place only sides shorter than data.max_length allows.
bool model_is_stricter(const Settings& s) {
  const Index longest = s.model.longest_side();
  return longest > 0 && (s.data.max_length == 0 || longest < s.data.max_length);
}

BatchOptions batch_options(const Settings& s) {
  const Index max_length = model_is_stricter(s) ? s.model.longest_side() : s.data.max_length;
  return {.batch_tokens = s.data.batch_tokens,
          .max_length = max_length,
          .cut = s.data.long_pairs == "cut",
          .seed = static_cast<std::uint64_t>(s.train.seed),
          .widen = s.task.row().decodes && s.value_or("model.copy", false),
          .subword_sampling = s.data.subword_sampling};
}

ReadOptions read_options(const RunSettings& s, const PreparationObserver& preparing) {
  preparing.begin(fmt::format("reading {}", fmt::join(s.data.train, " ")));
  return {.blank_is_error = s.data.blank == "error",
          .labelled = s.task.row().labelled,
          .progress = [&preparing](double part) { preparing.done(part); }};
}

std::string hex(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

void add_warning(Corpus& corpus, std::string text) {
  if (!text.empty()) corpus.warnings.push_back(std::move(text));
}

/// The batches of the next window. The position of `batches` stays.
std::vector<Batch> first_window(PairBatches& batches) {
  const auto begin = batches.position();
  const auto is_in_window = [&] {  // the same epoch and the same window
    const auto now = batches.position();
    return now[0] == begin[0] && now[1] == begin[1];
  };
  std::vector<Batch> window;
  do {
    window.push_back(batches.next());
  } while (is_in_window());
  batches.seek(begin);
  return window;
}

/// What became of the pairs with a side that the model cannot place: ", 3 longer than
/// model.positions = 9 allows, </s> among them (line 7 is the first), and dropped".
std::string beyond_model(const BatchCounts& counts, const PairSource& pairs, const Settings& s,
                         const std::string& some) {
  const Index count = counts.cut + counts.dropped - counts.over_budget;
  std::string text;
  if (count > 0)
    text = fmt::format(
        ", {}{} longer than {} = {} allows, </s> among them (line {} is the first), "
        "and {}",
        count, some, s.model.longest_key(), setting_text(s, s.model.longest_key()),
        pairs.line(counts.first_long), counts.cut > 0 ? "cut" : "dropped");
  if (counts.over_budget > 0)
    text +=
        fmt::format(", {}{} too long (data.batch_tokens) and dropped", counts.over_budget, some);
  return text;
}

/// What became of the pairs that are too long: ", 3 too long (data.max_length, data.batch_tokens)
/// and dropped". Where only some pairs were read, it says how many.
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

std::unique_ptr<PairSource> open_train_pairs(const RunSettings& s, const ReadOptions& reading) {
  return s.source.row().open(s.data.train, s.data.fields, Split::train, toy_seed, reading);
}

/// Whether the validation pairs are others than those of data.train.
bool has_own_validation(const RunSettings& s) {
  return !s.data.valid.empty() || is_toy(s.data.train);
}

/// Opens the validation pairs: data.valid, or those of a built-in corpus, or pairs held out from
/// the training pairs. There may be none. Returns whether pairs were held out.
bool open_valid_pairs(const RunSettings& s, const ReadOptions& reading, Corpus& corpus) {
  if (has_own_validation(s)) {
    const auto& data = s.data.valid.empty() ? s.data.train : s.data.valid;
    corpus.valid_pairs = open_evaluation_pairs(data, s.data.fields, toy_valid_lines, Split::valid,
                                               reading, s.source.row());
    return false;
  }
  const auto pairs = static_cast<double>(corpus.train_pairs->size());
  const Index count = std::min(most_held_out, static_cast<Index>(pairs * s.data.valid_fraction));
  if (count <= 0) return false;
  // The seed of the choice is fixed, so that runs with several seeds are validated on one set.
  constexpr std::uint64_t seed = 0;
  std::tie(corpus.train_pairs, corpus.valid_pairs) =
      hold_out(std::move(corpus.train_pairs), count, seed);
  return true;
}

/// Trains the tokenizers of a new run, and warns where validation pairs are training pairs too.
void train_tokenizers(const Settings& s, bool held_out, Corpus& corpus,
                      const PreparationObserver& preparing) {
  ValidationOverlap overlap;
  if (corpus.valid_pairs) overlap.validate_on(*corpus.valid_pairs);
  const auto labels = corpus.tokenizers.labels;
  corpus.tokenizers = PairTokenizers(s, *corpus.train_pairs, overlap, preparing).train();
  corpus.tokenizers.labels = labels;
  add_warning(corpus, overlap.warning(held_out));
}

/// Counts what becomes of the pairs in the batches: of all pairs where that is needed, else of the
/// first window. Where there is a limit of epochs, counts their batches. `window` gets the batches
/// of the first window.
BatchCounts count_batches(const Settings& s, PairBatches& batches, Corpus& corpus,
                          std::vector<Batch>& window, const PreparationObserver& preparing) {
  BatchCounts counts;
  const PairSource& pairs = *corpus.train_pairs;
  if (s.train.epochs > 0) {
    if (pairs.size() < 0)
      fail("{} has no end, so no epochs; give train.steps or train.time", pairs.name());
    preparing.begin("counting the batches of an epoch");
    corpus.epoch_batches = s.train.epochs * batches.count_epoch(&counts);
    corpus.epochs_are_alike = batches.epochs_are_alike();
    window = first_window(batches);
    return counts;
  }
  window = first_window(batches);
  counts = batches.counts();
  if (model_is_stricter(s) && pairs.size() > counts.read) {
    preparing.begin("looking for what is too long");
    counts = count_pairs(pairs, corpus.tokenizers, batch_options(s));
  }
  return counts;
}

std::string count_text(const PairSource& pairs, const Settings& s) {
  const std::string what = s.task.row().labelled ? s.source.row().items : "pairs";
  return pairs.size() < 0 ? "endless" : fmt::format("{} {}", pairs.size(), what);
}

/// Describes the training pairs: "train.de train.en: 5000 pairs, 3 with a blank side skipped".
std::string train_text(const PairSource& pairs, const BatchCounts& counts, const Settings& s) {
  std::string text = fmt::format("{}: {}", pairs.name(), count_text(pairs, s));
  if (pairs.skipped() > 0) text += fmt::format(", {} with a blank side skipped", pairs.skipped());
  return text + too_long(counts, pairs, s);
}

/// Makes the validation batches, and describes them: "; validation: 200 pairs".
std::string open_valid_batches(const Settings& s, bool held_out, Corpus& corpus) {
  if (!corpus.valid_pairs) return "; no validation";
  BatchCounts counts;
  corpus.valid = all_batches(*corpus.valid_pairs, corpus.tokenizers, batch_options(s), &counts);
  return fmt::format("; validation: {}{}{}", count_text(*corpus.valid_pairs, s),
                     held_out ? " (held out; choose your own with data.valid)" : "",
                     too_long(counts, *corpus.valid_pairs, s));
}

/// The end of a text, behind the tokens that are trained on.
std::string held_out_text(const std::string& text, const TextWindows& windows,
                          const Corpus& corpus) {
  return text.substr(end_of_tokens(*corpus.tokenizers.target, text, std::ssize(windows.train())));
}

}  // namespace

PairParts open_pair_parts(const RunSettings& s) {
  const PreparationObserver nobody;
  const ReadOptions reading = read_options(s, nobody);
  Corpus corpus;
  corpus.train_pairs = open_train_pairs(s, reading);
  open_valid_pairs(s, reading, corpus);
  return {std::move(corpus.train_pairs), std::move(corpus.valid_pairs)};
}

Corpus open_pair_corpus(const Settings& s, const Tokenizers& tokenizers,
                        const PreparationObserver& preparing) {
  Corpus corpus;
  const ReadOptions reading = read_options(s, preparing);
  corpus.train_pairs = open_train_pairs(s, reading);
  const bool is_new = !tokenizers.source && !tokenizers.labels;
  corpus.tokenizers = tokenizers;
  corpus.tokenizers.reader = s.source.reader();
  // Before pairs are held out: a rare class may be among those alone.
  if (s.task.row().labelled && !tokenizers.labels)
    corpus.tokenizers.labels = std::make_shared<const Labels>(Labels::of(*corpus.train_pairs));
  const bool held_out = open_valid_pairs(s, reading, corpus);
  const bool texts = !corpus.tokenizers.reader;
  if (is_new && texts) train_tokenizers(s, held_out, corpus, preparing);

  auto batches =
      std::make_unique<PairBatches>(*corpus.train_pairs, corpus.tokenizers, batch_options(s));
  std::vector<Batch> window;
  const BatchCounts counts = count_batches(s, *batches, corpus, window, preparing);
  corpus.train = std::move(batches);
  if (is_new && texts) {
    add_warning(corpus, uncut_warning(*corpus.train_pairs, s));
    add_warning(corpus, unknown_warning(window, s, corpus.tokenizers));
  }
  corpus.description = train_text(*corpus.train_pairs, counts, s);
  corpus.description += open_valid_batches(s, held_out, corpus);
  corpus.fingerprints = {
      {"data.train", hex(corpus.train_pairs->fingerprint())},
      {"data.valid", corpus.valid_pairs ? hex(corpus.valid_pairs->fingerprint()) : "none"},
      {"tokenizer", fingerprint_of(corpus.tokenizers)}};
  return corpus;
}

namespace {

/// Trains the tokenizer of a new run on a text.
void train_tokenizer_on(const std::string& text, const Settings& s, Corpus& corpus,
                        const PreparationObserver& preparing) {
  preparing.begin(has_subwords(s.data.tokenizer) ? learning_subwords : counting_words);
  const auto read = [&](const TakeLine& take) { take(text); };
  corpus.tokenizers = train_tokenizer(s.data.tokenizer, vocabulary_options(s), read);
}

/// The number of batches in train.epochs. In runs of an earlier Heed an epoch was a whole number of
/// batches of data.batch_tokens.
Index count_batches(const Settings& s, const TextWindows& windows) {
  if (s.train.exact_epochs) return windows.batches_in(s.train.epochs);
  const auto tokens = static_cast<Index>(windows.train().size());
  return s.train.epochs * std::max<Index>(1, tokens / s.data.batch_tokens);
}

}  // namespace

Corpus open_text_corpus(const Settings& s, const Tokenizers& tokenizers,
                        const PreparationObserver& preparing) {
  if (s.data.train.size() != 1 || is_toy(s.data.train) || s.data.valid.size() > 1)
    fail("a language model trains on one text file, and is validated on one or on a part of it");
  Corpus corpus;
  corpus.tokenizers = tokenizers;
  preparing.begin(fmt::format("reading {}", s.data.train[0]));
  const std::string text = read_text(s.data.train[0]);  // once: it may come through a pipe
  const std::string valid = s.data.valid.empty() ? "" : read_text(s.data.valid[0]);
  const bool is_new = !tokenizers.source;
  if (is_new) {
    train_tokenizer_on(text, s, corpus, preparing);
    ValidationOverlap overlap;
    overlap.validate_on(valid);
    overlap.train_on(text);
    add_warning(corpus, overlap.warning(false));
  }
  preparing.begin("cutting the text into tokens");
  const auto context = s.value_or("model.context", Index{64});
  TextWindows windows = naming_settings(s, "model", [&] {
    return TextWindows::of_texts(text, valid, *corpus.tokenizers.target,
                                 {.context = context,
                                  .batch = std::max<Index>(1, s.data.batch_tokens / context),
                                  .valid_fraction = s.data.valid_fraction,
                                  .seed = static_cast<std::uint64_t>(s.train.seed)});
  });
  if (is_new) {
    add_warning(corpus, uncut_warning(text, s));
    add_warning(corpus, unknown_warning(windows.train(), s, corpus.tokenizers));
  }
  corpus.fingerprints = {{"data.train", hex(hash_of(text, {}))},
                         {"data.valid", s.data.valid.empty() ? "none" : hex(hash_of(valid, {}))},
                         {"tokenizer", fingerprint_of(corpus.tokenizers)}};
  corpus.valid = windows.valid_batches();
  corpus.valid_text = s.data.valid.empty() ? held_out_text(text, windows, corpus) : valid;
  corpus.epoch_batches = count_batches(s, windows);
  corpus.description = fmt::format("{}: {} tokens; validation: {} tokens", s.data.train[0],
                                   windows.train().size(), windows.valid().size());
  corpus.train = std::make_unique<TextWindows>(std::move(windows));
  return corpus;
}

std::unique_ptr<PairSource> open_evaluation_pairs(const std::vector<std::string>& data,
                                                  const std::vector<std::string>& fields,
                                                  Index lines, Split split,
                                                  const ReadOptions& options,
                                                  const SourceKind& source) {
  // The fields of the training data do not apply to two files or a built-in corpus.
  const bool takes_fields = data.size() == 1 && !is_toy(data);
  std::unique_ptr<PairSource> pairs = source.open(
      data, takes_fields ? fields : std::vector<std::string>{}, split, toy_seed, options);
  return pairs->size() >= 0 ? std::move(pairs) : first_pairs(*pairs, lines);
}

std::unique_ptr<PairSource> open_validation_pairs(const RunSettings& s) {
  if (!has_own_validation(s)) return open_pair_parts(s).valid;
  const PreparationObserver nobody;
  Corpus corpus;  // whose training pairs need not be read, nor be there
  open_valid_pairs(s, read_options(s, nobody), corpus);
  return std::move(corpus.valid_pairs);
}

Corpus open_corpus(const Settings& settings, const Tokenizers& tokenizers,
                   const PreparationObserver& observer) {
  const TaskWork& work = task_works().at(settings.task.name);
  try {
    return naming_settings(settings, "data",
                           [&] { return work.open(settings, tokenizers, observer); });
  } catch (const NothingLeft& error) {
    if (const auto reader = settings.source.reader())
      fail("each of the {} takes {} rows, and data.batch_tokens = {} allows fewer; raise it",
           settings.source.row().items, reader->rows(), settings.data.batch_tokens);
    const std::string remedy =
        model_is_stricter(settings) ? settings.model.longest_key() : "data.max_length";
    fail("{}; raise {} or data.batch_tokens", error.what(), remedy);
  }
}

}  // namespace heed
