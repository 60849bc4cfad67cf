#include "experiments/exporting.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "experiments/inference/run.h"
#include "experiments/inference/tokenizer_files.h"
#include "experiments/trained_run.h"
#include "framework/checkpoint.h"
#include "framework/files.h"
#include "framework/memory.h"
#include "framework/run_folder.h"
#include "framework/safetensors.h"
#include "framework/version.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

// The metadata of a safetensors file hold the files of a run under "heed." and their names. Files
// that are not text (.model) are in hexadecimal digits.
constexpr const char* config_name = "config.toml";
constexpr std::array own_names{config_name,
                               "tokenizer.json",
                               "tokenizer.model",
                               "tokenizer.source.json",
                               "tokenizer.source.model",
                               "tokenizer.target.json",
                               "tokenizer.target.model",
                               "labels.txt"};
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

/// The configuration, the tokenizers and the labels of a run. The keys are the names of their
/// files.
Files files_of(const fs::path& folder) {
  Files files;
  for (const std::string file : own_names)
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
        "its metadata holds no {}; was it saved elsewhere? name a run whose configuration and "
        "tokenizers it has",
        config_name);
  Files files;
  for (const std::string file : own_names) {
    const auto found = metadata.find("heed." + file);
    if (found == metadata.end()) continue;
    files[file] = file.ends_with(".model") ? from_hex(found->second, found->first) : found->second;
  }
  return files;
}

/// Throws Error where the run cannot be written to this file.
void check_export(const std::string& folder, const std::string& out) {
  if (fs::is_directory(out)) fail("{}: is a folder; expected a file", out);
  if (fs::exists(fs::symlink_status(out)) && !fs::is_regular_file(fs::symlink_status(out)))
    fail("{}: is no plain file, and would be replaced by one; give another name", out);
  const std::string inside =
      fs::weakly_canonical(out).lexically_relative(fs::weakly_canonical(folder)).string();
  if (!inside.empty() && !inside.starts_with(".."))
    fail("{}: lies within the run; give a file elsewhere", out);
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
    return std::ranges::find(own_names, name) != own_names.end() || name == "checkpoints" ||
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
void note_values(const std::string& file, const Safetensors& found, Imported& imported) {
  const std::string own = sizeof(Real) == 4 ? "F32" : "F64";
  for (const std::string& dtype : found.dtypes)
    if (dtype != own)
      imported.notes.push_back(fmt::format("{}: holds {}, which is kept as {}", file, dtype, own));
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
    imported.warnings.push_back(fmt::format(
        "{}: {} of {} weights are NaN or infinite, the first in {}", file, wrong, all, first));
}

/// Loads the weights into the model. An error says whose model they do not fit.
void take_weights(const Checkpoint& checkpoint, Model& model, const std::string& whose) {
  try {
    take(checkpoint, "model.", model);
  } catch (const Error& error) {
    const std::string why = error.what();
    const std::string begin = "the checkpoint does not fit the model";
    if (!why.starts_with(begin)) fail("{}", why);
    fail("does not fit the model of {}{}", whose, why.substr(begin.size()));
  }
}

/// The model of the settings. Throws Error where it is much larger than the tensors, before it
/// takes much memory.
std::unique_ptr<Model> make_fitting_model(const RunSettings& settings, const Tokenizers& tokenizers,
                                          const std::vector<NamedTensor>& tensors) {
  std::size_t held = 0;
  for (const NamedTensor& x : tensors)
    held += static_cast<std::size_t>(x.tensor.size());
  constexpr std::size_t margin = std::size_t{1} << 20;
  const memory::Limit limit(sizeof(Real) * 2 * (held + margin));
  Random random = Random::blank();
  try {
    return make_model(settings, tokenizers, random);
  } catch (const memory::LimitReached&) {
    fail("its configuration describes a model of more parameters than the {} it holds", held);
  }
}

/// Writes the configuration and the tokenizers to `folder`, and returns the checkpoint. `like`: the
/// run that they come from; "" where they are in the file.
Checkpoint import_into(const std::string& folder, const Safetensors& found,
                       const std::string& like) {
  if (!like.empty()) read_config(like);  // says what is wrong where it is not a run
  const Files files = like.empty() ? files_of(found.metadata) : files_of(fs::path(like));
  write_files(files, folder);
  RunSettings settings;
  settings.read_run(read_config(folder), config_path(folder).string());
  settings.check();
  const Tokenizers tokenizers = load_tokenizers(folder);
  check_complete(folder, settings, tokenizers);
  Checkpoint weights;
  put(weights, "model.", found.tensors);
  const std::unique_ptr<Model> model = make_fitting_model(settings, tokenizers, found.tensors);
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
/// the user knows, so the message names the file, or the run `like`.
std::string import_message(std::string message, const std::string& folder, const std::string& file,
                           const std::string& like) {
  if (message.starts_with(folder + "/") || message.starts_with(folder + ": "))
    return (like.empty() ? file : like) + message.substr(folder.size());
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

}  // namespace

Exported export_run(const std::string& folder, const std::string& out,
                    const std::string& checkpoint) {
  check_export(folder, out);
  const Run run = open_trained_run(folder, checkpoint);
  const std::vector<NamedTensor> tensors = named_tensors(*run.model);
  save_safetensors(out, tensors, metadata_of(files_of(folder)));
  return {.tensors = tensors.size(),
          .parameters = static_cast<std::size_t>(parameter_count(*run.model)),
          .checkpoint = run.checkpoint};
}

Imported import_run(const std::string& file, const std::string& out, const std::string& like) {
  if (fs::exists(out) && (!fs::is_directory(out) || !fs::is_empty(out)))
    fail("{}: holds something already; give a new folder", out);
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
  Imported imported{.tensors = checkpoint.tensors.size(), .notes = {}, .warnings = {}};
  note_values(file, found, imported);
  save_as_run(checkpoint, folder, file);
  run.finish();
  return imported;
}

}  // namespace heed
