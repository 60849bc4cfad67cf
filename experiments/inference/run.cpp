#include "experiments/inference/run.h"

#include <algorithm>
#include <mutex>

#include <fmt/ranges.h>

#include "experiments/inference/attention.h"
#include "experiments/inference/tokenizer_files.h"
#include "experiments/inference/toml.h"
#include "framework/memory.h"
#include "framework/run_folder.h"
#include "models/ensemble.h"

namespace heed {

namespace fs = std::filesystem;

struct Run::Packed {
  std::once_flag once;
  std::unique_ptr<const Decoder> decoder;
};

namespace {

constexpr const char* config_name = "config.toml";

RunSettings settings_of(const std::string& config, const std::string& where) {
  RunSettings settings;
  settings.read_run(config, where);
  if (settings.data.train.empty())
    fail(
        "{}: names no data.train, so no training wrote it; copy it again from where the run comes "
        "from",
        where);
  settings.check();
  return settings;
}

}  // namespace

fs::path imported_path(const fs::path& folder) { return folder / "imported.txt"; }
fs::path config_path(const fs::path& folder) { return folder / config_name; }

std::string read_config(const std::string& folder) {
  if (fs::is_regular_file(folder)) fail("{}: is a file; expected the folder of a run", folder);
  if (!fs::is_directory(folder)) fail("{}: no such folder; expected the folder of a run", folder);
  const fs::path config = config_path(folder);
  if (!fs::exists(config))
    fail("{}: not a run: it holds no {}; expected the folder of a run", folder, config_name);
  return read_toml_file(config.string());
}

void refuse_differences(const std::string& where, const std::vector<std::string>& differences) {
  const char* each = differences.size() == 1 ? "it" : "them";
  fail("{}: is not what this run was trained with: {}; set {} back, or start a new run with {}",
       where, fmt::join(differences, ", "), each, each);
}

void check_complete(const std::string& where, const RunSettings& settings,
                    const Tokenizers& tokenizers) {
  if (settings.task.row().labelled && !tokenizers.labels)
    fail("{}: labels.txt is missing; copy it again from where the run comes from", where);
  if (!settings.source.row().reader && !tokenizers.source)
    fail("{}: tokenizer.json is missing; copy it again from where the run comes from", where);
}

void check_same_tokenizers(const std::string& where, const Tokenizers& tokenizers,
                           const std::map<std::string, std::string>& text) {
  const auto then = text.find("tokenizer");
  if (then != text.end()) check_same_tokenizers(where, tokenizers, then->second);
}

std::string other_checkpoints(const std::string& folder, const fs::path& not_this) {
  const RunFolder run(folder);
  std::vector<std::string> names = run.names();
  std::erase_if(names, [&](const std::string& name) {
    std::error_code ignored;
    // last may be another name of the same file
    return fs::equivalent(run.named(name), not_this, ignored);
  });
  return names.empty() ? "" : fmt::format("; there is {}", fmt::join(names, ", "));
}

std::unique_ptr<Model> make_model(const RunSettings& settings, const Tokenizers& tokenizers,
                                  Random& random) {
  return naming_settings(settings, "model",
                         [&] { return settings.task.row().make(settings, tokenizers, random); });
}

Run make_run(RunSettings settings, Tokenizers tokenizers) {
  Run run;
  run.settings = std::move(settings);
  run.tokenizers = std::move(tokenizers);
  run.tokenizers.reader = run.settings.source.reader();
  Random random = Random::blank();
  run.model = make_model(run.settings, run.tokenizers, random);
  run.packed_ = std::make_shared<Run::Packed>();
  return run;
}

Run open_run(const std::string& folder, const std::string& checkpoint, const CheckConfig& check) {
  const std::string config = config_path(folder).string();
  const std::string toml = read_config(folder);
  RunSettings settings = settings_of(toml, config);
  Tokenizers tokenizers = load_tokenizers(folder);
  const RunFolder checkpoints(folder);
  if (checkpoints.names().empty()) fail("{}: no checkpoint yet; resume its training first", folder);
  fs::path path = fs::exists(checkpoints.best()) ? checkpoints.best() : *checkpoints.newest();
  // Calls `read`. Its error also names the other checkpoints.
  const auto read_checkpoint = [&](const std::function<void()>& read) {
    try {
      read();
    } catch (const OutOfMemory&) {
      throw;
    } catch (const Error& error) {
      const std::string message = error.what();
      const bool named = message.starts_with(checkpoints.checkpoints().string());
      const std::string place = named ? "" : path.string() + ": ";
      fail("{}{}{}", place, message, other_checkpoints(folder, path));
    }
  };
  Checkpoint found;
  read_checkpoint([&] {
    if (!checkpoint.empty()) path = checkpoints.named(checkpoint);
    found = load(path);
  });
  check_complete(folder, settings, tokenizers);
  if (check)
    check(config, toml, found.text);
  else
    check_same_settings(config, settings, found.text);
  check_same_tokenizers(folder, tokenizers, found.text);
  Run run = make_run(std::move(settings), std::move(tokenizers));
  run.checkpoint = path;
  run.text = found.text;
  read_checkpoint([&] { take(found, "model.", *run.model); });
  set_training(*run.model, false);
  return run;
}

Run open_run(const RunFiles& files, const std::string& checkpoint) {
  const std::string* config = files.find(config_name);
  if (!config) fail("{}: no such file among those of the run", config_name);
  std::vector<std::string> names = {"best", "last"};
  if (!checkpoint.empty()) names = {checkpoint};
  for (const std::string& name : names) {
    const std::string file = "checkpoints/" + name + ".heed";
    const std::string* bytes = files.find(file);
    if (!bytes) continue;
    const Checkpoint found = load_bytes(*bytes, file);
    RunSettings settings = settings_of(*config, config_name);
    Tokenizers tokenizers = load_tokenizers(files);
    check_complete("the run", settings, tokenizers);
    Run run = make_run(std::move(settings), std::move(tokenizers));
    run.checkpoint = file;
    run.text = found.text;
    check_same_settings(config_name, run.settings, run.text);
    check_same_tokenizers("the run", run.tokenizers, run.text);
    take(found, "model.", *run.model);
    set_training(*run.model, false);
    return run;
  }
  fail("checkpoints/{}.heed: no such file among those of the run", names.back());
}

const Decoder& Run::decoder() const {
  if (!settings.task.row().decodes)
    fail("{} gives labels, and writes no text; see `predict`", settings.task.name);
  std::call_once(packed_->once, [this] { packed_->decoder = model->decoder(); });
  return *packed_->decoder;
}

void Run::replace_model(std::unique_ptr<Model> other) {
  packed_ = std::make_shared<Packed>();
  model = std::move(other);
}

std::vector<Translation> Run::translate(std::span<const std::string> lines,
                                        const DecodeOptions& options) const {
  if (decoder().continues())
    fail("{} is a language model: it continues texts, and translates nothing", settings.model.name);
  std::vector<Translation> best;
  for (auto& outputs : heed::translate(decoder(), tokenizers, lines, options))
    best.push_back(outputs.empty() ? Translation() : std::move(outputs.front()));
  return best;
}

Translation Run::translate(const std::string& line, const DecodeOptions& options) const {
  return std::move(translate(std::span(&line, 1), options).front());
}

AttendedLine Run::attention(const std::string& line) const {
  if (!attends(decoder())) {
    if (dynamic_cast<const Ensemble*>(model.get()))
      fail("not all of these models attend to their source");
    fail("{} does not attend to its source", settings.model.name);
  }
  const std::span<const std::string> lines(&line, 1);
  const auto outputs = heed::translate(decoder(), tokenizers, lines, decode_options());
  return std::move(attend(decoder(), tokenizers, lines, outputs).front());
}

}  // namespace heed
