#include "experiments/inference/run.h"

#include <algorithm>
#include <functional>

#include <fmt/ranges.h>

#include "cli/model.h"
#include "cli/signals.h"
#include "framework/checkpoint.h"
#include "framework/memory.h"
#include "framework/run_folder.h"

namespace heed::cli {

namespace fs = std::filesystem;

namespace {

// Limits of a batch: its sources, their tokens, and the rows of the search.
constexpr std::size_t most_sources = 64;
constexpr std::size_t most_tokens = 16384;
constexpr std::size_t most_rows = 1024;

std::string joint_path(const fs::path& folder) { return (folder / "tokenizer.json").string(); }
std::string source_path(const fs::path& folder) {
  return (folder / "tokenizer.source.json").string();
}
std::string target_path(const fs::path& folder) {
  return (folder / "tokenizer.target.json").string();
}

/// The values of keys that a configuration lacks.
Settings saved_settings() { return default_settings("transformer"); }

/// "model.heads = 8 (was 2)" for each setting that must be the same and is not.
std::vector<std::string> differences(Settings now, Settings then) {
  const std::vector<Setting> is = settings_of(now);
  const std::vector<Setting> was = settings_of(then);
  std::vector<std::string> found;
  for (std::size_t i = 0; i < is.size(); ++i) {
    const std::string_view key = is[i].key;
    const std::string value = text_of(is[i]);
    const std::string before = text_of(was[i]);
    const bool path = key == "data.train" || key == "data.valid";
    const bool moved = path && value != "[]" && before != "[]";
    if (!is_fixed(key) || moved || value == before) continue;
    found.push_back(fmt::format("{} = {} (was {})", key, value, before));
  }
  return found;
}

/// The files of tokenizers that have another fingerprint.
std::vector<std::string> other_files(const Tokenizers& tokenizers, const std::string& fingerprint) {
  if (tokenizers.joint()) return {"tokenizer.json"};
  const std::string now = fingerprint_of(tokenizers);
  const auto source = [](const std::string& both) { return both.substr(0, both.find(' ')); };
  const auto target = [](const std::string& both) { return both.substr(both.find(' ') + 1); };
  std::vector<std::string> files;
  if (source(now) != source(fingerprint)) files.emplace_back("tokenizer.source.json");
  if (target(now) != target(fingerprint)) files.emplace_back("tokenizer.target.json");
  return files;
}

/// The options with lengths that the model can place. A run's own may be longer.
DecodeOptions fitting_options(DecodeOptions options, const Seq2Seq& model) {
  const Index most = model.longest_output(0);
  if (most == 0) return options;
  options.min_length = std::min(options.min_length, most);
  options.max_length = std::min(options.max_length, most);
  return options;
}

/// The places of the sources that are not empty, the shortest first.
std::vector<std::size_t> order_by_length(const std::vector<std::vector<Id>>& sources) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < sources.size(); ++i)
    if (!sources[i].empty()) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return sources[a].size() < sources[b].size();
  });
  return order;
}

/// The end of the batch that begins at order[begin]. `rows`: rows of the search for each source.
std::size_t end_of_batch(const std::vector<std::vector<Id>>& sources,
                         const std::vector<std::size_t>& order, std::size_t begin,
                         std::size_t rows) {
  std::size_t tokens = sources[order[begin]].size();
  std::size_t end = begin + 1;
  for (; end < order.size(); ++end) {
    tokens += sources[order[end]].size();
    const std::size_t count = end - begin + 1;
    if (count > most_sources || tokens > most_tokens || count * rows > most_rows) break;
  }
  return end;
}

/// The text of an output, in one line: subwords can spell any byte, line breaks too.
std::string text_of(const Tokenizers& tokenizers, const Hypothesis& hypothesis,
                    const std::vector<std::string>& extra) {
  std::string text = tokenizers.target->decode(hypothesis.ids, extra);
  const auto breaks_line = [](char c) { return c == '\n' || c == '\r'; };
  std::replace_if(text.begin(), text.end(), breaks_line, ' ');
  return text;
}

}  // namespace

