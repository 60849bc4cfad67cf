// Holds the table "To add something" of docs/architecture.md: in how many places a name stands.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "datasets/corpora/corpora.h"
#include "datasets/metrics/metrics.h"
#include "datasets/text/tokenizer_kinds.h"
#include "experiments/settings.h"
#include "experiments/task_works.h"
#include "layers/attention/attentions.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

struct Source {
  std::string path;  // within the project
  std::string code;  // without comments
  std::string text;  // with them
};

/// Removes comments. A // in a string is none.
std::string without_comments(const std::string& text) {
  std::string code;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!in_string && text.compare(i, 2, "//") == 0) i = std::min(text.find('\n', i), text.size());
    if (i == text.size()) break;
    if (text[i] == '\\' && i + 1 < text.size()) {
      code += text[i++];
    } else if (text[i] == '"' && text[i - (i > 0)] != '\'') {
      in_string = !in_string;
    } else if (text[i] == '\n') {
      in_string = false;
    }
    code += text[i];
  }
  return code;
}

/// The .h and .cpp files of a folder, or one file.
std::vector<Source> sources_of(const std::string& folder) {
  const fs::path root = HEED_SOURCE_DIR;
  std::vector<fs::path> paths;
  if (fs::is_directory(root / folder)) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder))
      if (entry.path().extension() == ".h" || entry.path().extension() == ".cpp")
        paths.push_back(entry.path());
  } else {
    paths.push_back(root / folder);
  }
  std::vector<Source> sources;
  for (const fs::path& path : paths) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    sources.push_back(
        {fs::relative(path, root).string(), without_comments(text.str()), text.str()});
  }
  return sources;
}

using Folders = std::vector<std::string>;

/// All files of these folders, and those of `but` left out.
std::vector<Source> sources_of(const Folders& folders, const std::string& but = {}) {
  std::vector<Source> all;
  for (const std::string& folder : folders)
    for (Source& source : sources_of(folder))
      if (but.empty() || !source.path.starts_with(but)) all.push_back(std::move(source));
  return all;
}

/// Whether what stands before a name in quotes says that it is a choice: the default of an option
/// (`= "adam"`, `.absent("adam")`), of another setting (`{"optim.name", "adam"}`), or a row taken
/// by its name (`at("adam")`). A choice needs no change when something is added.
bool is_choice(std::string_view before) {
  static const std::regex choice(R"((^|[^=!<>])= ?$|\b(at|absent)\($|\{"\w+\.\w+", $)");
  const std::size_t line = before.rfind('\n') + 1;
  const std::string rest(before.substr(line));
  return std::regex_search(rest, choice) && !rest.ends_with(".name = ");
}

/// Where a name stands in quotes, without choices. A header and its .cpp are one place.
std::set<std::string> places_of(const std::string& name, const std::vector<Source>& sources) {
  const std::string quoted = '"' + name + '"';
  std::set<std::string> places;
  for (const auto& [path, code, text] : sources)
    for (std::size_t at = code.find(quoted); at != std::string::npos;
         at = code.find(quoted, at + 1))
      if (!is_choice(std::string_view(code).substr(0, at)))
        places.insert(fs::path(path).replace_extension().string());
  return places;
}

/// Places that know a name although nothing should. Each is a debt, and a line less when it is
/// paid.
const std::map<std::string, std::set<std::string>> known = {
    // The command that uses a model of the task, and where others say which one that is.
    // A request to the server has the name of the command.
    {"translate", {"cli/translate", "cli/shared_options", "experiments/serve/service"}},
    {"classify", {"cli/predict", "cli/shared_options"}},
    // A Transformer's recurrent decoder is called as the family that has it.
    {"rnn", {"models/transformer"}},
    // The same, and the family and the task of one name.
    {"lm",
     {"cli/generate", "cli/shared_options", "models/families", "models/language_model",
      "experiments/inference/tasks", "experiments/task_works"}}};

/// Expects every name of a table in at most `most` files of these folders.
template <class Row>
void expect_few_places(const Registry<Row>& table, std::size_t most, const Folders& folders,
                       std::set<std::string>& paid) {
  const std::vector<Source> sources = sources_of(folders, "datasets/corpora/internal/");
  ASSERT_GT(sources.size(), 30u);
  for (const std::string& name : table.names()) {
    std::set<std::string> places = places_of(name, sources);
    if (const auto debts = known.find(name); debts != known.end())
      for (const std::string& debt : debts->second)
        if (places.erase(debt) > 0) paid.erase(name + " in " + debt);
    EXPECT_LE(places.size(), most) << name << ": " << fmt::format("{}", fmt::join(places, ", "));
  }
}

