#include "cli/reuse.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "cli/run.h"
#include "datasets/nearest.h"
#include "framework/checkpoint.h"
#include "framework/reuse.h"
#include "framework/safetensors.h"
#include "framework/sequences.h"
#include "optim/not_finite.h"
#include "optim/run_folder.h"

namespace heed::cli {

namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

constexpr const char* takes =
    "--init takes a run's folder, a .heed checkpoint or a .safetensors file";

Names names_of(Seq2Seq& model) {
  Names names;
  for (const auto& item : parameter_names(model))
    names.push_back(item.names.front());
  return names;
}

std::string head_of(const std::string& name) { return name.substr(0, name.find('.')); }

/// "embedding.weight, encoder.* (24), decoder.* (12 of 36)": `names` of `all`, each first part of a
/// name once.
std::string grouped(const Names& names, const Names& all) {
  constexpr std::size_t most = 10;
  std::map<std::string, std::size_t> whole;
  for (const std::string& name : all)
    ++whole[head_of(name)];
  std::vector<std::pair<std::string, Names>> groups;
  for (const std::string& name : names) {
    const std::string head = head_of(name);
    const auto at = std::find_if(groups.begin(), groups.end(),
                                 [&](const auto& group) { return group.first == head; });
    (at == groups.end() ? groups.emplace_back(head, Names()) : *at).second.push_back(name);
  }
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

/// Names from a file may hold anything.
Names printable(Names names) {
  for (std::string& name : names)
    std::replace_if(
        name.begin(), name.end(),
        [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
  return names;
}

/// Patterns that leave out `bad` of the chosen names and nothing else: "decoder.*" where all of
/// decoder that is chosen is bad.
Names covering(const Names& bad, const Names& chosen) {
  const std::set<std::string> wanted(bad.begin(), bad.end());
  Names patterns;
  for (const std::string& name : bad) {
    std::string pattern = name;
    for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
      const std::string prefix = name.substr(0, dot + 1);
      if (std::all_of(chosen.begin(), chosen.end(), [&](const std::string& x) {
            return !x.starts_with(prefix) || wanted.contains(x);
          })) {
        pattern = prefix + "*";
        break;
      }
    }
    if (std::find(patterns.begin(), patterns.end(), pattern) == patterns.end())
      patterns.push_back(pattern);
  }
  return patterns;
}

NamePatterns checked(const char* option, const Names& given, Seq2Seq& model) {
  for (const std::string& pattern : given)
    if (pattern.empty() || pattern == "!")
      fail("{}: an empty pattern; give one such as 'encoder.*' or '!*.bias'", option);
  NamePatterns patterns(given);
  const Names without = unmatched(model, patterns);
  if (without.empty()) return patterns;
  Names candidates;
  Names heads;
  for (const std::string& name : names_of(model)) {
    candidates.push_back(name);
    for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
      candidates.push_back(name.substr(0, dot) + ".*");
      candidates.push_back("*" + name.substr(dot));
    }
    if (const std::string head = head_of(name);
        std::find(heads.begin(), heads.end(), head) == heads.end())
      heads.push_back(head);
  }
  const std::string& pattern = without.front();
  const std::string mark = pattern.starts_with('!') ? "!" : "";

  const std::string near = nearest(pattern.substr(mark.size()), candidates);
  fail("{} {}: no parameter of this model matches; {}", option, pattern,
       near.empty() ? fmt::format("the names begin with {}", fmt::join(heads, ", "))
                    : fmt::format("did you mean '{}{}'?", mark, near));
}

struct Source {
  fs::path path;                     // of the file
  std::vector<NamedTensor> tensors;  // as the model names them
  Tokenizers tokenizers;             // none where the file stands alone
};

/// Of a run's folder; empty where there is no checkpoint yet.
fs::path best_or_newest(const fs::path& run) {
  const RunFolder folder(run);
  return fs::exists(folder.best()) ? folder.best() : folder.newest().value_or(fs::path());
}

bool holds_tokenizers(const fs::path& folder) {
  return fs::exists(folder / "tokenizer.json") || fs::exists(folder / "tokenizer.source.json");
}

Source open_source(const std::string& from) {
  Source source;
  source.path = initial_source(from);
  fs::path run;
  if (fs::is_directory(source.path)) {
    run = source.path;
    source.path = best_or_newest(run);
  } else if (source.path.parent_path().filename() == "checkpoints" &&
             holds_tokenizers(source.path.parent_path().parent_path())) {
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

/// Of each parameter with a row a token, where the rows are in the source; nothing where the
/// vocabularies are the same.
std::vector<RowMap> rows_by_token(const Tokenizers& theirs, const Tokenizers& ours,
                                  const Seq2Seq& model) {
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

/// `given`: the patterns of --init-only.
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
    remedy = given.empty() ? "leave them out with --init-only"
                           : "leave them out by adding to --init-only:";
    for (const std::string& pattern : covering(bad, chosen))
      remedy += fmt::format(" '!{}'", pattern);
  }
  fail("{}: does not fit the model: {}; {}", source.path.string(), plan.problems(), remedy);
}

void note(Notes& notes, const std::string& what, const Names& names, const Names& all,
          const std::string& why) {
  if (names.empty()) return;
  notes.shown.push_back(fmt::format("          {}: {}{}", what, grouped(names, all), why));
  notes.logged.push_back(fmt::format("          {}: {}", what, fmt::join(names, ", ")));
}

}  // namespace

std::string initial_source(const std::string& from) {
  const fs::path path = fs::absolute(from).lexically_normal();
  if (!fs::exists(path)) fail("{}: no such file or folder; {}", from, takes);
  if (!fs::is_directory(path)) return path.string();
  read_run_settings(path.string());  // says what is wrong with a folder that is no run
  if (best_or_newest(path).empty())
    fail(
        "{}: no checkpoint yet; train on with `heed train --resume --out {}`, or give another "
        "--init",
        from, from);
  return path.string();
}

Notes load_initial(const Settings& settings, const Tokenizers& tokenizers, Seq2Seq& model) {
  const NamePatterns chosen = checked("--init-only", settings.train.init_only, model);
  const Source source = open_source(settings.train.init);
  const bool known = source.tokenizers.source != nullptr;
  const std::vector<RowMap> maps =
      known ? rows_by_token(source.tokenizers, tokenizers, model) : std::vector<RowMap>();
  const LoadingPlan plan = plan_loading(source.tensors, model, chosen, maps);
  if (plan.loaded.empty() && plan.missing.empty() && plan.mismatched.empty())
    fail("--init-only chooses nothing; leave out --init to start afresh");
  if (!plan.fits()) refuse(source, plan, settings.train.init_only);
  apply(plan);
  if (const std::string name = bad_parameter(model); !name.empty())
    fail(
        "{}: its weights of {} are not finite; give another --init, or leave them out with "
        "--init-only '!{}'",
        source.path.string(), name, name);

  const Names all = names_of(model);
  Names loaded;
  Index numbers = 0;
  Index total = 0;
  for (const auto& item : plan.loaded) {
    loaded.push_back(item.name);
    numbers += item.numbers();
  }
  for (const auto& [name, parameter] : parameters(model))
    total += parameter.value().size();
  Notes notes;
  notes.shown.push_back(fmt::format("init      {}: {} of {} parameters, {} of {} numbers",
                                    source.path.string(), loaded.size(), all.size(), numbers,
                                    total));
  notes.logged = notes.shown;
  note(notes, "loaded", loaded, all, "");
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
  note(notes, "fresh", plan.unselected, all, " (left out by --init-only)");
  Names theirs;
  for (const auto& [name, tensor] : source.tensors)
    theirs.push_back(name);
  note(notes, "not used", printable(plan.extra), printable(theirs),
       " (this model has no such parameters)");
  const VocabularyParameters words = model.vocabulary_parameters();
  const auto of_words = [&](const ParameterRef& p) {
    return std::count(words.source.begin(), words.source.end(), p) +
               std::count(words.target.begin(), words.target.end(), p) >
           0;
  };
  Names assumed;
  for (const auto& item : plan.loaded)
    if (!known && of_words(item.to)) assumed.push_back(item.name);
  note(notes, "by position", assumed, all,
       " (no tokenizer beside the file says which token a row was for)");
  return notes;
}

Notes freeze_chosen(const Settings& settings, Seq2Seq& model) {
  Notes notes;
  if (settings.train.freeze.empty()) return notes;
  const NamePatterns chosen = checked("--freeze", settings.train.freeze, model);
  const std::vector<ParameterNames> every = parameter_names(model);
  Names frozen;
  Index numbers = 0;
  Index total = 0;
  for (const auto& [parameter, names] : every) {
    total += parameter.value().size();
    if (chosen.chooses(names)) {
      frozen.push_back(names.front());
      numbers += parameter.value().size();
    }
  }
  if (frozen.size() == every.size())
    fail("--freeze leaves nothing to train; leave something out, such as with '!decoder*'");
  if (frozen.empty())
    fail("--freeze chooses nothing: its exclusions leave nothing of its patterns");
  freeze(model, chosen);
  notes.shown.push_back(fmt::format("frozen    {} of {} parameters, {} of {} numbers: {}",
                                    frozen.size(), every.size(), numbers, total,
                                    grouped(frozen, names_of(model))));
  notes.logged.push_back(fmt::format("frozen    {} of {} parameters, {} of {} numbers: {}",
                                     frozen.size(), every.size(), numbers, total,
                                     fmt::join(frozen, ", ")));
  return notes;
}

std::string parameters_text(Seq2Seq& model) {
  Index total = 0;
  for (const auto& [name, parameter] : parameters(model))
    total += parameter.value().size();
  const Index trained = parameter_count(model);
  return trained == total ? fmt::format("{} parameters", total)
                          : fmt::format("{} parameters, {} frozen", total, total - trained);
}

}  // namespace heed::cli