fs::path imported_path(const fs::path& folder) { return folder / "imported.txt"; }
fs::path config_path(const fs::path& folder) { return folder / "config.toml"; }

Tokenizers load_tokenizers(const fs::path& folder) {
  if (!fs::exists(source_path(folder)) && !fs::exists(target_path(folder)))
    return Tokenizer::load(joint_path(folder));
  return {Tokenizer::load(source_path(folder)), Tokenizer::load(target_path(folder))};
}

void save_tokenizers(const Tokenizers& tokenizers, const fs::path& folder) {
  if (tokenizers.joint()) return tokenizers.source->save(joint_path(folder));
  tokenizers.source->save(source_path(folder));
  tokenizers.target->save(target_path(folder));
}

Settings read_run_settings(const std::string& folder) {
  if (fs::is_regular_file(folder))
    fail("{}: is a file; give the folder that `heed train --out` wrote", folder);
  if (!fs::is_directory(folder))
    fail("{}: no such folder; give the folder that `heed train --out` wrote", folder);
  const fs::path config = config_path(folder);
  if (!fs::exists(config))
    fail("{}: not a run: it holds no config.toml; give the folder that `heed train --out` wrote",
         folder);
  Settings settings = saved_settings();
  read_settings(config.string(), settings);
  if (settings.data.train.empty())
    fail(
        "{}: names no data.train, so it is not what `heed train` wrote; copy it again from where "
        "the run comes from",
        config.string());
  check_settings(settings);
  return settings;
}

Settings settings_of_checkpoint(const std::string& toml, const std::string& path) {
  Settings settings = saved_settings();
  read_settings_text(toml, path, settings);
  return settings;
}

std::string fingerprint_of(const Tokenizers& tokenizers) {
  const auto hex = [](std::uint64_t hash) { return fmt::format("{:016x}", hash); };
  const std::string source = hex(tokenizers.source->fingerprint());
  return tokenizers.joint() ? source : source + " " + hex(tokenizers.target->fingerprint());
}

void check_same_settings(const std::string& folder, const Settings& settings,
                         const std::map<std::string, std::string>& text) {
  const auto config = text.find("config");
  if (config == text.end()) return;
  const std::vector<std::string> found =
      differences(settings, settings_of_checkpoint(config->second, folder + "/checkpoints"));
  if (found.empty()) return;
  const char* each = found.size() == 1 ? "it" : "them";
  fail("{}: is not what this run was trained with: {}; set {} back, or start a new run with {}",
       config_path(folder).string(), fmt::join(found, ", "), each, each);
}

void check_same_tokenizers(const std::string& folder, const Tokenizers& tokenizers,
                           const std::map<std::string, std::string>& text) {
  const auto then = text.find("tokenizer");
  if (then == text.end() || then->second == fingerprint_of(tokenizers)) return;
  fail(
      "{}: the tokenizer here is not the one this run was trained with ({}); copy it again from "
      "where the run comes from",
      folder, fmt::join(other_files(tokenizers, then->second), " and "));
}

std::string other_checkpoints(const std::string& folder, const fs::path& not_this) {
  const RunFolder run(folder);
  std::vector<std::string> names = run.names();
  std::erase_if(names, [&](const std::string& name) {
    std::error_code ignored;
    // last may be another name of the same file
    return fs::equivalent(run.named(name), not_this, ignored);
  });
  return names.empty() ? ""
                       : fmt::format("; there is {} (--checkpoint NAME)", fmt::join(names, ", "));
}

