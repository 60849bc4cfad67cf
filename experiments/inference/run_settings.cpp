#include "experiments/inference/run_settings.h"

#include <algorithm>
#include <optional>

#include <fmt/ranges.h>

#include "datasets/text/tokenizer.h"
#include "datasets/text/tokenizer_kinds.h"
#include "datasets/text/utf8.h"
#include "experiments/inference/toml.h"
#include "framework/nearest.h"

namespace heed {

namespace {

constexpr Index large = Index{1} << 40;
constexpr std::ptrdiff_t most_dots = 80;  // in the line of a value; read_toml() takes 100

/// Shortens a value for a message: it may be of any length.
std::string shortened(std::string_view text) {
  constexpr std::size_t most = 100;
  return text.size() <= most ? std::string(text) : std::string(text.substr(0, most)) + "...";
}

bool is_one_file(const std::vector<std::string>& data) { return data.size() == 1 && !is_toy(data); }

/// Throws Error where a text is not UTF-8. TOML allows nothing else: a run with such a setting
/// could not be opened again.
void check_utf8(const Field& field) {
  const FieldValue value = field.value();
  const auto check_one = [&](const std::string& text) {
    if (utf8::find_invalid(text) != std::string::npos)
      fail("{} is not UTF-8: '{}'; rename the file, or set your terminal to UTF-8", field.key(),
           shortened(text));
  };
  if (const auto* text = std::get_if<std::string>(&value)) check_one(*text);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value))
    std::for_each(texts->begin(), texts->end(), check_one);
}

/// Throws Error where config.toml could not hold the value.
void check_kept(const Field& field) {
  check_utf8(field);
  const std::string text = toml_text(field.value());
  if (std::count(text.begin(), text.end(), '.') > most_dots)
    fail("{} has more than {} dots: {}", field.key(), most_dots, shortened(text));
}

/// Throws FieldError where a vocabulary of subwords cannot have this size.
void check_size(const DataSettings& d) {
  const TokenizerKind& kind = tokenizer_kinds().at(d.tokenizer);
  const Range range = between(kind.smallest_size, kind.largest_size);
  if (!range.holds(d.vocab_size))
    throw FieldError("data.vocab_size", range.text() + " for subwords, or 0",
                     fmt::format("{}", d.vocab_size));
}

/// The kinds of tokenizers that can cut a text in several ways: "unigram or bpe".
std::string sampling_kinds() {
  std::vector<std::string> names;
  for (const TokenizerKind& kind : tokenizer_kinds().rows())
    if (kind.largest_strength > 0) names.push_back(kind.name);
  return fmt::format("{}", fmt::join(names, " or "));
}

/// The kinds of tokenizers that can mark case: "unigram or bpe".
std::string case_marking_kinds() {
  std::vector<std::string> names;
  for (const TokenizerKind& kind : tokenizer_kinds().rows())
    if (kind.can_mark_case) names.push_back(kind.name);
  return fmt::format("{}", fmt::join(names, " or "));
}

void check_tokenizer(const DataSettings& d, bool pairs) {
  if (has_subwords(d.tokenizer) && d.vocab_size != 0) check_size(d);
  if (d.letter_case == "mark" && !tokenizer_kinds().at(d.tokenizer).can_mark_case)
    fail("data.case = mark needs data.tokenizer = {}; got {}, which keeps the case",
         case_marking_kinds(), d.tokenizer);
  const double strongest = tokenizer_kinds().at(d.tokenizer).largest_strength;
  if (d.subword_sampling > 0 && strongest <= 0)
    fail("data.subword_sampling needs data.tokenizer = {}; got {}, which cuts a text in one way",
         sampling_kinds(), d.tokenizer);
  if (d.subword_sampling > strongest)
    throw FieldError("data.subword_sampling", between(0.0, strongest).text(),
                     fmt::format("{}", d.subword_sampling));
  if (!pairs && (d.subword_sampling > 0 || !d.joint_vocabulary))
    fail(
        "data.subword_sampling and data.joint_vocabulary are for pairs; a language model reads "
        "one text");
}

