#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <utility>

#include "cli/commands.h"
#include "cli/model.h"
#include "cli/option_values.h"
#include "cli/signals.h"
#include "experiments/inference/run.h"
#include "framework/checkpoint.h"
#include "framework/files.h"
#include "framework/run_folder.h"
#include "framework/safetensors.h"
#include "framework/version.h"

namespace heed::cli {

namespace fs = std::filesystem;

namespace {

// The metadata of a safetensors file hold the files of a run under "heed." and their names. Files
// that are not text (.model) are in hexadecimal digits.
constexpr const char* config_name = "config.toml";
constexpr std::array tokenizer_names{"tokenizer", "tokenizer.source", "tokenizer.target"};
constexpr std::uint64_t most_bytes = 100'000'000;  // of one file: more than a header can hold
using Files = std::map<std::string, std::string>;

std::string to_hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes)
    text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

std::string from_hex(std::string_view text, const std::string& key) {
  const auto digit = [&](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    fail("its metadata {} is not written in hexadecimal digits; export it again", key);
  };
  if (text.size() % 2 != 0)
    fail("its metadata {} has an odd number of hexadecimal digits; export it again", key);
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2)
    bytes += static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1]));
  return bytes;
}

/// The configuration and the tokenizers of a run. The keys are the names of their files.
Files files_of(const fs::path& folder) {
  Files files{{config_name, read_file(config_path(folder), most_bytes)}};
  for (const std::string name : tokenizer_names)
    for (const std::string& file : {name + ".json", name + ".model"})
      if (fs::exists(folder / file)) files[file] = read_file(folder / file, most_bytes);
  return files;
}

std::map<std::string, std::string> metadata_of(const Files& files) {
  std::map<std::string, std::string> metadata{{"format", "pt"}, {"heed.version", version()}};
  for (const auto& [name, bytes] : files)
    metadata["heed." + name] = name.ends_with(".model") ? to_hex(bytes) : bytes;
  return metadata;
}

Files files_of(const std::map<std::string, std::string>& metadata) {
  if (!metadata.contains(std::string("heed.") + config_name))
    fail(
        "its metadata holds no {}; was it saved elsewhere? name with --like a run whose "
        "configuration and tokenizers it has",
        config_name);
  Files files;
  for (const std::string name : tokenizer_names)
    for (const std::string& file : {name + ".json", name + ".model", std::string(config_name)}) {
      const auto found = metadata.find("heed." + file);
      if (found != metadata.end())
        files[file] =
            file.ends_with(".model") ? from_hex(found->second, found->first) : found->second;
    }
  return files;
}

void run_export(const std::string& folder, const std::string& checkpoint, const std::string& out) {
  if (fs::is_directory(out)) fail("{}: is a folder; give --out a file", out);
  if (fs::exists(fs::symlink_status(out)) && !fs::is_regular_file(fs::symlink_status(out)))
    fail("{}: is no plain file, and would be replaced by one; give --out another name", out);
  const std::string inside =
      fs::weakly_canonical(out).lexically_relative(fs::weakly_canonical(folder)).string();
  if (!inside.empty() && !inside.starts_with(".."))
    fail("{}: lies within the run; give --out a file elsewhere", out);
  const Run run = open_run(folder, checkpoint);
  const std::vector<NamedTensor> tensors = named_tensors(*run.model);
  save_safetensors(out, tensors, metadata_of(files_of(folder)));
  std::cerr << fmt::format("wrote {}: {} tensors, {} parameters, from {}\n", out, tensors.size(),
                           parameter_count(*run.model), run.checkpoint.string());
}

/// A lower bound of the number of parameters of a model. A model that is far larger than the file
/// is so refused before it is built.
double fewest_parameters(const Settings& s, Index vocabulary) {
  const auto& m = s.model;
  const auto d = static_cast<double>(m.d);
  const auto layers = static_cast<double>(m.layers);
  const auto hidden = m.hidden > 0 ? static_cast<double>(m.hidden) : d;
  const double table = static_cast<double>(vocabulary) * d;
  if (m.name == "conv")
    return table + layers * static_cast<double>(m.kernel) * d * d +
           static_cast<double>(m.positions) * d;
  if (m.name.starts_with("rnn")) return table + layers * hidden * hidden + hidden * d;
  const double ff = m.ff > 0 ? static_cast<double>(m.ff) : 4 * d;
  const double positions = m.name == "lm" ? static_cast<double>(m.context) * d : 0;
  return table + layers * (d * d + ff * d) + positions;
}

