#pragma once

#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "framework/error.h"
#include "framework/types.h"

namespace heed::cli {

/// All settings of a run. settings.cpp lists each field once more, with its key and its help.
struct Settings {
  struct {
    std::vector<std::string> train;
    std::vector<std::string> valid;
    std::vector<std::string> fields;
    std::string tokenizer;
    Index min_count;
    Index vocab_size;
    Index batch_tokens;
    Index max_length;
    double valid_fraction;
    std::string blank;
    std::string long_pairs;
    bool joint_vocabulary;
    double subword_sampling;
  } data;
  struct {
    std::string name;
    Index d;
    Index layers;
    Index heads;
    Index ff;
    Index context;
    double dropout;
    std::string norm;
    Index kernel;
    Index positions;
    bool weight_norm;
    bool tied;
    bool bidirectional;
    Index hidden;
    std::string cell;
    double recurrent_dropout;
    bool copy;
    double coverage;
  } model;
  struct {
    std::string name;
    double lr;
    std::string schedule;
    Index warmup;
    double final_lr;
    double clip;
    double weight_decay;
    double momentum;
    double beta1;
    double beta2;
    double epsilon;
    Index accumulate;
  } optim;
  struct {
    Index steps;
    Index epochs;
    std::string time;
    bool exact_epochs;
    Index eval_every;
    Index save_every;
    Index keep;
    Index patience;
    Index average;
    Index log_every;
    Index seed;
    double label_smoothing;
    std::string init;
    std::vector<std::string> init_only;
    std::vector<std::string> freeze;
    std::string on_nan;
    std::string precision;
  } train;
  struct {
    Index beam;
    double length_penalty;
    Index min_length;
    Index max_length;
    Index no_repeat_ngram;
    double coverage_penalty;
  } decode;
};

using Value = std::variant<Index*, double*, bool*, std::string*, std::vector<std::string>*>;
struct Setting {
  const char* key;
  Value value;
  const char* help;
};
/// Every setting of `settings`, in the order of config.toml.
std::vector<Setting> settings_of(Settings& settings);

/// The value of a setting as TOML writes it.
std::string text_of(const Setting& setting);
std::string text_of(Settings& settings, const std::string& key);

const std::vector<std::string>& model_names();
/// The defaults for a model trained on `data`. Throws Error for an unknown model, naming the
/// nearest.
///
/// - Built-in corpora have no end, so they cannot be learnt by heart: no dropout, no label
/// smoothing.
/// - toy:summarization is full of names that the model has never seen. Models that can copy do so,
///   rare words are left to copying, and no three tokens in a row are repeated.
/// - A setting that is newer than a run has the value that acts as the program did before. So a
///   config.toml that lacks its key means what it meant when it was written.
Settings default_settings(const std::string& model, const std::vector<std::string>& data = {});

/// The same for a run that begins now, which counts epochs exactly (train.exact_epochs).
Settings new_run_settings(const std::string& model, const std::vector<std::string>& data = {});

bool is_toy(const std::vector<std::string>& data);
/// Makes the names of files absolute, so that a run finds its data from any folder. toy:NAME stays.
std::vector<std::string> absolute_data(std::vector<std::string> data);

using GivenKeys = std::set<std::string>;
/// Applies a TOML file to `settings`, and returns the keys that it names. Throws Error, "FILE:LINE:
/// ...", for an unknown key or a value of the wrong type.
GivenKeys read_settings(const std::string& path, Settings& settings);
/// The same for a text; `path` is its name in messages.
GivenKeys read_settings_text(const std::string& text, const std::string& path, Settings& settings);
/// Whether a resumed run must keep this setting, because it decides the weights. Limits, logging,
/// checkpoints, precision and decoding may change.
bool is_fixed(std::string_view key);
/// Applies "key=value", and returns the key. The Error for an unknown key names the nearest one.
std::string set(Settings& settings, const std::string& assignment);
/// The text of config.toml: every setting, with its help as a comment.
std::string to_toml(Settings& settings);
/// Throws Error unless every value is within its range.
void check_settings(Settings& settings);

/// The same error about the setting that the argument comes from. Unchanged where there is none.
Error named_by_setting(const ArgumentError& error);
/// Calls `act` and returns its value. An ArgumentError from it is thrown as an Error about a
/// setting.
template <class Act>
auto naming_settings(Act&& act) {
  try {
    return act();
  } catch (const ArgumentError& error) {
    throw named_by_setting(error);
  }
}

/// Seconds in "90s", "10m", "1.5h" or plain "90"; throws Error otherwise.
double parse_duration(const std::string& text);

}  // namespace heed::cli