/// Throws Error where no such model is made for the task.
void check_task(const RunSettings& s) {
  if (s.task.row().takes(s.model.family())) return;
  std::vector<std::string> others;
  for (const ModelFamily& family : model_families().rows())
    if (s.task.row().takes(family)) others.push_back(family.name);
  fail("model.name = {} is not for task.name = {}; choose one of {}", s.model.name, s.task.name,
       fmt::join(others, ", "));
}

/// Throws FieldError where options of decoding contradict each other.
void check_decoding(const DecodeOptions& options) {
  try {
    options.check();
  } catch (const FieldError& error) {
    throw FieldError("decode." + error.key, error.expected, error.given);
  }
}

/// Whether a number or a truth value stands in quotes.
bool is_quoted_value(const Field& field, const FieldValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  const FieldValue& like = field.initial();
  if (!text || like.index() == value.index()) return false;
  try {
    field.parse(*text);
    return !std::holds_alternative<std::vector<std::string>>(like);
  } catch (const FieldError&) {
    return false;
  }
}

/// Where a value is none of this setting, but one of that name of another family: the default
/// there. Configurations of old runs hold the settings of all families. A number of positions is
/// conv's; others have a scheme.
std::optional<FieldValue> usual_of_another_family(const Field& field, const FieldValue& value) {
  constexpr std::string_view section = "model.";
  if (!field.key().starts_with(section) || field.range().holds(value)) return std::nullopt;
  for (const ModelFamily& family : model_families().rows()) {
    AnyOptions options = family.options;
    const Fields fields = fields_of(options);
    const Field* other = fields.find(std::string_view(field.key()).substr(section.size()));
    if (other && other->initial().index() == value.index() && other->range().holds(value))
      return other->value();
  }
  return std::nullopt;
}

/// The families that have a setting of this name and take the value.
std::vector<std::string> families_taking(std::string_view key, std::string_view text) {
  constexpr std::string_view section = "model.";
  std::vector<std::string> names;
  if (!key.starts_with(section)) return names;
  for (const ModelFamily& family : model_families().rows()) {
    AnyOptions options = family.options;
    const Fields fields = fields_of(options);
    const Field* field = fields.find(key.substr(section.size()));
    try {
      if (field && field->range().holds(field->parse(text))) names.push_back(family.name);
    } catch (const FieldError&) {
      continue;
    }
  }
  return names;
}

/// Sets a value of a file. Its place stands before the message of an error.
void set_from_file(const Field& field, const TomlEntry& entry, const std::string& name) {
  if (is_quoted_value(field, entry.value))
    fail("{}:{}: {} takes no quotes; write {} = {}", name, entry.line, entry.key,
         entry.key.substr(entry.key.find('.') + 1), std::get<std::string>(entry.value));
  try {
    field.set(entry.value);
  } catch (const FieldError& error) {
    fail("{}:{}: {}", name, entry.line, error.what());
  }
}

}  // namespace

NotOfThisChoice::NotOfThisChoice(std::string setting, std::string choosing,
                                 const std::string& chosen, std::vector<std::string> others)
    : Error(fmt::format("{} has no setting {}: it is for {}", chosen, shortened(setting),
                        fmt::join(others, ", "))),
      key(std::move(setting)),
      chooser(std::move(choosing)),
      owners(std::move(others)) {}

UnknownSetting::UnknownSetting(const std::string& key, const std::string& near)
    : Error(fmt::format("unknown setting '{}'{}", key,
                        near.empty() ? "" : fmt::format("; did you mean '{}'?", near))),
      nearest(near) {}

UnknownSetting::UnknownSetting(const std::string& place, const UnknownSetting& error)
    : Error(place + error.what()), nearest(error.nearest) {}

bool is_toy(const std::vector<std::string>& data) {
  return data.size() == 1 && data[0].starts_with("toy:");
}

