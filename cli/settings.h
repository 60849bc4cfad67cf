#pragma once

#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "framework/error.h"
#include "framework/types.h"

namespace heed::cli {

/// Everything that decides a run. Each field is listed once more, with its key and help, in
/// settings_of().
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

/// Its value as TOML writes it.
std::string text_of(const Setting& setting);
std::string text_of(Settings& settings, const std::string& key);

const std::vector<std::string>& model_names();
/// The defaults for a MODEL trained on `data`; throws Error for an unknown one, naming the nearest.
/// A built-in corpus has no end and cannot be learnt by heart: no dropout and no label smoothing
/// for it. toy:summarization is full of names that were never seen: models that can copy do, words
/// that are rare are left to copying, and nothing is said twice. What they leave open is as it was
/// before the setting existed, so that a run's config.toml that lacks a key is read as it was
/// meant.
Settings default_settings(const std::string& model, const std::vector<std::string>& data = {});

/// The same for a run that begins now.
Settings new_run_settings(const std::string& model, const std::vector<std::string>& data = {});

bool is_toy(const std::vector<std::string>& data);
/// DATA's files by their absolute names, so that what was begun in one folder is found from
/// another; toy:NAME as it is.
std::vector<std::string> absolute_data(std::vector<std::string> data);

using GivenKeys = std::set<std::string>;
/// Applies a TOML file over `settings`, and returns the keys it names; unknown keys and wrong types
/// throw Error: `FILE:LINE: ...`.
GivenKeys read_settings(const std::string& path, Settings& settings);
/// The same with its text; `path` is the name in messages.
GivenKeys read_settings_text(const std::string& text, const std::string& path, Settings& settings);
/// Whether a run that is resumed keeps this setting as it was: what decides the weights. Limits,
/// what is logged and kept, the precision and how outputs are decoded may change.
bool is_fixed(std::string_view key);
/// Applies `key=value`, and returns the key; throws Error that names the nearest key.
std::string set(Settings& settings, const std::string& assignment);
/// Everything, resolved, with each setting's help as its comment.
std::string to_toml(Settings& settings);
/// Throws Error unless every value is within its range.
void check_settings(Settings& settings);

/// The same complaint, of the setting that the value comes from; as it is where that is none.
Error named_by_setting(const ArgumentError& error);
/// Returns what `act` returns; an argument out of its range is called by the setting that it comes
/// from.
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
