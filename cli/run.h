#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "cli/settings.h"
#include "datasets/pairs.h"
#include "datasets/tokenizer.h"
#include "layers/seq2seq/decode.h"
#include "layers/seq2seq/model.h"

namespace heed::cli {

/// Names within a run's folder.
std::filesystem::path config_path(const std::filesystem::path& folder);
// a note in a run that `heed import` made, which cannot be resumed
std::filesystem::path imported_path(const std::filesystem::path& folder);

/// The tokenizers of a run: tokenizer.json, or tokenizer.source.json and tokenizer.target.json.
Tokenizers load_tokenizers(const std::filesystem::path& folder);
void save_tokenizers(const Tokenizers& tokenizers, const std::filesystem::path& folder);

/// A finished (or interrupted) run, opened for use.
struct Run {
  Settings settings;
  Tokenizers tokenizers;
  std::unique_ptr<Seq2Seq> model;  // switched to evaluation
  std::filesystem::path checkpoint;
  std::map<std::string, std::string> text;  // of the checkpoint: what it was trained with
};

/// Opens a run's folder with the checkpoint named, or its best (its last where nothing was
/// validated). Throws Error, one line, when the folder is none, when a part is missing or damaged,
/// or when it is not what the checkpoint was trained with.
Run open_run(const std::string& folder, const std::string& checkpoint = {});
/// The help of the option that names one.
inline constexpr const char* checkpoint_help =
    "last, best or one such as step-000400 (default: best, else last)";
/// To end a complaint about the checkpoint `not_this`: "; there is step-000400, best (--checkpoint
/// NAME)"; "" where there is no other file.
std::string other_checkpoints(const std::string& folder, const std::filesystem::path& not_this);

/// The settings of a run's folder; throws Error when it holds none.
Settings read_run_settings(const std::string& folder);
/// Those that a checkpoint of a run holds, which `path` names in messages.
Settings settings_of_checkpoint(const std::string& toml, const std::string& path);

/// A hash of what cuts the text, "SOURCE TARGET" where there are two.
std::string fingerprint_of(const Tokenizers& tokenizers);
/// What a checkpoint was trained with is in its text; those of an older Heed do not say everything.
/// These throw Error, one line, where config.toml or a tokenizer of the run in `folder` is another.
/// Settings that a resumed run may change may differ, and so may the names of the data.
void check_same_settings(const std::string& folder, const Settings& settings,
                         const std::map<std::string, std::string>& text);
void check_same_tokenizers(const std::string& folder, const Tokenizers& tokenizers,
                           const std::map<std::string, std::string>& text);

struct TotalLoss {
  double sum = 0;  // nats
  Index tokens = 0;
  double per_token() const { return sum / static_cast<double>(tokens > 0 ? tokens : 1); }
};
/// The cross entropy of all gold tokens. The caller switches the model to evaluation.
TotalLoss total_loss(const Seq2Seq& model, const std::vector<Batch>& batches);

/// A run's own. Where decode.max_length leaves the length open, an output has no more than
/// data.max_length tokens, as in training; 1,024 where that is open too, so that a long line does
/// not stall.
DecodeOptions decode_options(const Settings& settings);

/// Most tokens of a source, </s> included: what the model can place, and never more than take
/// seconds (attention costs their square).
std::size_t longest_source(const Seq2Seq& model);
/// The source as the model reads it, cut to longest_source(), </s> last, cut to the tokens the
/// model can place; empty for a blank line. Where the model copies, `extra` gets the unknown words.
std::vector<Id> encode_source(const Seq2Seq& model, const Tokenizers& tokenizers,
                              const std::string& line, std::vector<std::string>& extra);

struct Translation : Hypothesis {
  std::string text;
};
/// Translates lines, in order, best first; blank ones give none. Lines are decoded together, those
/// of similar length in one batch. `first`: the number of the first line, which samples depend on.
std::vector<std::vector<Translation>> translate(const Decoder& decoder,
                                                const Tokenizers& tokenizers,
                                                std::span<const std::string> lines,
                                                const DecodeOptions& options,
                                                std::uint64_t first = 0);

}  // namespace heed::cli
