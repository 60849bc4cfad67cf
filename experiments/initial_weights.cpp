#include "experiments/initial_weights.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "datasets/text/labels.h"
#include "datasets/text/special_ids.h"
#include "experiments/inference/run.h"
#include "experiments/inference/tokenizer_files.h"
#include "framework/checkpoint.h"
#include "framework/freezing.h"
#include "framework/nearest.h"
#include "framework/partial_loading.h"
#include "framework/run_folder.h"
#include "framework/safetensors.h"
#include "framework/sequences.h"
#include "training/not_finite.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

constexpr const char* takes =
    "train.init takes a run's folder, a .heed checkpoint or a .safetensors file";

Names names_of(Model& model) {
  Names names;
  for (const auto& item : parameter_names(model))
    names.push_back(item.names.front());
  return names;
}

std::string head_of(const std::string& name) { return name.substr(0, name.find('.')); }

/// The first part of a name, and the names that begin with it.
struct NameGroup {
  std::string head;
  Names members;
};

std::vector<NameGroup> group_by_head(const Names& names) {
  std::vector<NameGroup> groups;
  for (const std::string& name : names) {
    const std::string head = head_of(name);
    const auto has_head = [&](const NameGroup& group) { return group.head == head; };
    auto at = std::find_if(groups.begin(), groups.end(), has_head);
    if (at == groups.end()) at = groups.insert(at, NameGroup{head, {}});
    at->members.push_back(name);
  }
  return groups;
}

/// Lists `names` by their first parts: "embedding.weight, encoder.* (24), decoder.* (12 of 36)".
/// `all`: every name there is.
std::string grouped(const Names& names, const Names& all) {
  constexpr std::size_t most = 10;
  std::map<std::string, std::size_t> whole;
  for (const std::string& name : all)
    ++whole[head_of(name)];
  const std::vector<NameGroup> groups = group_by_head(names);
  std::string text;
  std::size_t rest = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto& [head, members] = groups[i];
    if (i >= most) {
      rest += members.size();
      continue;
    }
    const std::string of = members.size() < whole[head] ? fmt::format(" of {}", whole[head]) : "";
    text += (text.empty() ? "" : ", ") +
            (members.size() == 1 ? members.front()
                                 : fmt::format("{}.* ({}{})", head, members.size(), of));
  }
  return rest > 0 ? fmt::format("{}, and {} more", text, rest) : text;
}

/// Replaces control characters: names from a file may hold any bytes.
Names printable(Names names) {
  for (std::string& name : names)
    std::replace_if(
        name.begin(), name.end(),
        [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
  return names;
}

/// The shortest pattern that matches `name` and, of the chosen names, only bad ones.
std::string covering(const std::string& name, const std::set<std::string>& bad,
                     const Names& chosen) {
  for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
    const std::string prefix = name.substr(0, dot + 1);
    const auto is_bad_or_other = [&](const std::string& x) {
      return !x.starts_with(prefix) || bad.contains(x);
    };
    if (std::all_of(chosen.begin(), chosen.end(), is_bad_or_other)) return prefix + "*";
  }
  return name;
}

/// Patterns that match exactly `bad` of the chosen names: "decoder.*" where every chosen name under
/// decoder is bad.
Names covering(const Names& bad, const Names& chosen) {
  const std::set<std::string> unwanted(bad.begin(), bad.end());
  Names patterns;
  for (const std::string& name : bad) {
    const std::string pattern = covering(name, unwanted, chosen);
    if (std::find(patterns.begin(), patterns.end(), pattern) == patterns.end())
      patterns.push_back(pattern);
  }
  return patterns;
}

/// Names and patterns that a misspelt pattern may have meant.
Names likely_patterns(const Names& names) {
  Names patterns;
  for (const std::string& name : names) {
    patterns.push_back(name);
    for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
      patterns.push_back(fmt::format("{}.*", name.substr(0, dot)));
      patterns.push_back(fmt::format("*{}", name.substr(dot)));
    }
  }
  return patterns;
}

/// The first part of every name, each once.
Names heads_of(const Names& names) {
  Names heads;
  for (const NameGroup& group : group_by_head(names))
    heads.push_back(group.head);
  return heads;
}

}  // namespace

ParameterPatterns checked_patterns(const std::string& option, const std::vector<std::string>& given,
                                   Model& model) {
  for (const std::string& pattern : given)
    if (pattern.empty() || pattern == "!")
      fail("{}: an empty pattern; give one such as 'encoder.*' or '!*.bias'", option);
  ParameterPatterns patterns(given);
  const Names without = unmatched(model, patterns);
  if (without.empty()) return patterns;
  const Names names = names_of(model);
  const Names heads = heads_of(names);
  const std::string& pattern = without.front();
  const std::string mark = pattern.starts_with('!') ? "!" : "";
  const std::string near = nearest(pattern.substr(mark.size()), likely_patterns(names));
  fail("{} {}: no parameter of this model matches; {}", option, pattern,
       near.empty() ? fmt::format("the names begin with {}", fmt::join(heads, ", "))
                    : fmt::format("did you mean '{}{}'?", mark, near));
}