/// The folder of a run under construction: its place with ".partial" appended. finish() moves it to
/// its place; without that it is removed.
class Unfinished {
 public:
  explicit Unfinished(const fs::path& out) : out_(out), folder_(out.string() + ".partial") {
    std::error_code error;
    if (out_.has_parent_path()) fs::create_directories(out_.parent_path(), error);
    fs::create_directory(folder_, error);
    if (error) fail("{}: cannot make this folder: {}", out.string(), error.message());
    // Before the remains of a killed import are removed: another process may be importing.
    lock_.emplace(folder_);
    for (const auto& entry : fs::directory_iterator(folder_))
      if (!is_left_by_import(entry.path()))
        fail("{}: is in the way, and no import left it: it holds {}; move it",
             std::exchange(folder_, {}).string(), entry.path().filename().string());
    for (const auto& entry : fs::directory_iterator(folder_))
      fs::remove_all(entry.path());
  }
  ~Unfinished() {
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  const fs::path& folder() const { return folder_; }
  void finish() {
    std::error_code error;
    // Its contents are on the disk. After a power failure it may still have its old name.
    fs::rename(folder_, out_, error);
    if (error) fail("{}: cannot make this folder: {}", out_.string(), error.message());
    folder_.clear();
  }

 private:
  static bool is_left_by_import(const fs::path& path) {
    const std::string name = path.filename().string();
    return name.starts_with("tokenizer.") || name == "checkpoints" || name == config_name ||
           name == imported_path("").string() || path.extension() == ".partial";
  }

  fs::path out_;
  fs::path folder_;
  std::optional<FolderLock> lock_;
};

void write_files(const Files& files, const fs::path& folder) {
  for (const auto& [name, bytes] : files)
    if (name != config_name) replace_file(folder / name, bytes);
  // Last: a folder with a config.toml is a run.
  replace_file(config_path(folder), files.at(config_name));
}

/// Warns of weights that are not finite, and notes which types are converted.
void warn_of_values(const std::string& file, const Safetensors& found) {
  const std::string own = sizeof(Real) == 4 ? "F32" : "F64";
  for (const std::string& dtype : found.dtypes)
    if (dtype != own)
      std::cerr << fmt::format("heed: note: {}: holds {}, which is kept as {}\n", file, dtype, own);
  std::size_t wrong = 0;
  std::size_t all = 0;
  std::string first;
  for (const auto& [name, tensor] : found.tensors) {
    const auto here = std::count_if(tensor.span().begin(), tensor.span().end(),
                                    [](Real x) { return !std::isfinite(x); });
    if (here > 0 && wrong == 0) first = name;
    wrong += static_cast<std::size_t>(here);
    all += tensor.span().size();
  }
  if (wrong > 0)
    std::cerr << fmt::format(
        "heed: warning: {}: {} of {} weights are NaN or infinite, the first in {}\n", file, wrong,
        all, first);
}

/// Loads the weights into the model. An error says whose model they do not fit.
void take_weights(const Checkpoint& checkpoint, Seq2Seq& model, const std::string& whose) {
  try {
    take(checkpoint, "model.", model);
  } catch (const Error& error) {
    const std::string why = error.what();
    const std::string begin = "the checkpoint does not fit the model";
    if (!why.starts_with(begin)) fail("{}", why);
    fail("does not fit the model of {}{}", whose, why.substr(begin.size()));
  }
}

/// Throws Error where the settings describe a model that is much larger than the file.
void check_size(const Settings& settings, const Tokenizers& tokenizers,
                const std::vector<NamedTensor>& tensors) {
  Index held = 0;
  for (const NamedTensor& x : tensors)
    held += x.tensor.size();
  constexpr double margin = 1 << 20;
  const double fewest = fewest_parameters(settings, tokenizers.target->size());
  if (fewest > static_cast<double>(held) + margin)
    fail("its configuration describes a model of more than {:.0f} parameters, and it holds {}",
         fewest, held);
}

/// Writes the configuration and the tokenizers to `folder`, and returns the checkpoint. `like`: the
/// run that they come from; "" where they are in the file.
Checkpoint import_into(const std::string& folder, const Safetensors& found,
                       const std::string& like) {
  if (!like.empty()) read_run_settings(like);  // says what is wrong where it is not a run
  const Files files = like.empty() ? files_of(found.metadata) : files_of(fs::path(like));
  write_files(files, folder);
  const Settings settings = read_run_settings(folder);
  const Tokenizers tokenizers = load_tokenizers(folder);
  check_size(settings, tokenizers, found.tensors);
  Checkpoint weights;
  put(weights, "model.", found.tensors);
  Random random(0);
  const std::unique_ptr<Seq2Seq> model = make_model(settings, tokenizers, random);
  take_weights(weights, *model, like.empty() ? "its configuration" : like);
  Checkpoint checkpoint{
      .tensors = {},
      .text = {{"config", files.at(config_name)}, {"tokenizer", fingerprint_of(tokenizers)}},
      .numbers = {},
      .reals = {},
      .lists = {}};
  put(checkpoint, "model.", *model);
  return checkpoint;
}

/// The message of an error in importing `file` into `folder`. The temporary folder is no name that
/// the user knows, so the message names the file, or the run that --like names.
std::string import_message(std::string message, const std::string& folder, const std::string& file,
                           const std::string& like) {
  const std::string prefix = folder + "/";
  if (message.starts_with(prefix))
    return (like.empty() ? file : like) + "/" + message.substr(prefix.size());
  if (!like.empty() && message.starts_with(like + ":")) return message;
  return file + ": " + message;
}

/// Saves the checkpoint as the best and the last of the run.
void save_as_run(const Checkpoint& checkpoint, const std::string& folder, const std::string& file) {
  fs::create_directory(RunFolder(folder).checkpoints());
  const RunFolder checkpoints(folder);
  save(checkpoint, checkpoints.best());
  replace_by_link(checkpoints.best(), checkpoints.last());
  replace_file(
      imported_path(folder),
      fmt::format(
          "Imported from {} by heed {}: weights alone, without the state of an optimizer.\n", file,
          version()));
}

void run_import(const std::string& file, const std::string& out, const std::string& like) {
  if (fs::exists(out) && (!fs::is_directory(out) || !fs::is_empty(out)))
    fail("{}: holds something already; give --out a new folder", out);
  const Safetensors found = load_safetensors(file);
  fs::path place = fs::absolute(out).lexically_normal();
  if (!place.has_filename()) place = place.parent_path();  // "run/" is "run"
  Unfinished run(place);
  const std::string folder = run.folder().string();
  Checkpoint checkpoint;
  try {
    checkpoint = import_into(folder, found, like);
  } catch (const Error& error) {
    fail("{}", import_message(error.what(), folder, file, like));
  }
  warn_of_values(file, found);
  save_as_run(checkpoint, folder, file);
  if (interrupted()) throw Interrupted();
  run.finish();
  std::cerr << fmt::format("wrote {}: {} tensors\n", out, checkpoint.tensors.size());
}

}  // namespace

