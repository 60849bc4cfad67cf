#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "datasets/text/tokenizer.h"
#include "experiments/inference/attended_line.h"
#include "experiments/inference/interrupted.h"
#include "experiments/inference/run_files.h"
#include "experiments/inference/run_settings.h"
#include "experiments/inference/translation.h"
#include "framework/checkpoint.h"
#include "models/model.h"

namespace heed {

/// Files in a run's folder.
std::filesystem::path config_path(const std::filesystem::path& folder);
/// Only runs that were made by importing weights have this file. They cannot be resumed.
std::filesystem::path imported_path(const std::filesystem::path& folder);

/// A finished (or interrupted) run, opened for use:
///
///     const Run run = open_run("runs/en-fr");
///     fmt::print("{}\n", run.translate("The cat sleeps.").text);
///
/// Any number of threads may call the const functions of one run at once.
class Run {
 public:
  RunSettings settings;
  Tokenizers tokenizers;
  std::unique_ptr<Model> model;             // switched to evaluation
  std::filesystem::path checkpoint;         // the file; its name among the files where in memory
  std::map<std::string, std::string> text;  // of the checkpoint: what it was trained with

  /// The decoding options of the run's settings; change some and pass them on.
  DecodeOptions decode_options() const { return heed::decode_options(settings); }

  /// The best output for a line; without text for a blank line. Throws Error where the model is a
  /// language model: it continues texts, see generate_text().
  Translation translate(const std::string& line) const { return translate(line, decode_options()); }
  Translation translate(const std::string& line, const DecodeOptions& options) const;
  /// The best output for each line, in their order. Much faster than one line after the other.
  std::vector<Translation> translate(std::span<const std::string> lines) const {
    return translate(lines, decode_options());
  }
  std::vector<Translation> translate(std::span<const std::string> lines,
                                     const DecodeOptions& options) const;

  /// The weights with which each token of the best output attended to the source. Throws Error
  /// where the model does not attend to its source.
  AttendedLine attention(const std::string& line) const;

  /// The decoder of the model, with its weights packed at the first call. Throws Error where the
  /// model writes no tokens: it gives labels, see predict().
  const Decoder& decoder() const;

  /// Gives the run another model, of the same vocabularies.
  void replace_model(std::unique_ptr<Model> other);

 private:
  struct Packed;
  std::shared_ptr<Packed> packed_;
  friend Run make_run(RunSettings settings, Tokenizers tokenizers);
};

/// A model with these settings and first weights. Throws FieldError where an option is out of
/// range.
std::unique_ptr<Model> make_model(const RunSettings& settings, const Tokenizers& tokenizers,
                                  Random& random);

/// Throws Error where the text of a configuration, the file `where`, is not what a checkpoint with
/// these texts was trained with. It stands for check_same_settings().
using CheckConfig = std::function<void(const std::string& where, const std::string& config,
                                       const std::map<std::string, std::string>& text)>;

/// Opens a run with the named checkpoint ("last", "best", "step-000400"); by default with its best
/// one, or the last where nothing was validated.
///
/// Throws Error, one line, where
/// - the folder is not a run,
/// - a part of the run is missing or damaged,
/// - the settings or the tokenizers are not those that the checkpoint was trained with. Settings of
///   the optimizer and of the training are compared by `check` alone; without it by nothing.
Run open_run(const std::string& folder, const std::string& checkpoint = {},
             const CheckConfig& check = {});
/// Opens a run from the bytes of its files, of which the checkpoint is the named one, else the
/// best, else the last.
Run open_run(const RunFiles& files, const std::string& checkpoint = {});

/// The end of an error message about a checkpoint: "; there is step-000400, best". "" where there
/// is no other checkpoint than `not_this`.
std::string other_checkpoints(const std::string& folder, const std::filesystem::path& not_this);

/// The text of a run's config.toml. Throws Error where the folder is not a run.
std::string read_config(const std::string& folder);
/// Throws Error where the settings are not those that the checkpoint was trained with. `text`: the
/// texts of the checkpoint; those of older versions do not say everything, and what they do not say
/// is not checked. Settings that a resumed run may change may differ, and so may the names of data.
/// `where`: the file of the settings.
template <class Settings>
void check_same_settings(const std::string& where, const Settings& settings,
                         const std::map<std::string, std::string>& text);
/// Throws Error where the task needs labels and there are none, or the source a tokenizer.
void check_complete(const std::string& where, const RunSettings& settings,
                    const Tokenizers& tokenizers);
void check_same_tokenizers(const std::string& where, const Tokenizers& tokenizers,
                           const std::map<std::string, std::string>& text);
/// Throws Error that says which settings differ.
[[noreturn]] void refuse_differences(const std::string& where,
                                     const std::vector<std::string>& differences);

// Implementation ---------------------------------------------------------------------------------

template <class Settings>
void check_same_settings(const std::string& where, const Settings& settings,
                         const std::map<std::string, std::string>& text) {
  const auto config = text.find("config");
  if (config == text.end()) return;
  Settings then;
  then.read_run(config->second, where);
  const std::vector<std::string> found = fixed_differences(settings, then);
  if (!found.empty()) refuse_differences(where, found);
}

}  // namespace heed
