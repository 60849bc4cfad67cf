#include "cli/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include <toml++/toml.h>

#include "datasets/nearest.h"
#include "datasets/tokenizer.h"
#include "datasets/tokenizers/sentencepiece.h"
#include "datasets/utf8.h"
#include "framework/error.h"
#include "framework/files.h"
#include "layers/attention/family.h"
#include "layers/recurrent.h"

namespace heed::cli {

namespace {

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;  // clang before 17 does not see it

/// For messages: a line of text however long it is.
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

template <class Number>
Number parse(const std::string& key, const std::string& text, const char* expected) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    wrong("--set ", key, expected, text);
  return value;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');)
    parts.push_back(part);
  return parts;
}

/// A literal string of TOML, or where that cannot be a basic one.
std::string quoted(const std::string& text) {
  const auto control = [](char c) { return (c >= 0 && c < ' ') || c == '\x7F'; };
  if (text.find('\'') == std::string::npos && std::none_of(text.begin(), text.end(), control))
    return "'" + text + "'";
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (control(c))
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    else
      out += c;
  }
  return out + '"';
}

std::string number(double value) {
  std::string text = fmt::format("{}", value);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

/// A number, or true or false, that stands in quotes.
bool quoted_value(const toml::node& node) {
  const auto text = node.value_exact<std::string>();
  if (!text) return false;
  double number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  const bool whole = error == std::errc() && end == text->data() + text->size();
  return whole || *text == "true" || *text == "false";
}

void read_table(const toml::table& table, const std::string& prefix, const std::string& file,
                std::vector<Setting>& all, GivenKeys& given) {
  for (const auto& [name, node] : table) {
    const std::string key =
        prefix.empty() ? std::string(name.str()) : prefix + "." + std::string(name.str());
    const std::string place = fmt::format("{}:{}: ", file, node.source().begin.line);
    const bool section =
        prefix.empty() && std::any_of(all.begin(), all.end(), [&](const Setting& s) {
          return std::string_view(s.key).starts_with(key + ".");
        });
    if (node.is_table() && section) {
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
    std::ostringstream shown;
    if (const auto text = node.value_exact<std::string>())
      shown << *text;
    else
      node.visit([&](const auto& n) { shown << n; });
    std::visit(Overloaded{[&](Index* v) {
                            const auto x = node.value_exact<std::int64_t>();
                            if (!x) wrong(place, key, "a whole number", shown.str());
                            *v = *x;
                          },
                          [&](double* v) {
                            const auto x = node.is_number() ? node.value<double>() : std::nullopt;
                            if (!x) wrong(place, key, "a number", shown.str());
                            *v = *x;
                          },
                          [&](bool* v) {
                            const auto x = node.value_exact<bool>();
                            if (!x) wrong(place, key, "true or false", shown.str());
                            *v = *x;
                          },
                          [&](std::string* v) {
                            const auto x = node.value_exact<std::string>();
                            if (!x) wrong(place, key, "a text in quotes", shown.str());
                            *v = *x;
                          },
                          [&](std::vector<std::string>* v) {
                            v->clear();
                            if (!node.is_array()) wrong(place, key, "a list of texts", shown.str());
                            for (const auto& item : *node.as_array()) {
                              const auto x = item.value_exact<std::string>();
                              if (!x) wrong(place, key, "a list of texts", shown.str());
                              v->push_back(*x);
                            }
                          }},
               setting.value);
  }
}

constexpr std::ptrdiff_t most_dots = 100;
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 18;

/// A key such as a.a.a.a makes tables within tables, which toml++ destroys by recursion: thousands
/// would overflow the stack.
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

/// TOML holds no other text, so that a run of it could not be opened again.
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

}  // namespace

std::vector<Setting> settings_of(Settings& s) {
  return {
      {"data.train", &s.data.train,
       "what to train on: two files, one .tsv, .jsonl or .txt, or toy:NAME"},
      {"data.valid", &s.data.valid, "what to validate on; empty: held out from data.train"},
      {"data.fields", &s.data.fields,
       "names of source and target in a .jsonl, or column numbers of a .tsv"},
      {"data.tokenizer", &s.data.tokenizer, "words, characters, or subwords: unigram or bpe"},
      {"data.min_count", &s.data.min_count,
       "tokens seen less often become <unk>; subwords have no such limit"},
      {"data.vocab_size", &s.data.vocab_size,
       "most tokens in the vocabulary; 0: no limit (subwords: 8000, fewer where the text is "
       "small)"},
      {"data.joint_vocabulary", &s.data.joint_vocabulary, "one vocabulary for sources and targets"},
      {"data.subword_sampling", &s.data.subword_sampling,
       "0: off. Cuts each line anew in each epoch; unigram: alpha, smaller varies more; bpe: "
       "dropout"},
      {"data.batch_tokens", &s.data.batch_tokens, "tokens of source and target in a batch"},
      {"data.max_length", &s.data.max_length, "most tokens of a side; 0: no limit"},
      {"data.long", &s.data.long_pairs,
       "pairs with a longer side: drop, or cut that side to data.max_length"},
      {"data.blank", &s.data.blank, "lines with a blank side: skip, or error"},
      {"data.valid_fraction", &s.data.valid_fraction,
       "share of data.train held out when data.valid is empty"},
      {"model.name", &s.model.name, "transformer, conv, lm, rnn or rnn+ATTENTION"},
      {"model.d", &s.model.d, "width of the model"},
      {"model.layers", &s.model.layers, "layers of the encoder, and of the decoder"},
      {"model.heads", &s.model.heads, "attention heads"},
      {"model.ff", &s.model.ff, "width inside the feed-forward layers; 0: 4 d"},
      {"model.context", &s.model.context, "tokens a language model sees"},
      {"model.dropout", &s.model.dropout,
       "probability of dropping an activation (built-in corpora: 0)"},
      {"model.norm", &s.model.norm,
       "pre (before each sublayer) or post (after it, as in the paper)"},
      {"model.kernel", &s.model.kernel, "of conv: tokens that a convolution sees; odd"},
      {"model.positions", &s.model.positions, "of conv: longest source and longest output"},
      {"model.weight_norm", &s.model.weight_norm, "of conv: normalise the weights"},
      {"model.tied", &s.model.tied,
       "of conv and rnn: the output layer is the embedding (where what it reads is as wide)"},
      {"model.hidden", &s.model.hidden, "width of recurrent states; 0: model.d"},
      {"model.cell", &s.model.cell, "of recurrent layers: elman, lstm, norm_lstm or gru"},
      {"model.bidirectional", &s.model.bidirectional, "recurrent encoders read both ways"},
      {"model.recurrent_dropout", &s.model.recurrent_dropout,
       "the same within recurrent states, one mask a sequence"},
      {"model.copy", &s.model.copy,
       "of transformer, rnn+additive, dot, general and concat: words may be copied from the source "
       "(pointer-generator)"},
      {"model.coverage", &s.model.coverage,
       "of rnn+additive: weight of the loss for attending twice; 0: none (1 in the paper)"},
      {"optim.name", &s.optim.name, "adam, adamw or sgd"},
      {"optim.lr", &s.optim.lr, "peak learning rate"},
      {"optim.schedule", &s.optim.schedule,
       "cosine, linear, inverse_sqrt or constant, after the warm-up"},
      {"optim.warmup", &s.optim.warmup, "steps to reach the peak"},
      {"optim.final_lr", &s.optim.final_lr, "where cosine and linear end, as a share of the peak"},
      {"optim.clip", &s.optim.clip, "largest norm of the gradient; 0: no limit"},
      {"optim.weight_decay", &s.optim.weight_decay,
       "of adamw (decoupled); an L2 penalty in adam and sgd"},
      {"optim.momentum", &s.optim.momentum, "of sgd"},
      {"optim.beta1", &s.optim.beta1, "of adam and adamw"},
      {"optim.beta2", &s.optim.beta2, "of adam and adamw"},
      {"optim.epsilon", &s.optim.epsilon, "of adam and adamw"},
      {"optim.accumulate", &s.optim.accumulate, "batches whose gradients make one step"},
      {"train.steps", &s.train.steps, "stop after so many steps; 0: no limit"},
      {"train.epochs", &s.train.epochs, "stop after so many passes over the data; 0: no limit"},
      {"train.time", &s.train.time, "stop after so much time (90s, 10m, 1h); empty: no limit"},
      {"train.exact_epochs", &s.train.exact_epochs,
       "an epoch is what is read; false: whole steps, beside which train.steps does not count "
       "(runs begun before)"},
      {"train.eval_every", &s.train.eval_every, "steps between validations; 0: at the end only"},
      {"train.save_every", &s.train.save_every, "steps between checkpoints; 0: at the end only"},
      {"train.keep", &s.train.keep, "step checkpoints to keep"},
      {"train.patience", &s.train.patience,
       "stop after so many validations without improvement; 0: never"},
      {"train.average", &s.train.average,
       "average the weights of the last N checkpoints for validation and best"},
      {"train.log_every", &s.train.log_every, "steps between lines of the log"},
      {"train.seed", &s.train.seed, "of weights, order and dropout"},
      {"train.label_smoothing", &s.train.label_smoothing,
       "share of the target spread over all words (built-in corpora: 0)"},
      {"train.init", &s.train.init,
       "begin with the weights of this run, .heed or .safetensors file; empty: afresh"},
      {"train.init_only", &s.train.init_only,
       "patterns of the parameters that train.init loads (! leaves out); none: all"},
      {"train.freeze", &s.train.freeze,
       "patterns of the parameters that stay as they are (! leaves out)"},
      {"train.on_nan", &s.train.on_nan,
       "where a loss or gradient is not finite: stop, or skip the step, and count it"},
      {"train.precision", &s.train.precision,
       "of large products while training: fp32, or bf16 where the processor has it"},
      {"decode.beam", &s.decode.beam, "beam width; 1: greedy"},
      {"decode.length_penalty", &s.decode.length_penalty, "alpha; larger favours longer outputs"},
      {"decode.min_length", &s.decode.min_length, "fewest tokens of an output"},
      {"decode.max_length", &s.decode.max_length,
       "most tokens of an output; 0: twice the source + 20, no more than data.max_length (1024 "
       "where that is 0)"},
      {"decode.no_repeat_ngram", &s.decode.no_repeat_ngram,
       "no N tokens in a row stand twice in an output; 0: they may"},
      {"decode.coverage_penalty", &s.decode.coverage_penalty,
       "beta; larger favours outputs that looked at all of the source"},
  };
}

const std::vector<std::string>& model_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = {"transformer", "conv", "lm", "rnn"};
    // Those that look at distances count them from the end of the source, wherever the output has
    // come to.
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
    // not where .. follows a link
    const bool same =
        std::filesystem::equivalent(whole, normal, error) || !std::filesystem::exists(whole, error);
    name = (same ? normal : whole).string();
  }
  return data;
}