Run open_run(const std::string& folder, const std::string& checkpoint) {
  Run run;
  run.settings = read_run_settings(folder);
  run.tokenizers = load_tokenizers(folder);
  const RunFolder checkpoints(folder);
  if (checkpoints.names().empty())
    fail("{}: no checkpoint yet; train on with `heed train --resume --out {}`", folder, folder);
  run.checkpoint = fs::exists(checkpoints.best()) ? checkpoints.best() : *checkpoints.newest();
  // Calls `read`. Its error also names the other checkpoints.
  const auto read_checkpoint = [&](const std::function<void()>& read) {
    try {
      read();
    } catch (const OutOfMemory&) {
      throw;
    } catch (const Error& error) {
      const std::string message = error.what();
      const bool named = message.starts_with(checkpoints.checkpoints().string());
      const std::string place = named ? "" : run.checkpoint.string() + ": ";
      fail("{}{}{}", place, message, other_checkpoints(folder, run.checkpoint));
    }
  };
  Checkpoint found;
  read_checkpoint([&] {
    if (!checkpoint.empty()) run.checkpoint = checkpoints.named(checkpoint);
    found = load(run.checkpoint);
  });
  run.text = found.text;
  check_same_settings(folder, run.settings, run.text);
  check_same_tokenizers(folder, run.tokenizers, run.text);
  Random random = Random::blank();
  run.model = make_model(run.settings, run.tokenizers, random);
  read_checkpoint([&] { take(found, "model.", *run.model); });
  set_training(*run.model, false);
  return run;
}

TotalLoss total_loss(const Seq2Seq& model, const std::vector<Batch>& batches) {
  TotalLoss total;
  for (const Batch& batch : batches) {
    stop_if_interrupted();
    const CrossEntropy summed{.ignore = batch.ignored, .divisor = 1};
    total.sum += static_cast<double>(model.loss(batch, summed).item());
    total.tokens += batch.weight();
  }
  return total;
}

DecodeOptions decode_options(const Settings& s) {
  return {.beam = static_cast<int>(s.decode.beam),
          .length_penalty = static_cast<Real>(s.decode.length_penalty),
          .min_length = s.decode.min_length,
          .max_length = s.decode.max_length,
          .usual_length = s.data.max_length > 0 ? s.data.max_length : 1024,
          .no_repeat_ngram = s.decode.no_repeat_ngram,
          .coverage_penalty = s.decode.coverage_penalty};
}

std::size_t longest_source(const Seq2Seq& model) {
  constexpr std::size_t most = 16384;
  return model.longest() > 0 ? std::min(most, static_cast<std::size_t>(model.longest())) : most;
}

std::vector<Id> encode_source(const Seq2Seq& model, const Tokenizers& tokenizers,
                              const std::string& line, std::vector<std::string>& extra) {
  std::vector<Id> ids = model.copies() ? tokenizers.source->encode_widening(line, extra)
                                       : tokenizers.source->encode(line);
  ids.resize(std::min(ids.size(), longest_source(model) - 1));
  if (!ids.empty()) ids.push_back(eos_id);
  return ids;
}

std::vector<std::vector<Translation>> translate(const Decoder& decoder,
                                                const Tokenizers& tokenizers,
                                                std::span<const std::string> lines,
                                                const DecodeOptions& options, std::uint64_t first) {
  const Seq2Seq& model = decoder.model();
  const DecodeOptions fitting = fitting_options(options, model);
  std::vector<std::vector<Id>> sources;
  std::vector<std::vector<std::string>> extras(lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i)
    sources.push_back(encode_source(model, tokenizers, lines[i], extras[i]));
  const std::vector<std::size_t> order = order_by_length(sources);
  const auto rows = static_cast<std::size_t>(options.sample ? options.nbest : options.beam);

  std::vector<std::vector<Translation>> results(lines.size());
  for (std::size_t begin = 0; begin < order.size();) {
    const std::size_t end = end_of_batch(sources, order, begin, rows);
    std::vector<std::vector<Id>> batch;
    std::vector<std::uint64_t> numbers;
    for (std::size_t i = begin; i < end; ++i) {
      batch.push_back(std::move(sources[order[i]]));
      numbers.push_back(first + order[i]);
    }
    auto decoded = decoder(batch, fitting, numbers);
    for (std::size_t i = begin; i < end; ++i)
      for (Hypothesis& hypothesis : decoded[i - begin]) {
        std::string text = text_of(tokenizers, hypothesis, extras[order[i]]);
        results[order[i]].push_back({std::move(hypothesis), std::move(text)});
      }
    begin = end;
  }
  return results;
}

}  // namespace heed::cli