namespace {

/// The weights that train.init names.
struct Source {
  fs::path path;                     // of the file
  std::vector<NamedTensor> tensors;  // by the names of the model's parameters
  Tokenizers tokenizers;             // empty where the file is not part of a run
  bool has_tokenizers() const { return tokenizers.source != nullptr; }
};

/// The best checkpoint of a run, else the newest; "" where there is none yet.
fs::path best_or_newest(const fs::path& run) {
  const RunFolder folder(run);
  return fs::exists(folder.best()) ? folder.best() : folder.newest().value_or(fs::path());
}

Source open_source(const std::string& from) {
  Source source;
  source.path = initial_source(from);
  fs::path run;
  if (fs::is_directory(source.path)) {
    run = source.path;
    source.path = best_or_newest(run);
  } else if (source.path.parent_path().filename() == "checkpoints" &&
             has_tokenizers(source.path.parent_path().parent_path())) {
    run = source.path.parent_path().parent_path();
  }
  if (!run.empty()) source.tokenizers = load_tokenizers(run);
  if (source.path.extension() == ".safetensors") {
    source.tensors = load_safetensors(source.path).tensors;
  } else {
    const Checkpoint checkpoint = load(source.path);
    if (!run.empty()) check_same_tokenizers(run.string(), source.tokenizers, checkpoint.text);
    source.tensors = tensors_under(checkpoint, "model.");
  }
  if (source.tensors.empty())
    fail("{}: holds no parameters of a model; {}", source.path.string(), takes);
  return source;
}

/// For each parameter with a row for each token: which row of the source belongs to each of its
/// rows. Empty where the vocabularies are the same.
std::vector<RowMap> rows_by_token(const Tokenizers& theirs, const Tokenizers& ours,
                                  const Model& model) {
  std::vector<RowMap> maps;
  const auto add = [&](const Vocabulary& from, const Vocabulary& to,
                       const std::vector<ParameterRef>& parameters) {
    if (from.tokens() == to.tokens()) return;
    std::vector<Index> rows;
    for (Id i = 0; i < to.size(); ++i) {
      const Id at = from.id(to.token(i));
      rows.push_back(at == unk_id && i != unk_id ? -1 : at);
    }
    for (const ParameterRef& parameter : parameters)
      maps.push_back({parameter, rows, from.size()});
  };
  const VocabularyParameters parameters = model.vocabulary_parameters();
  add(theirs.source->vocabulary(), ours.source->vocabulary(), parameters.source);
  add(theirs.target->vocabulary(), ours.target->vocabulary(), parameters.target);
  return maps;
}

/// Throws Error that lists what does not fit. `given`: the patterns of train.init_only.
[[noreturn]] void refuse(const Source& source, const LoadingPlan& plan, const Names& given) {
  Names bad = plan.missing;
  Names chosen;
  for (const auto& item : plan.mismatched)
    bad.push_back(item.name);
  chosen = bad;
  for (const auto& item : plan.loaded)
    chosen.push_back(item.name);
  std::string remedy = "it has nothing for this model";
  if (!plan.loaded.empty()) {
    remedy = given.empty() ? "leave them out with train.init_only ="
                           : "leave them out by adding to train.init_only:";
    for (const std::string& pattern : covering(bad, chosen))
      remedy += fmt::format(" '!{}'", pattern);
  }
  fail("{}: does not fit the model: {}; {}", source.path.string(), plan.problems(), remedy);
}

/// Throws Error where a head for other classes is to be loaded: a row of it stands for a class.
void check_classes(const Source& source, const Tokenizers& tokenizers, const LoadingPlan& plan) {
  const Labels* from = source.tokenizers.labels.get();
  const Labels* to = tokenizers.labels.get();
  if (!from || !to || *from == *to) return;
  for (const auto& item : plan.loaded)
    if (head_of(item.name) == "head")
      fail("{}: its labels are others; leave out what gives them with train.init_only = '!head.*'",
           source.path.string());
}

/// Adds a line about `names` of `all`; none where there are no names.
void note(Notes& notes, const std::string& what, const Names& names, const Names& all,
          const std::string& why) {
  if (names.empty()) return;
  notes.shown.push_back(fmt::format("          {}: {}{}", what, grouped(names, all), why));
  notes.logged.push_back(fmt::format("          {}: {}", what, fmt::join(names, ", ")));
}

Names names_of(const std::vector<NamedTensor>& tensors) {
  Names names;
  for (const auto& [name, tensor] : tensors)
    names.push_back(name);
  return names;
}

Index number_count(Model& model) {
  Index count = 0;
  for (const auto& [name, parameter] : parameters(model))
    count += parameter.value().size();
  return count;
}

/// "init      runs/de-en/checkpoints/best.heed: 12 of 36 parameters, 9000 of 30000 numbers"
std::string loaded_text(const Source& source, const LoadingPlan& plan, Model& model) {
  Index numbers = 0;
  for (const auto& item : plan.loaded)
    numbers += item.numbers();
  return fmt::format("init      {}: {} of {} parameters, {} of {} numbers", source.path.string(),
                     plan.loaded.size(), names_of(model).size(), numbers, number_count(model));
}

/// Adds a line for each parameter whose rows were taken by their tokens.
void note_rows(Notes& notes, const LoadingPlan& plan) {
  for (const auto& item : plan.loaded) {
    if (item.rows.empty()) continue;
    const auto found =
        std::count_if(item.rows.begin(), item.rows.end(), [](Index row) { return row >= 0; });
    std::string rest;
    if (found < std::ssize(item.rows))
      rest = item.to.trainable() ? "; the others stay fresh"
                                 : "; the others stay fresh, and frozen: they never learn";
    notes.shown.push_back(fmt::format("          by token: {}, {} of {} rows{}", item.name, found,
                                      item.rows.size(), rest));
    notes.logged.push_back(notes.shown.back());
  }
}

/// The loaded parameters with a row for each token.
Names loaded_by_row(const LoadingPlan& plan, const Model& model) {
  const VocabularyParameters words = model.vocabulary_parameters();
  const auto has = [](const std::vector<ParameterRef>& all, const ParameterRef& parameter) {
    return std::find(all.begin(), all.end(), parameter) != all.end();
  };
  Names names;
  for (const auto& item : plan.loaded)
    if (has(words.source, item.to) || has(words.target, item.to)) names.push_back(item.name);
  return names;
}

/// What was loaded, what was not, and what had to be assumed.
Notes loading_notes(const Source& source, const LoadingPlan& plan, Model& model) {
  const Names all = names_of(model);
  Names loaded;
  for (const auto& item : plan.loaded)
    loaded.push_back(item.name);
  Notes notes;
  notes.shown.push_back(loaded_text(source, plan, model));
  notes.logged = notes.shown;
  note(notes, "loaded", loaded, all, "");
  note_rows(notes, plan);
  note(notes, "fresh", plan.unselected, all, " (left out by train.init_only)");
  note(notes, "not used", printable(plan.extra), printable(names_of(source.tensors)),
       " (this model has no such parameters)");
  if (!source.has_tokenizers())
    note(notes, "by position", loaded_by_row(plan, model), all,
         " (no tokenizer beside the file says which token a row was for)");
  return notes;
}

}  // namespace