TEST(Places, ANameStandsInItsFileAndItsRow) {
  std::set<std::string> paid;
  for (const auto& [name, places] : known)
    for (const std::string& place : places)
      paid.insert(name + " in " + place);
  expect_few_places(model_families(), 2, {"models", "training", "experiments", "cli"}, paid);
  expect_few_places(attentions(), 2, {"layers", "models", "training", "experiments", "cli"}, paid);
  expect_few_places(optimizers(), 2, {"optim", "models", "training", "experiments", "cli"}, paid);
  expect_few_places(schedules(), 1, {"optim", "models", "training", "experiments", "cli"}, paid);
  expect_few_places(tokenizer_kinds(), 2,
                    {"datasets/text", "models", "training", "experiments", "cli"}, paid);
  expect_few_places(corpora(), 2, {"datasets", "training", "experiments", "cli"}, paid);
  expect_few_places(metrics(), 2, {"datasets", "training", "experiments", "cli"}, paid);
  expect_few_places(tasks(), 2,
                    {"framework", "layers", "models", "optim", "training", "experiments", "cli"},
                    paid);
  EXPECT_TRUE(paid.empty()) << "no longer there, so take it from the list: "
                            << fmt::format("{}", fmt::join(paid, ", "));
}

TEST(Places, AChoiceOfANameIsNone) {
  struct Row {
    const char* code;
    std::size_t places;
  };
  for (const Row& row :
       {Row{R"(std::string name = "adam";)", 0}, Row{R"({"optim.name", "adam"},)", 0},
        Row{R"(optimizers().at("adam").options)", 0}, Row{R"(.absent("adam"))", 0},
        Row{R"({{.name = "adam",)", 1}, Row{R"(if (name == "adam") return;)", 1},
        Row{R"(if (name != "adam") return;)", 1}, Row{R"(check_adam("adam", lr);)", 1}})
    EXPECT_EQ(places_of("adam", {{"optim/x.cpp", row.code, ""}}).size(), row.places) << row.code;
  EXPECT_EQ(without_comments("a \"// b\" // \"c\"\nd"), "a \"// b\" \nd");
}

/// The places, "FILE:LINE", where a source holds one of these, in comments too.
std::set<std::string> mentions_of(const std::regex& what, const std::vector<Source>& sources) {
  std::set<std::string> places;
  for (const Source& source : sources) {
    std::istringstream lines(source.text);
    Index number = 0;
    for (std::string line; std::getline(lines, line);)
      if (++number; std::regex_search(line, what))
        places.insert(fmt::format("{}:{}: {}", source.path, number, line));
  }
  return places;
}

TEST(Places, TheEngineKnowsNoTextAndNoTask) {
  const std::vector<Source> engine = sources_of(Folders{"framework", "training", "optim"});
  ASSERT_GT(engine.size(), 100u);
  const std::pair<const char*, const char*> words[] = {
      {"special ids",
       R"(\b(pad|bos|eos|unk)_id\b|\b(bos|eos|unk)\b|</?s>|<(unk|pad)>|\bSpecialIds\b)"},
      {"ids of tokens", R"(\b[Tt]oken\b|\btoken ids\b|[Tt]okeniz|[Vv]ocabular)"},
      {"batches of lines", R"(\bBatch\b|\bBatchStream\b|\bbatch\.(source|target|gold|lines)\b)"},
      {"text", R"(\b[Ss]entence|\b[Cc]orp(us|ora)|\blines? \d+ of|\bon lines\b|lines of text)"},
      {"tasks", R"(\b[Tt]ranslat|\b[Cc]lassify|[Ll]anguage.?[Mm]odel)"}};
  for (const auto& [name, pattern] : words)
    EXPECT_EQ(fmt::format("{}", fmt::join(mentions_of(std::regex(pattern), engine), "\n")), "")
        << name;
  const std::regex any(words[1].second);
  EXPECT_EQ(mentions_of(any, {{"x.h", "", "a\n// the token's id\n"}}),
            std::set<std::string>{"x.h:2: // the token's id"});
}

/// The functions that return a Variable and are declared or defined in a source.
std::set<std::string> ops_in(const std::string& code) {
  static const std::regex function(R"(\n(?:inline )?Variable (\w+)\()");
  std::set<std::string> names;
  for (std::sregex_iterator it(code.begin(), code.end(), function); it != std::sregex_iterator();
       ++it)
    names.insert((*it)[1]);
  names.erase("operator");
  return names;
}