Settings default_settings(const std::string& model, const std::vector<std::string>& data) {
  one_of("--model", model, model_names());
  Settings s{};
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
  s.model = {.name = model,
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
  s.decode = {.beam = 5,
              .length_penalty = 0.6,
              .min_length = 0,
              .max_length = 0,
              .no_repeat_ngram = 0,
              .coverage_penalty = 0};
  if (model == "lm") {
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
  // normalised weights bear it, and learn far slower at the 2e-3 of the others
  if (model == "conv") s.optim.lr = 6e-3;
  // short of steps they learn fastest at 1e-2; with more, better at half of it
  if (model.starts_with("rnn")) {
    s.model.layers = 1;
    s.model.tied = true;
    s.optim.lr = 5e-3;
    s.optim.warmup = 50;
    // as in their papers, and better; fed attentional vectors prefer an LSTM
    if (model == "rnn" || model == "rnn+additive") s.model.cell = "gru";
  }
  if (is_toy(data)) {
    s.model.dropout = 0;
    s.train.label_smoothing = 0;
  }
  if (is_toy(data) && data[0] == "toy:summarization") {
    s.data.min_count = 20;
    s.model.copy = can_copy(model);
    s.model.coverage = model == "rnn+additive" ? 1 : 0;
    s.train.steps = 3000;
    s.train.eval_every = 500;
    s.train.save_every = 500;
    s.decode.no_repeat_ngram = 3;
  }
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
  std::visit(Overloaded{[&](Index* v) { *v = parse<Index>(key, text, "a whole number"); },
                        [&](double* v) { *v = parse<double>(key, text, "a number"); },
                        [&](bool* v) {
                          if (text != "true" && text != "false")
                            wrong("--set ", key, "true or false", text);
                          *v = text == "true";
                        },
                        [&](std::string* v) { *v = text; },
                        [&](std::vector<std::string>* v) { *v = split(text); }},
             find(all, key, "--set ").value);
  return key;
}

std::string text_of(const Setting& setting) {
  return std::visit(Overloaded{[](const Index* v) { return fmt::format("{}", *v); },
                               [](const double* v) { return number(*v); },
                               [](const bool* v) { return std::string(*v ? "true" : "false"); },
                               [](const std::string* v) { return quoted(*v); },
                               [](const std::vector<std::string>* v) {
                                 std::string list;
                                 for (const auto& item : *v)
                                   list += (list.empty() ? "" : ", ") + quoted(item);
                                 return "[" + list + "]";
                               }},
                    setting.value);
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
    if (head != section) out += fmt::format("\n[{}]\n", section = head);
    out += fmt::format("{:<32} # {}\n", key.substr(head.size() + 1) + " = " + text_of(setting),
                       setting.help);
  }
  return out;
}

void check_settings(Settings& s) {
  for (const Setting& setting : settings_of(s)) {
    check_text(setting);
    // its line is written, with its help, and read again
    const std::string text = text_of(setting);
    if (std::count(text.begin(), text.end(), '.') > most_dots - 20)
      fail("{} has more than {} dots: {}", setting.key, most_dots - 20, shortened(text));
  }
  one_of("model.name", s.model.name, model_names());
  one_of("data.tokenizer", s.data.tokenizer, tokenizer_kinds());
  one_of("data.long", s.data.long_pairs, {"drop", "cut"});
  one_of("data.blank", s.data.blank, {"skip", "error"});
  one_of("model.norm", s.model.norm, {"pre", "post"});
  one_of("model.cell", s.model.cell, cell_names());
  one_of("optim.name", s.optim.name, {"adam", "adamw", "sgd"});
  one_of("train.on_nan", s.train.on_nan, {"stop", "skip"});
  one_of("train.precision", s.train.precision, {"fp32", "bf16"});
  one_of("optim.schedule", s.optim.schedule, {"cosine", "linear", "inverse_sqrt", "constant"});
  constexpr Index large = Index{1} << 40;
  constexpr Index medium = 1 << 20;
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
  if (s.train.init.empty() && !s.train.init_only.empty())
    fail("--init-only chooses what --init loads; give --init too");
  if (s.model.name == "conv" && s.model.positions < 2)
    fail("model.positions = 1 has no place for a token before </s>; give at least 2");
  if (!s.train.time.empty()) check_duration(s.train.time);
  if (s.train.steps == 0 && s.train.epochs == 0 && s.train.time.empty())
    fail("nothing ends the training; give --steps, --epochs or --time");
}

Error named_by_setting(const ArgumentError& error) {
  static const std::map<std::string_view, const char*> others = {// those that no key ends with
                                                                 {"max_size", "data.vocab_size"},
                                                                 {"final", "optim.final_lr"},
                                                                 {"kind", "optim.schedule"},
                                                                 {"seconds", "train.time"}};
  std::string key;
  if (const auto found = others.find(error.argument); found != others.end()) key = found->second;
  Settings s{};
  for (const Setting& setting : settings_of(s)) {
    const std::string name = setting.key;
    const bool section = error.where != "decode" || name.starts_with("decode.");
    if (key.empty() && section && name.ends_with("." + error.argument)) key = name;
  }
  if (key.empty()) return Error(error.what());
  const bool of = error.range.starts_with("of ");  // "layers of at least 1"
  return Error(
      fmt::format("{}: expected {}; got {}", key, error.range.substr(of ? 3 : 0), error.value));
}

double parse_duration(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string unit(end, text.data() + text.size());
  const double factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (error != std::errc() || factor == 0 || !(value > 0) || !(value * factor < 1e9))
    fail("expected a time such as 90s, 10m or 1.5h; got '{}'", text);
  return value * factor;
}

}  // namespace heed::cli