std::string initial_source(const std::string& from) {
  const fs::path path = fs::absolute(from).lexically_normal();
  if (!fs::exists(path)) fail("{}: no such file or folder; {}", from, takes);
  if (!fs::is_directory(path)) return path.string();
  read_run_settings(path.string());  // says what is wrong where it is not a run
  if (best_or_newest(path).empty())
    fail("{}: no checkpoint yet; resume its training first, or give another train.init", from);
  return path.string();
}

Notes load_initial(const Settings& settings, const Tokenizers& tokenizers, Model& model) {
  const ParameterPatterns chosen =
      checked_patterns("train.init_only", settings.train.init_only, model);
  const Source source = open_source(settings.train.init);
  std::vector<RowMap> maps;
  if (source.has_tokenizers()) maps = rows_by_token(source.tokenizers, tokenizers, model);
  const LoadingPlan plan = plan_loading(source.tensors, model, chosen, maps);
  if (plan.loaded.empty() && plan.missing.empty() && plan.mismatched.empty())
    fail("train.init_only chooses nothing; leave out train.init to start afresh");
  if (!plan.fits()) refuse(source, plan, settings.train.init_only);
  check_classes(source, tokenizers, plan);
  apply(plan);
  if (const std::string name = bad_parameter(model); !name.empty())
    fail(
        "{}: its weights of {} are not finite; give another train.init, or leave them out with "
        "train.init_only = '!{}'",
        source.path.string(), name, name);
  return loading_notes(source, plan, model);
}

Notes freeze_chosen(const Settings& settings, Model& model) {
  Notes notes;
  if (settings.train.freeze.empty()) return notes;
  const ParameterPatterns chosen = checked_patterns("train.freeze", settings.train.freeze, model);
  const std::vector<ParameterNames> every = parameter_names(model);
  Names frozen;
  Index numbers = 0;
  for (const auto& [parameter, names] : every) {
    if (!chosen.chooses(names)) continue;
    frozen.push_back(names.front());
    numbers += parameter.value().size();
  }
  if (frozen.size() == every.size())
    fail("train.freeze leaves nothing to train; leave something out, such as with '!decoder*'");
  if (frozen.empty())
    fail("train.freeze chooses nothing: its exclusions leave nothing of its patterns");
  freeze(model, chosen);
  const std::string counts =
      fmt::format("frozen    {} of {} parameters, {} of {} numbers: ", frozen.size(), every.size(),
                  numbers, number_count(model));
  notes.shown.push_back(counts + grouped(frozen, names_of(model)));
  notes.logged.push_back(fmt::format("{}{}", counts, fmt::join(frozen, ", ")));
  return notes;
}

std::string parameters_text(Model& model) {
  const Index total = number_count(model);
  const Index trained = parameter_count(model);
  if (trained == total) return fmt::format("{} parameters", total);
  return fmt::format("{} parameters, {} frozen", total, total - trained);
}

}  // namespace heed