void DataSettings::list(Fields& f, const Task& task, const ModelFamily& family,
                        const AnyOptions& model) {
  const bool lm = !task.reads_pairs;
  const bool subwords = has_subwords(tokenizer);
  f("train", train, any_value(),
    "what to train on: two files, one .tsv, .jsonl or (for a language model) .txt, or toy:NAME; "
    "one with a column or key `label` holds labelled texts")
      .option("train", 1, 2)
      .option_help(
          "DATA: two line-aligned files, one .tsv, .jsonl or (for lm) .txt, or toy:NAME; one with "
          "a column or key `label` holds labelled texts; a folder with one for each label, or two "
          "idx files, hold pictures");
  f("valid", valid, any_value(), "what to validate on; empty: a part of data.train is held out")
      .option("valid", 1, 2)
      .option_help("DATA to validate on (default: some of the training data is held out)");
  f("fields", fields, any_value(), "source and target: keys of a .jsonl, or columns of a .tsv")
      .option("fields", 2, 2)
      .without_effect_if(!is_one_file(train) && !is_one_file(valid), "data.train")
      .without_effect_if(lm, "model.name");
  f("tokenizer", tokenizer, one_of(tokenizer_kinds().names()),
    fmt::format("{}; the last two learn subwords", fmt::join(tokenizer_kinds().names(), ", ")))
      .selects();
  f("min_count", min_count, between(Index{1}, large),
    "words or characters seen fewer times than this become <unk>; no effect on subwords")
      .without_effect_if(subwords, "data.tokenizer");
  f("vocab_size", vocab_size, between(Index{0}, large),
    "largest number of tokens in the vocabulary; 0: no limit (subwords: 8000, or fewer where the "
    "text is small)");
  f("joint_vocabulary", joint_vocabulary, any_value(), "one vocabulary for sources and targets")
      .without_effect_if(task.labelled, "task.name");
  f("subword_sampling", subword_sampling, between(0.0, 1.0),
    "cuts each line anew in each epoch; 0: off; unigram: alpha, where smaller values vary more; "
    "bpe: dropout of merges");
  f("case", letter_case, one_of({"keep", "mark"}),
    "subwords: keep capitals, or mark: words in lower case, with a token before those that had a "
    "capital at their head or capitals alone")
      .absent("keep");
  f("batch_tokens", batch_tokens, between(Index{1}, large),
    "number of tokens of source and target in a batch");
  f("max_length", max_length, between(Index{0}, large),
    "largest number of tokens of a side; 0: no limit")
      .without_effect_if(lm, "model.name");
  f("long", long_pairs, one_of({"drop", "cut"}),
    "pairs with a longer side: drop them, or cut that side to data.max_length")
      .without_effect_if(lm, "model.name")
      .without_effect_if(max_length == 0 && family.longest_side(model) == 0, "data.max_length");
  f("blank", blank, one_of({"skip", "error"}), "pairs with a blank side: skip them, or error")
      .without_effect_if(lm, "model.name")
      .without_effect_if(is_toy(train), "data.train");
  f("valid_fraction", valid_fraction, between(0.0, 0.5),
    "share of data.train held out when data.valid is empty")
      .without_effect_if(is_toy(train), "data.train")
      .without_effect_if(!valid.empty(), "data.valid");
}

std::string ModelSettings::longest_key() const {
  AnyOptions all = options;
  return fields_of(all).has("max_positions") ? "model.max_positions" : "model.positions";
}

void ModelSettings::list(Fields& f) {
  f("name", name, one_of(model_families().names()),
    fmt::format("{} (lm: a language model)", fmt::join(model_families().names(), ", ")))
      .option("model")
      .selects()
      .then([this] { options = family().options; });
  options.list(f);
}

namespace {

/// "translate (a text to a text: translation, summaries), classify (a text to a label)"
std::string tasks_help() {
  std::vector<std::string> rows;
  for (const Task& task : tasks().rows())
    rows.push_back(fmt::format("{} ({})", task.name, task.help));
  return fmt::format("{}", fmt::join(rows, ", "));
}

}  // namespace