void add_export(CLI::App& app) {
  auto* command = app.add_subcommand(
      "export", "Write the weights of a run as a safetensors file, which PyTorch and others read");
  struct Options {
    std::string run;
    std::string checkpoint;
    std::string out;
  };
  auto o = std::make_shared<Options>();
  command->add_option("--run", o->run, "the run's folder")->required();
  command->add_option("--out", o->out, "FILE.safetensors to write")->required();
  command->add_option("--checkpoint", o->checkpoint, checkpoint_help);
  command->footer(
      "Example:\n  heed export --run runs/first --out first.safetensors\n\ndocs/pytorch.md says "
      "how to use the weights in Python.");
  command->callback([o] { run_export(o->run, o->checkpoint, o->out); });
}

void add_import(CLI::App& app) {
  auto* command = app.add_subcommand("import", "Make a run from the weights in a safetensors file");
  struct Options {
    std::string file;
    std::string out;
    std::string like;
  };
  auto o = std::make_shared<Options>();
  command
      ->add_option("file", o->file, "FILE.safetensors that `heed export` or another program wrote")
      ->required();
  command->add_option("--out", o->out, "folder to keep the run in")->required();
  command->add_option(
      "--like", o->like,
      "take the configuration and the tokenizers of this run instead of those in the file");
  command->footer("Example:\n  heed import first.safetensors --out runs/again");
  command->callback([o] { run_import(o->file, o->out, o->like); });
}

}  // namespace heed::cli