TEST(Places, AnOpIsDefinedInOneFileAndHasARow) {
  const std::set<std::string> declared = ops_in(sources_of("framework/ops.h").at(0).code);
  EXPECT_GT(declared.size(), 70u);
  std::map<std::string, std::set<std::string>> defined;
  for (const Source& source : sources_of("framework/ops"))
    for (const std::string& name : ops_in(source.code))
      defined[name].insert(source.path);
  const std::vector<Source> tables = sources_of("tests/framework/ops_table");
  for (const std::string& op : declared) {
    EXPECT_EQ(defined[op].size(), 1u)
        << op << ": " << fmt::format("{}", fmt::join(defined[op], ", "));
    EXPECT_FALSE(places_of(op, tables).empty()) << op << " has no row in tests/framework/ops_table";
  }
}

TEST(Places, ASubcommandIsAFileAndARow) {
  const std::vector<Source> command = sources_of("cli");
  const std::string rows = sources_of("cli/commands.cpp").at(0).code;
  static const std::regex declaration(R"(\nvoid (add_\w+)\(CLI::App& \w+\);)");
  std::size_t count = 0;
  for (std::sregex_iterator it(rows.begin(), rows.end(), declaration); it != std::sregex_iterator();
       ++it) {
    const std::string name = (*it)[1];
    ++count;
    const auto knows = [&](const Source& source) {
      return std::regex_search(source.code, std::regex("\\b" + name + "\\b"));
    };
    EXPECT_EQ(std::count_if(command.begin(), command.end(), knows), 2) << name;
  }
  EXPECT_GE(count, 12u);
}

/// The folders that may list the settings of a section.
std::vector<Source> lists_of(const std::string& section) {
  if (section == "data") return sources_of("experiments/inference/run_settings.cpp");
  if (section == "task")
    return sources_of(
        Folders{"experiments/inference/run_settings.cpp", "experiments/inference/tasks.cpp"});
  if (section == "source")
    return sources_of(
        Folders{"experiments/inference/run_settings.cpp", "experiments/inference/sources.cpp"});
  if (section == "model")
    return sources_of({"models", "experiments/inference/run_settings.cpp"}, "models/decode/");
  if (section == "decode") return sources_of("models/decode");
  if (section == "optim") return sources_of(Folders{"optim", "experiments/settings.cpp"});
  return sources_of("experiments/settings.cpp");
}

TEST(Places, ASettingIsOneLine) {
  std::map<std::string, std::vector<Source>> lists;
  std::set<std::string> keys;
  for (const std::string& family : model_families().names())
    for (const std::string& optimizer : optimizers().names()) {
      Settings settings = default_settings(family);
      settings.set("optim.name", optimizer);
      const std::vector<std::string> all = settings.fields().keys();
      keys.insert(all.begin(), all.end());
    }
  for (const std::string& task : tasks().names()) {
    Settings settings = default_settings("transformer");
    settings.task.choose(task);
    const std::vector<std::string> all = settings.fields().keys();
    keys.insert(all.begin(), all.end());
  }
  for (const std::string& source : sources().names()) {
    Settings settings = default_settings("transformer");
    settings.set("source.name", source);
    const std::vector<std::string> all = settings.fields().keys();
    keys.insert(all.begin(), all.end());
  }
  // Two kinds of optimizers say what their decay of weights means. Positions are a scheme, and of
  // conv, which has one, their number. A model, a task and a source are chosen by their names, in
  // one file.
  const std::map<std::string, int> several = {{"optim.weight_decay", 2},
                                              {"model.positions", 2},
                                              {"model.name", 3},
                                              {"task.name", 3},
                                              {"source.name", 3}};
  EXPECT_GT(keys.size(), 60u);
  for (const std::string& key : keys) {
    const std::string section = key.substr(0, key.find('.'));
    if (!lists.contains(section)) lists[section] = lists_of(section);
    const std::regex line("\\b(f|search)\\(\"" + key.substr(section.size() + 1) + "\",\\s");
    std::ptrdiff_t count = 0;
    for (const auto& [path, code, text] : lists[section])
      count += std::distance(std::sregex_iterator(code.begin(), code.end(), line),
                             std::sregex_iterator());
    const auto expected = several.find(key);
    EXPECT_EQ(count, expected == several.end() ? 1 : expected->second) << key;
  }
}

}  // namespace
}  // namespace heed