void TaskSettings::list(Fields& f, const ModelFamily& family) {
  f("name", name, one_of(tasks().names()), fmt::format("what the model gives: {}", tasks_help()))
      .option("task")
      .absent(usual_task(family).name)
      .selects()
      .then([this] { options = row().options; });
  options.list(f);
}

std::shared_ptr<const Reader> SourceSettings::reader() const {
  return row().reader ? row().reader(options) : nullptr;
}

void SourceSettings::list(Fields& f) {
  std::vector<std::string> rows;
  for (const SourceKind& kind : sources().rows())
    rows.push_back(fmt::format("{} ({})", kind.name, kind.help));
  f("name", name, one_of(sources().names()),
    fmt::format("what the model reads: {}", fmt::join(rows, ", ")))
      .absent("text")
      .selects()
      .then([this] { options = row().options; });
  options.list(f);
}

namespace {

/// The settings of data.* that are about texts alone.
constexpr std::string_view of_texts[] = {
    "data.tokenizer", "data.min_count",  "data.vocab_size", "data.joint_vocabulary",
    "data.case",      "data.max_length", "data.long",       "data.subword_sampling"};

}  // namespace

void RunSettings::list(Fields& f) {
  struct Data {
    RunSettings& all;
    void list(Fields& f) const {
      all.data.list(f, all.task.row(), all.model.family(), all.model.options);
    }
  };
  struct TaskOf {
    RunSettings& all;
    void list(Fields& f) const { all.task.list(f, all.model.family()); }
  };
  const Data with_model{*this};
  const TaskOf of_model{*this};
  f.section("data", with_model);
  f.section("model", model);
  f.section("task", of_model);
  f.section("source", source);
  f.section("decode", decode);
  const Task& row = task.row();
  for (Field* field : f.under("model."))
    field->without_effect_if(!row.decodes && field->used_by() == "decoder", "task.name");
  for (Field* field : f.under("data."))
    field->without_effect_if(source.row().reader && std::ranges::count(of_texts, field->key()) > 0,
                             "source.name");
  for (Field* field : f.under("decode.")) {
    field->without_effect_if(!row.reads_pairs, "model.name");
    field->without_effect_if(!row.decodes, "task.name");
  }
}

void RunSettings::settle_task() {
  if (!is_given("task.name") && !task.row().takes(model.family()))
    task.choose(usual_task(model.family()).name);
}

Fields RunSettings::fields() const& {
  Fields f;
  const_cast<RunSettings*>(this)->list(f);  // listing changes nothing
  return f;
}

Field RunSettings::field(std::string_view key) const {
  const Fields all = fields();
  if (const Field* found = all.find(key)) return *found;
  refuse(key);
}

void RunSettings::refuse(std::string_view key) const {
  const Owners others = owners(key);
  if (!others.names.empty())
    throw NotOfThisChoice(std::string(key), others.chooser, to_text(value(others.chooser)),
                          others.names);
  const std::string near = nearest(key, fields().keys());
  throw UnknownSetting(shortened(key), near);
}

RunSettings::Owners RunSettings::owners(std::string_view key) const {
  if (key.starts_with("task.")) return owners_among(tasks(), "task.", key);
  if (key.starts_with("source.")) return owners_among(sources(), "source.", key);
  Owners families = owners_among(model_families(), "model.", key);
  return families.names.empty() ? owners_within_model(key) : families;
}

RunSettings::Owners RunSettings::owners_within_model(std::string_view key) const {
  Owners found;
  if (!key.starts_with("model.")) return found;
  for (const Field& chooser : fields()) {
    if (!chooser.is_selecting() || !chooser.key().starts_with("model.")) continue;
    // A recipe chooses through others.
    if (chooser.key() == "model.name" || chooser.key() == "model.recipe") continue;
    for (const std::string& name : chooser.range().names()) {
      RunSettings other(*this);
      other.field(chooser.key()).set(name);
      const Fields of_other = other.fields();
      const Field* field = of_other.find(key);
      if (!field) continue;
      if (found.names.empty()) found.usual = field->value();
      found.chooser = chooser.key();
      found.names.push_back(name);
    }
    if (!found.names.empty()) return found;
  }
  return found;
}

