#include "experiments/internal/same_data.h"

#include <fmt/ranges.h>

#include "experiments/inference/run.h"

namespace heed {

namespace {

/// Throws Error where `now` are other data than `before`, by name or by fingerprint. `key`: the
/// setting. `fingerprint`: of the data that the checkpoint was trained with; null where it does not
/// say, and the names must then agree.
void check_same_data(const std::string& key, const std::vector<std::string>& now,
                     const std::vector<std::string>& before, const std::string& now_fingerprint,
                     const std::string* fingerprint) {
  const bool same_name = before == now;
  if (fingerprint ? *fingerprint == now_fingerprint : same_name) return;
  if (!fingerprint)
    fail("{} cannot change: the checkpoint does not say what it was trained on", key);
  const std::string names = fmt::format("{}", fmt::join(now, " and "));
  if (!same_name)
    fail(
        "{}: not the text of {}, which this run began with; give the same as {}, or start a new "
        "run "
        "in another folder",
        names, fmt::join(before, " and "), key);
  const bool one = now.size() == 1;
  fail(
      "{}: {} changed since this run began; give the data it was trained on ({}, if {} moved), or "
      "start a new run in another folder",
      names, one ? "has" : "have", key, one ? "it has" : "they have");
}

void check_same_corpus(const std::map<std::string, std::string>& text, const Settings& s,
                       const Corpus& corpus, const std::string& folder) {
  Settings before = read_run_settings(folder);
  before.data.train = absolute_data(before.data.train);
  before.data.valid = absolute_data(before.data.valid);
  for (const auto& [key, fingerprint] : corpus.fingerprints) {
    if (key == "tokenizer") continue;
    const auto then = text.find(key);
    const bool train = key == "data.train" || s.data.valid.empty();
    check_same_data(key, train ? s.data.train : s.data.valid,
                    train ? before.data.train : before.data.valid, fingerprint,
                    then == text.end() ? nullptr : &then->second);
  }
  check_same_tokenizers(folder, corpus.tokenizers, text);
}

}  // namespace

void check_same_run(const std::map<std::string, std::string>& text, const Settings& settings,
                    const Corpus& corpus, const std::string& folder) {
  try {
    check_same_settings(config_path(folder).string(), settings, text);
    check_same_corpus(text, settings, corpus, folder);
  } catch (const Error& error) {
    throw OtherData(error.what());
  }
}

}  // namespace heed
