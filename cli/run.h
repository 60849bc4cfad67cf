#pragma once

#include <filesystem>
#include <memory>

#include "cli/settings.h"
#include "datasets/pairs.h"
#include "datasets/tokenizer.h"
#include "layers/seq2seq/decode.h"
#include "layers/seq2seq/model.h"

namespace heed::cli {

/// Names within a run's folder.
std::filesystem::path config_path(const std::filesystem::path& folder);
std::filesystem::path imported_path(const std::filesystem::path& folder);  // a note in a run that `heed import` made, which cannot be resumed

/// The tokenizers of a run: tokenizer.json, or tokenizer.source.json and tokenizer.target.json.
Tokenizers load_tokenizers(const std::filesystem::path& folder);
void save_tokenizers(const Tokenizers& tokenizers, const std::filesystem::path& folder);

/// A finished (or interrupted) run, opened for use.
struct Run {
  Settings settings;
  Tokenizers tokenizers;
  std::unique_ptr<Seq2Seq> model;  // switched to evaluation
  std::filesystem::path checkpoint;
};

/// Opens a run's folder with the checkpoint named, or its best (its last where nothing was validated). Throws Error, one line, when the
/// folder is none, or a part is missing or damaged.
Run open_run(const std::string& folder, const std::string& checkpoint = {});
/// The help of the option that names one.
inline constexpr const char* checkpoint_help = "last, best or one such as step-000400 (default: best, else last)";
/// To end a complaint about the checkpoint `not_this`: "; there is step-000400, best (--checkpoint NAME)"; "" where there is no other file.
std::string other_checkpoints(const std::string& folder, const std::filesystem::path& not_this);

/// The settings of a run's folder; throws Error when it holds none.
Settings read_run_settings(const std::string& folder);

struct Loss {
  double sum = 0;    // nats
  Index tokens = 0;
  double per_token() const { return sum / static_cast<double>(tokens > 0 ? tokens : 1); }
};
/// The cross entropy of all gold tokens. The caller switches the model to evaluation.
Loss total_loss(const Seq2Seq& model, const std::vector<Batch>& batches);

/// A run's own. Where decode.max_length leaves the length open, an output has no more than data.max_length tokens, as in training; 1,024
/// where that is open too, so that a long line does not stall.
DecodeOptions decode_options(const Settings& settings);

/// Most tokens of a source, </s> included: what the model can place, and never more than take seconds (attention costs their square).
std::size_t longest_source(const Seq2Seq& model);
/// The source as the model reads it, cut to longest_source(), </s> last, cut to the tokens the model can place; empty for a blank line. Where the model copies,
/// `extra` gets the unknown words.
std::vector<Id> encode_source(const Seq2Seq& model, const Tokenizers& tokenizers, const std::string& line, std::vector<std::string>& extra);

struct Translation : Hypothesis {
  std::string text;
};
/// Translates lines, in order, best first; blank ones give none. Lines are decoded together, those of similar length in one batch.
/// `first`: the number of the first line, which samples depend on.
std::vector<std::vector<Translation>> translate(const Decoder& decoder, const Tokenizers& tokenizers, std::span<const std::string> lines,
                                                const DecodeOptions& options, std::uint64_t first = 0);

}  // namespace heed::cli