void RunSettings::leave_out(const std::string& key, const FieldValue& value,
                            const std::string& chooser) {
  left_out_.push_back({key, value, chooser});
}

bool RunSettings::has_section(std::string_view key) const {
  return key.starts_with("data.") || key.starts_with("model.") || key.starts_with("task.") ||
         key.starts_with("source.") || key.starts_with("decode.");
}

void RunSettings::set(std::string_view key, std::string_view text) {
  const Field one = field(key);
  FieldValue value;
  try {
    value = one.parse(text);
  } catch (const FieldError&) {
    // Of another family that has a setting of this name: one command line serves several models.
    const std::vector<std::string> others = families_taking(key, text);
    if (others.empty()) throw;
    throw NotOfThisChoice(std::string(key), "model.name", model.name, others);
  }
  assign(key, value);
}

void RunSettings::assign(std::string_view key, const FieldValue& value) {
  give(field(key), value, true);
}

void RunSettings::give(const Field& field, const FieldValue& value, bool chosen) {
  field.set(value);
  given_[field.key()] = {field.value(), chosen};
  on_given(field.key());
  if (!field.is_selecting()) return;
  settle_task();
  // Other fields may have come, with their own defaults. What was set before stays as it was.
  choose_again_after(field.key());
  for (const auto& [key, value_before] : defaults_)
    if (!given_.contains(key)) take_again(key, value_before);
  for (const auto& [key, given] : given_)
    if (key != field.key()) take_again(key, given.value);
}

void RunSettings::choose_again_after(std::string key) {
  while (true) {
    const Fields all = fields();  // anew: each choice may bring others
    bool behind = false;
    const auto is_next = [&](const Field& field) {
      if (field.key() == key) behind = true;
      const bool given = field.is_selecting() && given_.contains(field.key());
      return behind && field.key() != key && given &&
             field.range().holds(given_.at(field.key()).value);
    };
    const auto next = std::find_if(all.begin(), all.end(), is_next);
    if (next == all.end()) return;
    next->set(given_.at(next->key()).value);
    key = next->key();
  }
}

void RunSettings::take_again(const std::string& key, const FieldValue& value) {
  const Fields all = fields();
  const Field* found = all.find(key);
  if (found && !found->is_selecting() && found->range().holds(value)) found->set(value);
}

void RunSettings::assign_default(std::string_view key, const FieldValue& value) {
  field(key).set(value);
  defaults_[std::string(key)] = value;
  settle_task();
}

FieldValue RunSettings::value(std::string_view key) const { return field(key).value(); }

bool RunSettings::is_given(std::string_view key) const { return given_.contains(key); }

bool RunSettings::is_chosen(std::string_view key) const {
  const auto found = given_.find(key);
  return found != given_.end() && found->second.chosen;
}

std::vector<std::string> RunSettings::chosen_keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, given] : given_)
    if (given.chosen) keys.push_back(key);
  return keys;
}

void RunSettings::read(const std::string& path) { read_text(read_toml_file(path), path); }

void RunSettings::read_text(const std::string& text, const std::string& name) {
  take(text, name, Unknown::refuse);
}

void RunSettings::read_run(const std::string& text, const std::string& name) {
  take(text, name, Unknown::skip_of_others);
}

