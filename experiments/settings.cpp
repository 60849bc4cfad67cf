#include "experiments/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include <toml++/toml.h>

#include "datasets/text/tokenizer_kinds.h"
#include "datasets/text/tokenizers/sentencepiece.h"
#include "datasets/text/utf8.h"
#include "framework/error.h"
#include "framework/files.h"
#include "framework/nearest.h"
#include "layers/attention/family.h"
#include "layers/recurrent.h"

namespace heed::cli {

namespace {

/// Shortens a value for a message: it may be of any length.
std::string shortened(const std::string& text) {
  constexpr std::size_t most = 100;
  return text.size() <= most ? text : text.substr(0, most) + "...";
}

Setting& find(std::vector<Setting>& all, const std::string& key, const std::string& place) {
  std::vector<std::string> keys;
  for (Setting& setting : all) {
    if (setting.key == key) return setting;
    keys.emplace_back(setting.key);
  }
  const std::string near = nearest(key, keys);
  fail("{}unknown setting '{}'{}", place, shortened(key),
       near.empty() ? "; `heed train --help-settings` lists them"
                    : fmt::format("; did you mean '{}'?", near));
}

[[noreturn]] void wrong(const std::string& place, const std::string& key, const char* expected,
                        const std::string& got) {
  fail("{}{} takes {}; got '{}'", place, key, expected, shortened(got));
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');)
    parts.push_back(part);
  return parts;
}

// What a value of each type is called in messages.
constexpr const char* expected(const Index*) { return "a whole number"; }
constexpr const char* expected(const double*) { return "a number"; }
constexpr const char* expected(const bool*) { return "true or false"; }
constexpr const char* expected(const std::string*) { return "a text in quotes"; }
constexpr const char* expected(const std::vector<std::string>*) { return "a list of texts"; }

// Each reads the text of an assignment key=value, and returns false where it is of another type.

template <class Number>
bool parse(const std::string& text, Number& value) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  value = number;
  return true;
}

bool parse(const std::string& text, bool& value) {
  if (text != "true" && text != "false") return false;
  value = text == "true";
  return true;
}

bool parse(const std::string& text, std::string& value) {
  value = text;
  return true;
}

bool parse(const std::string& text, std::vector<std::string>& value) {
  value = split(text);
  return true;
}

/// A literal string of TOML ('...'), or a basic string ("...") where the text has quotes or control
/// characters.
std::string quoted(const std::string& text) {
  const auto control = [](char c) { return (c >= 0 && c < ' ') || c == '\x7F'; };
  if (text.find('\'') == std::string::npos && std::none_of(text.begin(), text.end(), control))
    return "'" + text + "'";
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (control(c)) {
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

// The value as TOML writes it.

std::string toml_text(Index value) { return fmt::format("{}", value); }

std::string toml_text(double value) {
  std::string text = fmt::format("{}", value);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

std::string toml_text(bool value) { return value ? "true" : "false"; }

std::string toml_text(const std::string& value) { return quoted(value); }

std::string toml_text(const std::vector<std::string>& value) {
  std::string list;
  for (const std::string& item : value)
    list += (list.empty() ? "" : ", ") + quoted(item);
  return "[" + list + "]";
}

// Each reads a value of TOML, and returns false where it is of another type.

template <class Value>
bool take(const std::optional<Value>& found, auto& value) {
  if (found) value = *found;
  return found.has_value();
}

bool read(const toml::node& node, Index& value) {
  return take(node.value_exact<std::int64_t>(), value);
}

bool read(const toml::node& node, double& value) {
  return node.is_number() && take(node.value<double>(), value);
}

bool read(const toml::node& node, bool& value) { return take(node.value_exact<bool>(), value); }

bool read(const toml::node& node, std::string& value) {
  return take(node.value_exact<std::string>(), value);
}

bool read(const toml::node& node, std::vector<std::string>& value) {
  value.clear();
  if (!node.is_array()) return false;
  for (const auto& item : *node.as_array())
    if (!read(item, value.emplace_back())) return false;
  return true;
}

/// Whether the value is a number, true or false in quotes.
bool quoted_value(const toml::node& node) {
  const auto text = node.value_exact<std::string>();
  if (!text) return false;
  double number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  const bool whole = error == std::errc() && end == text->data() + text->size();
  return whole || *text == "true" || *text == "false";
}

bool is_section(const std::string& name, const std::vector<Setting>& all) {
  const auto is_within = [&](const Setting& s) {
    return std::string_view(s.key).starts_with(name + ".");
  };
  return std::any_of(all.begin(), all.end(), is_within);
}

std::string shown(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  std::ostringstream out;
  node.visit([&](const auto& value) { out << value; });
  return out.str();
}

/// `place`: "FILE:LINE: ".
void read_value(const toml::node& node, const Setting& setting, const std::string& place) {
  const auto read_into = [&](auto* value) {
    if (!read(node, *value)) wrong(place, setting.key, expected(value), shown(node));
  };
  std::visit(read_into, setting.value);
}

/// Reads a table and the tables within it. `prefix`: the section that the table is; "": the file.
void read_table(const toml::table& table, const std::string& prefix, const std::string& file,
                std::vector<Setting>& all, GivenKeys& given) {
  for (const auto& [name, node] : table) {
    const std::string key =
        prefix.empty() ? std::string(name.str()) : prefix + "." + std::string(name.str());
    const std::string place = fmt::format("{}:{}: ", file, node.source().begin.line);
    if (node.is_table() && prefix.empty() && is_section(key, all)) {
      read_table(*node.as_table(), key, file, all, given);
      continue;
    }
    const Setting& setting = find(all, key, place);
    given.insert(key);
    const bool wants_text = std::holds_alternative<std::string*>(setting.value) ||
                            std::holds_alternative<std::vector<std::string>*>(setting.value);
    if (!wants_text && quoted_value(node)) {
      const std::string text = *node.value_exact<std::string>();
      fail("{}{} takes no quotes; write {} = {}", place, key, name.str(), text);
    }
    read_value(node, setting, place);
  }
}

constexpr std::ptrdiff_t most_dots = 100;
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 18;

/// A key such as a.a.a.a makes tables within tables. toml++ destroys them recursively, so thousands
/// of them would overflow the stack.
void check_depth(const std::string& text, const std::string& file) {
  std::istringstream lines(text);
  Index number = 1;
  for (std::string line; std::getline(lines, line); ++number)
    if (std::count(line.begin(), line.end(), '.') > most_dots)
      fail("{}:{}: has more than {} dots; settings are written section.name = value", file, number,
           most_dots);
}

void one_of(const char* key, const std::string& value, const std::vector<std::string>& choices) {
  for (const std::string& choice : choices)
    if (value == choice) return;
  std::string list;
  for (const std::string& choice : choices)
    list += (list.empty() ? "" : ", ") + choice;
  fail("{} is one of {}; got '{}'{}", key, list, shortened(value), did_you_mean(value, choices));
}

/// Throws Error where a text is not UTF-8. TOML allows nothing else: a run with such a setting
/// could not be opened again.
void check_text(const Setting& setting) {
  const auto check_one = [&](const std::string& text) {
    if (utf8::find_invalid(text) != std::string::npos)
      fail("{} is not UTF-8: '{}'; rename the file, or set your terminal to UTF-8", setting.key,
           shortened(text));
  };
  if (const auto* text = std::get_if<std::string*>(&setting.value)) check_one(**text);
  if (const auto* texts = std::get_if<std::vector<std::string>*>(&setting.value))
    std::for_each((*texts)->begin(), (*texts)->end(), check_one);
}

bool can_copy(std::string_view model) {
  static const std::set<std::string_view> pointing = {"transformer", "rnn+additive", "rnn+dot",
                                                      "rnn+general", "rnn+concat"};
  return pointing.contains(model);
}

void check_duration(const std::string& time) {
  try {
    parse_duration(time);
  } catch (const Error& error) {
    fail("train.time: {}", error.what());
  }
}

template <class Number>
void within(const char* key, Number value, Number low, Number high) {
  if (!(value >= low && value <= high))
    fail("{} lies within {} and {}; got {}", key, low, high, value);
}

std::vector<Setting> data_settings(Settings& s) {
  return {
      {"data.train", &s.data.train,
       "what to train on: two files, one .tsv, .jsonl or .txt, or toy:NAME"},
      {"data.valid", &s.data.valid, "what to validate on; empty: a part of data.train is held out"},
      {"data.fields", &s.data.fields,
       "names of source and target in a .jsonl, or column numbers of a .tsv"},
      {"data.tokenizer", &s.data.tokenizer, "words, characters, or subwords: unigram or bpe"},
      {"data.min_count", &s.data.min_count,
       "words or characters seen fewer times than this become <unk>; no effect on subwords"},
      {"data.vocab_size", &s.data.vocab_size,
       "largest number of tokens in the vocabulary; 0: no limit (subwords: 8000, or fewer where "
       "the text is small)"},
      {"data.joint_vocabulary", &s.data.joint_vocabulary, "one vocabulary for sources and targets"},
      {"data.subword_sampling", &s.data.subword_sampling,
       "cuts each line anew in each epoch; 0: off; unigram: alpha, where smaller values vary more; "
       "bpe: dropout of merges"},
      {"data.batch_tokens", &s.data.batch_tokens,
       "number of tokens of source and target in a batch"},
      {"data.max_length", &s.data.max_length, "largest number of tokens of a side; 0: no limit"},
      {"data.long", &s.data.long_pairs,
       "pairs with a longer side: drop them, or cut that side to data.max_length"},
      {"data.blank", &s.data.blank, "pairs with a blank side: skip them, or error"},
      {"data.valid_fraction", &s.data.valid_fraction,
       "share of data.train held out when data.valid is empty"},
  };
}

std::vector<Setting> model_settings(Settings& s) {
  return {
      {"model.name", &s.model.name, "transformer, conv, lm, rnn or rnn+ATTENTION"},
      {"model.d", &s.model.d, "width of the model"},
      {"model.layers", &s.model.layers, "layers of the encoder, and of the decoder"},
      {"model.heads", &s.model.heads, "attention heads"},
      {"model.ff", &s.model.ff, "width inside the feed-forward layers; 0: 4 d"},
      {"model.context", &s.model.context, "tokens that a language model sees at once"},
      {"model.dropout", &s.model.dropout,
       "probability of dropping an activation (built-in corpora: 0)"},
      {"model.norm", &s.model.norm,
       "pre (before each sublayer) or post (after it, as in the paper)"},
  };
}

/// Settings that only some families of models have.
std::vector<Setting> family_settings(Settings& s) {
  return {
      {"model.kernel", &s.model.kernel, "conv: width of a convolution in tokens; odd"},
      {"model.positions", &s.model.positions,
       "conv: largest number of tokens of a source or an output"},
      {"model.weight_norm", &s.model.weight_norm, "conv: normalise the weights"},
      {"model.tied", &s.model.tied,
       "conv and rnn: the output layer shares the weights of the embedding, where their widths "
       "agree"},
      {"model.hidden", &s.model.hidden, "width of recurrent states; 0: model.d"},
      {"model.cell", &s.model.cell, "recurrent layers: elman, lstm, norm_lstm or gru"},
      {"model.bidirectional", &s.model.bidirectional,
       "recurrent encoders read the source in both directions"},
      {"model.recurrent_dropout", &s.model.recurrent_dropout,
       "probability of dropping an entry of a recurrent state, one mask per sequence"},
      {"model.copy", &s.model.copy,
       "transformer, rnn+additive, rnn+dot, rnn+general and rnn+concat: words may be copied from "
       "the source (pointer-generator)"},
      {"model.coverage", &s.model.coverage,
       "rnn+additive: weight of the loss for attending to the same token again; 0: none (paper: "
       "1)"},
  };
}

std::vector<Setting> optim_settings(Settings& s) {
  return {
      {"optim.name", &s.optim.name, "adam, adamw or sgd"},
      {"optim.lr", &s.optim.lr, "peak learning rate"},
      {"optim.schedule", &s.optim.schedule,
       "cosine, linear, inverse_sqrt or constant, after the warm-up"},
      {"optim.warmup", &s.optim.warmup, "steps until the learning rate reaches its peak"},
      {"optim.final_lr", &s.optim.final_lr,
       "learning rate at the end of cosine and linear, as a share of the peak"},
      {"optim.clip", &s.optim.clip, "largest norm of the gradient; 0: no limit"},
      {"optim.weight_decay", &s.optim.weight_decay,
       "adamw: decoupled; adam and sgd: an L2 penalty"},
      {"optim.momentum", &s.optim.momentum, "momentum of sgd"},
      {"optim.beta1", &s.optim.beta1, "adam and adamw: decay rate of the first moment"},
      {"optim.beta2", &s.optim.beta2, "adam and adamw: decay rate of the second moment"},
      {"optim.epsilon", &s.optim.epsilon, "adam and adamw: added to the denominator"},
      {"optim.accumulate", &s.optim.accumulate, "number of batches whose gradients make one step"},
  };
}

/// What ends the training.
std::vector<Setting> train_limit_settings(Settings& s) {
  return {
      {"train.steps", &s.train.steps, "stop after this number of steps; 0: no limit"},
      {"train.epochs", &s.train.epochs,
       "stop after this number of passes over the data; 0: no limit"},
      {"train.time", &s.train.time, "stop after this time (90s, 10m, 1h); empty: no limit"},
      {"train.exact_epochs", &s.train.exact_epochs,
       "true: an epoch ends where its data end; false: after whole steps, and train.steps does not "
       "count beside train.epochs (runs of earlier versions)"},
  };
}

std::vector<Setting> train_settings(Settings& s) {
  return {
      {"train.eval_every", &s.train.eval_every, "steps between validations; 0: at the end only"},
      {"train.save_every", &s.train.save_every, "steps between checkpoints; 0: at the end only"},
      {"train.keep", &s.train.keep, "number of step checkpoints to keep"},
      {"train.patience", &s.train.patience,
       "stop after this number of validations without improvement; 0: never"},
      {"train.average", &s.train.average,
       "validate and keep as best the mean of the weights of the last N checkpoints"},
      {"train.log_every", &s.train.log_every, "steps between lines of the log"},
      {"train.seed", &s.train.seed, "seed of the first weights, the order of the data and dropout"},
      {"train.label_smoothing", &s.train.label_smoothing,
       "share of the target probability that is spread over all words (built-in corpora: 0)"},
      {"train.init", &s.train.init,
       "begin with the weights of this run, .heed or .safetensors file; empty: random weights"},
      {"train.init_only", &s.train.init_only,
       "patterns of the parameters that train.init loads (! leaves out); empty: all"},
      {"train.freeze", &s.train.freeze,
       "patterns of the parameters that are not trained (! leaves out)"},
      {"train.on_nan", &s.train.on_nan,
       "where a loss or gradient is not finite: stop, or skip the step and count it"},
      {"train.precision", &s.train.precision,
       "precision of large products in training: fp32, or bf16 where the processor has it"},
  };
}

std::vector<Setting> decode_settings(Settings& s) {
  return {
      {"decode.beam", &s.decode.beam, "beam width; 1: greedy"},
      {"decode.length_penalty", &s.decode.length_penalty,
       "alpha; larger values favour longer outputs"},
      {"decode.min_length", &s.decode.min_length, "smallest number of tokens of an output"},
      {"decode.max_length", &s.decode.max_length,
       "largest number of tokens of an output; 0: twice the source + 20, at most data.max_length "
       "(1024 where that is 0)"},
      {"decode.no_repeat_ngram", &s.decode.no_repeat_ngram,
       "no sequence of N tokens occurs twice in an output; 0: it may"},
      {"decode.coverage_penalty", &s.decode.coverage_penalty,
       "beta; larger values favour outputs that attend to all of the source"},
  };
}

void set_data_defaults(Settings& s) {
  s.data = {.train = {},
            .valid = {},
            .fields = {},
            .tokenizer = "words",
            .min_count = 2,
            .vocab_size = 0,
            .batch_tokens = 2048,
            .max_length = 512,
            .valid_fraction = 0.05,
            .blank = "skip",
            .long_pairs = "drop",
            .joint_vocabulary = true,
            .subword_sampling = 0};
}

void set_model_defaults(Settings& s) {
  s.model = {.name = {},
             .d = 128,
             .layers = 3,
             .heads = 4,
             .ff = 0,
             .context = 64,
             .dropout = 0.1,
             .norm = "pre",
             .kernel = 3,
             .positions = 1024,
             .weight_norm = true,
             .tied = false,
             .bidirectional = true,
             .hidden = 0,
             .cell = "lstm",
             .recurrent_dropout = 0,
             .copy = false,
             .coverage = 0};
}

void set_optim_defaults(Settings& s) {
  s.optim = {.name = "adam",
             .lr = 2e-3,
             .schedule = "cosine",
             .warmup = 200,
             .final_lr = 0.02,
             .clip = 1,
             .weight_decay = 0,
             .momentum = 0.9,
             .beta1 = 0.9,
             .beta2 = 0.98,
             .epsilon = 1e-9,
             .accumulate = 1};
}

void set_train_defaults(Settings& s) {
  s.train = {.steps = 1600,
             .epochs = 0,
             .time = "",
             .exact_epochs = false,
             .eval_every = 400,
             .save_every = 400,
             .keep = 3,
             .patience = 0,
             .average = 1,
             .log_every = 50,
             .seed = 1,
             .label_smoothing = 0.1,
             .init = "",
             .init_only = {},
             .freeze = {},
             .on_nan = "stop",
             .precision = "fp32"};
}

void set_common_defaults(Settings& s) {
  set_data_defaults(s);
  set_model_defaults(s);
  set_optim_defaults(s);
  set_train_defaults(s);
  s.decode = {.beam = 5,
              .length_penalty = 0.6,
              .min_length = 0,
              .max_length = 0,
              .no_repeat_ngram = 0,
              .coverage_penalty = 0};
}

void set_language_model_defaults(Settings& s) {
  s.data.tokenizer = "characters";
  s.data.min_count = 1;
  s.data.batch_tokens = 768;
  s.data.valid_fraction = 0.1;
  s.model.layers = 4;
  s.model.dropout = 0;
  s.optim.name = "adamw";
  s.optim.lr = 1e-3;
  s.optim.warmup = 100;
  s.optim.final_lr = 0.1;
  s.optim.weight_decay = 0.1;
  s.optim.beta2 = 0.99;
  s.optim.epsilon = 1e-8;
  s.train.steps = 2000;
  s.train.eval_every = 500;
  s.train.save_every = 500;
  s.train.label_smoothing = 0;
}

void set_recurrent_defaults(Settings& s) {
  s.model.layers = 1;
  s.model.tied = true;
  s.optim.lr = 5e-3;  // with few steps 1e-2 learns fastest; with more, half of it does better
  s.optim.warmup = 50;
  // As in the papers of these two, and better. Models that feed the attentional vector back do
  // better with an LSTM.
  if (s.model.name == "rnn" || s.model.name == "rnn+additive") s.model.cell = "gru";
}

void set_summarization_defaults(Settings& s) {
  s.data.min_count = 20;
  s.model.copy = can_copy(s.model.name);
  s.model.coverage = s.model.name == "rnn+additive" ? 1 : 0;
  s.train.steps = 3000;
  s.train.eval_every = 500;
  s.train.save_every = 500;
  s.decode.no_repeat_ngram = 3;
}

constexpr Index large = Index{1} << 40;
constexpr Index medium = 1 << 20;

/// Throws Error where a text cannot be kept in config.toml.
void check_texts(Settings& s) {
  for (const Setting& setting : settings_of(s)) {
    check_text(setting);
    // config.toml holds its line with its help, and must pass check_depth() when it is read.
    const std::string text = text_of(setting);
    if (std::count(text.begin(), text.end(), '.') > most_dots - 20)
      fail("{} has more than {} dots: {}", setting.key, most_dots - 20, shortened(text));
  }
}

void check_names(const Settings& s) {
  one_of("model.name", s.model.name, model_names());
  one_of("data.tokenizer", s.data.tokenizer, tokenizer_kinds().names());
  one_of("data.long", s.data.long_pairs, {"drop", "cut"});
  one_of("data.blank", s.data.blank, {"skip", "error"});
  one_of("model.norm", s.model.norm, {"pre", "post"});
  one_of("model.cell", s.model.cell, cell_names());
  one_of("optim.name", s.optim.name, {"adam", "adamw", "sgd"});
  one_of("train.on_nan", s.train.on_nan, {"stop", "skip"});
  one_of("train.precision", s.train.precision, {"fp32", "bf16"});
  one_of("optim.schedule", s.optim.schedule, {"cosine", "linear", "inverse_sqrt", "constant"});
}

void check_data(const Settings& s) {
  if (has_subwords(s.data.tokenizer) && s.data.vocab_size != 0)
    within<Index>("data.vocab_size of subwords", s.data.vocab_size, SentencePiece::smallest_size,
                  SentencePiece::largest_size);
  within("data.subword_sampling", s.data.subword_sampling, 0.0,
         s.data.tokenizer == "bpe" ? 0.9 : 1.0);
  if (s.data.subword_sampling > 0 && !has_subwords(s.data.tokenizer))
    fail(
        "data.subword_sampling needs data.tokenizer unigram or bpe; got {}, which cuts a text in "
        "one way",
        s.data.tokenizer);
  if (s.model.name == "lm" && (s.data.subword_sampling > 0 || !s.data.joint_vocabulary))
    fail(
        "data.subword_sampling and data.joint_vocabulary are for pairs; --model lm reads one text");
  within<Index>("data.min_count", s.data.min_count, 1, large);
  within<Index>("data.vocab_size", s.data.vocab_size, 0, large);
  within<Index>("data.batch_tokens", s.data.batch_tokens, 1, large);
  within<Index>("data.max_length", s.data.max_length, 0, large);
  within("data.valid_fraction", s.data.valid_fraction, 0.0, 0.5);
}

void check_model_ranges(const Settings& s) {
  within<Index>("model.d", s.model.d, 2, medium);
  within<Index>("model.layers", s.model.layers, 1, 1000);
  within<Index>("model.heads", s.model.heads, 1, s.model.d);
  within<Index>("model.ff", s.model.ff, 0, medium);
  within<Index>("model.context", s.model.context, 1, medium);
  within("model.dropout", s.model.dropout, 0.0, 0.99);
  within<Index>("model.kernel", s.model.kernel, 1, 1001);
  within<Index>("model.positions", s.model.positions, 1, medium);
  if (s.model.kernel % 2 == 0) fail("model.kernel is odd; got {}", s.model.kernel);
  within<Index>("model.hidden", s.model.hidden, 0, medium);
  within("model.recurrent_dropout", s.model.recurrent_dropout, 0.0, 0.99);
  within("model.coverage", s.model.coverage, 0.0, 100.0);
}

/// Settings of the model that depend on each other.
void check_model(const Settings& s) {
  if (s.model.copy && !can_copy(s.model.name))
    fail("model.copy needs transformer, rnn+additive, rnn+dot, rnn+general or rnn+concat; got {}",
         s.model.name);
  if (s.model.copy && !s.data.joint_vocabulary)
    fail(
        "model.copy needs data.joint_vocabulary = true: a word that is copied has one id on both "
        "sides");
  if (s.model.coverage > 0 && s.model.name != "rnn+additive")
    fail("model.coverage needs rnn+additive; got {}", s.model.name);
  if (s.model.hidden % 2 != 0) fail("model.hidden is even; got {}", s.model.hidden);
  if (s.model.d % s.model.heads != 0)
    fail("model.heads divides model.d; got {} and {}", s.model.heads, s.model.d);
  if (s.model.d % 2 != 0) fail("model.d is even; got {}", s.model.d);
}

void check_optim(const Settings& s) {
  within("optim.lr", s.optim.lr, 0.0, 1e3);
  within("optim.final_lr", s.optim.final_lr, 0.0, 1.0);
  within("optim.clip", s.optim.clip, 0.0, 1e9);
  within<Index>("optim.warmup", s.optim.warmup, 0, large);
  within("optim.weight_decay", s.optim.weight_decay, 0.0, 1e3);
  within("optim.momentum", s.optim.momentum, 0.0, 1.0);
  within("optim.beta1", s.optim.beta1, 0.0, 1.0);
  within("optim.beta2", s.optim.beta2, 0.0, 1.0);
  within("optim.epsilon", s.optim.epsilon, 0.0, 1.0);
  within<Index>("optim.accumulate", s.optim.accumulate, 1, medium);
}

void check_train_ranges(const Settings& s) {
  within<Index>("train.steps", s.train.steps, 0, large);
  within<Index>("train.epochs", s.train.epochs, 0, large);
  within<Index>("train.eval_every", s.train.eval_every, 0, large);
  within<Index>("train.save_every", s.train.save_every, 0, large);
  within<Index>("train.keep", s.train.keep, 1, medium);
  within<Index>("train.patience", s.train.patience, 0, medium);
  within<Index>("train.average", s.train.average, 1, 100);
  within<Index>("train.log_every", s.train.log_every, 1, large);
  within("train.label_smoothing", s.train.label_smoothing, 0.0, 0.99);
  within<Index>("train.seed", s.train.seed, 0, std::numeric_limits<Index>::max());
}

void check_decode(const Settings& s) {
  within<Index>("decode.beam", s.decode.beam, 1, 1000);
  within("decode.length_penalty", s.decode.length_penalty, 0.0, 100.0);
  within<Index>("decode.max_length", s.decode.max_length, 0, medium);
  within<Index>("decode.min_length", s.decode.min_length, 0, medium);
  within<Index>("decode.no_repeat_ngram", s.decode.no_repeat_ngram, 0, medium);
  within("decode.coverage_penalty", s.decode.coverage_penalty, 0.0, 100.0);
  if (s.decode.max_length > 0 && s.decode.min_length > s.decode.max_length)
    fail("decode.min_length is at most decode.max_length; got {} and {}", s.decode.min_length,
         s.decode.max_length);
  if (s.decode.coverage_penalty > 0 && (s.model.name == "rnn" || s.model.name == "lm"))
    fail(
        "decode.coverage_penalty needs a model that attends to its source; model.name = {} does "
        "not",
        s.model.name);
}

/// What belongs to the run as a whole.
void check_run(const Settings& s) {
  if (s.train.init.empty() && !s.train.init_only.empty())
    fail("--init-only chooses what --init loads; give --init too");
  if (s.model.name == "conv" && s.model.positions < 2)
    fail("model.positions = 1 has no place for a token before </s>; give at least 2");
  if (!s.train.time.empty()) check_duration(s.train.time);
  if (s.train.steps == 0 && s.train.epochs == 0 && s.train.time.empty())
    fail("nothing ends the training; give --steps, --epochs or --time");
}

/// Seconds in a unit of time; 0 for an unknown unit.
double seconds_in(const std::string& unit) {
  if (unit.empty() || unit == "s") return 1;
  if (unit == "m") return 60;
  if (unit == "h") return 3600;
  return 0;
}

/// The setting that an argument of the library comes from; "" where there is none. Most arguments
/// are called as the last part of the setting's key.
std::string key_of_argument(const ArgumentError& error) {
  static const std::map<std::string_view, const char*> others = {{"max_size", "data.vocab_size"},
                                                                 {"final", "optim.final_lr"},
                                                                 {"kind", "optim.schedule"},
                                                                 {"seconds", "train.time"}};
  if (const auto found = others.find(error.argument); found != others.end()) return found->second;
  Settings s{};
  for (const Setting& setting : settings_of(s)) {
    const std::string key = setting.key;
    const bool section = error.where != "decode" || key.starts_with("decode.");
    if (section && key.ends_with("." + error.argument)) return key;
  }
  return "";
}

}  // namespace

std::vector<Setting> settings_of(Settings& s) {
  std::vector<Setting> all;
  for (const auto& group : {data_settings, model_settings, family_settings, optim_settings,
                            train_limit_settings, train_settings, decode_settings}) {
    const std::vector<Setting> settings = group(s);
    all.insert(all.end(), settings.begin(), settings.end());
  }
  return all;
}

const std::vector<std::string>& model_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = {"transformer", "conv", "lm", "rnn"};
    // These attentions use distances, which they would count from the end of the source, however
    // long the output is by then.
    const std::set<std::string_view> by_distance = {"local", "relative", "alibi", "rotary",
                                                    "adaptive_span"};
    for (std::string_view attention : attention_names())
      if (!by_distance.contains(attention)) all.push_back("rnn+" + std::string(attention));
    return all;
  }();
  return names;
}

bool is_toy(const std::vector<std::string>& data) {
  return data.size() == 1 && data[0].starts_with("toy:");
}

std::vector<std::string> absolute_data(std::vector<std::string> data) {
  if (is_toy(data)) return data;
  for (std::string& name : data) {
    std::error_code error;
    const std::filesystem::path whole = std::filesystem::absolute(name, error);
    const std::filesystem::path normal = whole.lexically_normal();
    if (name.empty() || error) continue;
    // Where .. follows a link, the normal form is another file.
    const bool same =
        std::filesystem::equivalent(whole, normal, error) || !std::filesystem::exists(whole, error);
    name = (same ? normal : whole).string();
  }
  return data;
}

Settings default_settings(const std::string& model, const std::vector<std::string>& data) {
  one_of("--model", model, model_names());
  Settings s{};
  set_common_defaults(s);
  s.model.name = model;
  if (model == "lm") set_language_model_defaults(s);
  // Weight normalisation bears a higher rate: at the 2e-3 of the others conv learns far slower.
  if (model == "conv") s.optim.lr = 6e-3;
  if (model.starts_with("rnn")) set_recurrent_defaults(s);
  if (is_toy(data)) {
    s.model.dropout = 0;
    s.train.label_smoothing = 0;
  }
  if (is_toy(data) && data[0] == "toy:summarization") set_summarization_defaults(s);
  return s;
}

Settings new_run_settings(const std::string& model, const std::vector<std::string>& data) {
  Settings s = default_settings(model, data);
  s.train.exact_epochs = true;
  return s;
}

GivenKeys read_settings(const std::string& path, Settings& settings) {
  if (!std::filesystem::exists(path)) fail("{}: no such file; check the name", path);
  if (std::filesystem::is_directory(path)) fail("{}: is a folder; name a file of settings", path);
  return read_settings_text(heed::read_file(path, most_bytes), path, settings);
}

GivenKeys read_settings_text(const std::string& text, const std::string& path, Settings& settings) {
  check_depth(text, path);
  auto all = settings_of(settings);
  GivenKeys given;
  try {
    const toml::table table = toml::parse(text, path);
    read_table(table, "", path, all, given);
  } catch (const toml::parse_error& error) {
    fail("{}:{}: {}", path, error.source().begin.line, error.description());
  }
  return given;
}

bool is_fixed(std::string_view key) {
  constexpr std::array<std::string_view, 6> training{"train.seed",      "train.label_smoothing",
                                                     "train.average",   "train.init",
                                                     "train.init_only", "train.freeze"};
  for (const std::string_view section : {"data.", "model.", "optim."})
    if (key.starts_with(section)) return true;
  return std::find(training.begin(), training.end(), key) != training.end();
}

std::string set(Settings& settings, const std::string& assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string::npos) fail("--set takes key=value; got '{}'", shortened(assignment));
  const std::string key = assignment.substr(0, equals);
  const std::string text = assignment.substr(equals + 1);
  auto all = settings_of(settings);
  const auto read_into = [&](auto* value) {
    if (!parse(text, *value)) wrong("--set ", key, expected(value), text);
  };
  std::visit(read_into, find(all, key, "--set ").value);
  return key;
}