void RunSettings::take(const std::string& text, const std::string& name, Unknown unknown) {
  const bool of_run = unknown == Unknown::skip_of_others;
  std::vector<TomlEntry> entries = read_toml(text, name);
  const auto apply = [&](const Field& field, const TomlEntry& entry) {
    const FieldValue before = field.value();
    set_from_file(field, entry, name);
    if (of_run)
      given_[field.key()] = {field.value(), false};  // what is given now is added to it
    else
      give(field, field.value(), field.value() != before);
  };
  // First what decides which other settings there are, until it decides nothing more.
  const auto is_selecting = [](const Fields& all, const TomlEntry& entry) {
    const Field* found = all.find(entry.key);
    return found && found->is_selecting() && !usual_of_another_family(*found, entry.value);
  };
  while (true) {
    const Fields now = fields();
    const auto entry = std::find_if(entries.begin(), entries.end(),
                                    [&](const TomlEntry& e) { return is_selecting(now, e); });
    if (entry == entries.end()) break;
    apply(*now.find(entry->key), *entry);
    entries.erase(entry);
  }
  if (of_run) set_absent();
  const Fields all = fields();
  for (const TomlEntry& entry : entries) {
    const Field* found = all.find(entry.key);
    if (found) {
      if (const auto usual = usual_of_another_family(*found, entry.value)) {
        if (!of_run && entry.value != *usual) leave_out(entry.key, entry.value, "model.name");
        continue;
      }
      apply(*found, entry);
      continue;
    }
    const Owners others = owners(entry.key);
    const bool of_others = !others.names.empty();
    if (of_run && (of_others || !has_section(entry.key))) continue;
    // The file of a run of an earlier version names the settings of all families, most of them
    // with their defaults.
    if (of_others && entry.value != others.usual) leave_out(entry.key, entry.value, others.chooser);
    if (of_others) continue;
    try {
      refuse(entry.key);
    } catch (const UnknownSetting& error) {
      throw UnknownSetting(fmt::format("{}:{}: ", name, entry.line), error);
    }
  }
}

void RunSettings::set_absent() {
  const auto set_one = [this](bool selecting) {
    for (const Field& field : fields()) {
      const bool lacks = field.absent() && !given_.contains(field.key());
      if (!lacks || field.is_selecting() != selecting || field.value() == *field.absent()) continue;
      field.set(*field.absent());
      return true;
    }
    return false;
  };
  // One at a time: what selects decides which other fields there are.
  while (set_one(true)) {}
  while (set_one(false)) {}
}

void RunSettings::check() const {
  for (const Field& field : fields()) {
    field.check();
    check_kept(field);
  }
  check_task(*this);
  if (source.row().reader && !task.row().labelled)
    fail("source.name = {} needs task.name = classify; got {}, which reads texts", source.name,
         task.name);
  if (!source.row().reader) check_tokenizer(data, task.row().reads_pairs);
  naming_settings(*this, "model", [&] { model.options.check(); });
  naming_settings(*this, "source", [&] { source.options.check(); });
  check_decoding(decode);
  if (task.row().decodes && value_or("model.copy", false) && !data.joint_vocabulary)
    fail(
        "model.copy needs data.joint_vocabulary = true: a word that is copied has one id on both "
        "sides");
  if (decode.coverage_penalty > 0 && !model.family().attends)
    fail(
        "decode.coverage_penalty needs a model that attends to its source; model.name = {} does "
        "not",
        model.name);
}

std::vector<std::string> fixed_differences(const RunSettings& now, const RunSettings& then) {
  const Fields was = then.fields();
  std::vector<std::string> found;
  for (const Field& field : now.fields()) {
    const Field* before = was.find(field.key());
    if (field.resume() != Resume::fixed || !before) continue;
    const std::string is = toml_text(field.value());
    const std::string old = toml_text(before->value());
    const bool path = field.key() == "data.train" || field.key() == "data.valid";
    const bool moved = path && is != "[]" && old != "[]";
    if (!moved && is != old) found.push_back(fmt::format("{} = {} (was {})", field.key(), is, old));
  }
  return found;
}

Error named_by_setting(const RunSettings& settings, const char* section,
                       const ArgumentError& error) {
  const std::string key = std::string(section) + "." + error.argument;
  if (!settings.has(key)) return error;
  const bool of = error.range.starts_with("of ");  // "of at least 1"
  return FieldError(key, error.range.substr(of ? 3 : 0), error.value);
}

std::string setting_text(const RunSettings& settings, std::string_view key) {
  return toml_text(settings.value(key));
}

}  // namespace heed