std::string text_of(const Setting& setting) {
  return std::visit([](const auto* value) { return toml_text(*value); }, setting.value);
}

std::string text_of(Settings& settings, const std::string& key) {
  auto all = settings_of(settings);
  return text_of(find(all, key, ""));
}

std::string to_toml(Settings& settings) {
  std::string out = "# Every setting of this run, resolved.\n";
  std::string section;
  for (const Setting& setting : settings_of(settings)) {
    const std::string key = setting.key;
    const std::string head = key.substr(0, key.find('.'));
    if (head != section) out += fmt::format("\n[{}]\n", head);
    section = head;
    out += fmt::format("{:<32} # {}\n", key.substr(head.size() + 1) + " = " + text_of(setting),
                       setting.help);
  }
  return out;
}

void check_settings(Settings& s) {
  check_texts(s);
  check_names(s);
  check_data(s);
  check_model_ranges(s);
  check_model(s);
  check_optim(s);
  check_train_ranges(s);
  check_decode(s);
  check_run(s);
}

Error named_by_setting(const ArgumentError& error) {
  const std::string key = key_of_argument(error);
  if (key.empty()) return Error(error.what());
  const bool of = error.range.starts_with("of ");  // "layers of at least 1"
  return Error(
      fmt::format("{}: expected {}; got {}", key, error.range.substr(of ? 3 : 0), error.value));
}

double parse_duration(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string unit(end, text.data() + text.size());
  const double factor = seconds_in(unit);
  if (error != std::errc() || factor == 0 || !(value > 0) || !(value * factor < 1e9))
    fail("expected a time such as 90s, 10m or 1.5h; got '{}'", text);
  return value * factor;
}

}  // namespace heed::cli
