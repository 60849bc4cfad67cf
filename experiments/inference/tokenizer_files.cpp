#include "experiments/inference/tokenizer_files.h"

#include <fmt/ranges.h>

#include "datasets/text/labels.h"
#include "framework/error.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

constexpr const char* joint_name = "tokenizer.json";
constexpr const char* source_name = "tokenizer.source.json";
constexpr const char* target_name = "tokenizer.target.json";
constexpr const char* labels_name = "labels.txt";

/// The files of tokenizers that have another fingerprint.
std::vector<std::string> other_files(const Tokenizers& tokenizers, const std::string& fingerprint) {
  if (!tokenizers.source) return {labels_name};
  if (tokenizers.labels) return {joint_name, labels_name};
  if (tokenizers.joint()) return {joint_name};
  const std::string now = fingerprint_of(tokenizers);
  const auto source = [](const std::string& both) { return both.substr(0, both.find(' ')); };
  const auto target = [](const std::string& both) { return both.substr(both.find(' ') + 1); };
  std::vector<std::string> files;
  if (source(now) != source(fingerprint)) files.emplace_back(source_name);
  if (target(now) != target(fingerprint)) files.emplace_back(target_name);
  return files;
}

std::shared_ptr<const Tokenizer> load_from(const RunFiles& files, const std::string& name) {
  const std::string* json = files.find(name);
  if (!json) fail("{}: no such file among those of the run", name);
  const std::string* model = files.find(fs::path(name).replace_extension(".model").string());
  return Tokenizer::load_bytes(*json, model ? std::string_view(*model) : "", name);
}

}  // namespace

Tokenizers load_tokenizers(const fs::path& folder) {
  const fs::path source = folder / source_name;
  const fs::path target = folder / target_name;
  if (!fs::exists(source) && !fs::exists(target)) {
    Tokenizers both;
    if (fs::exists(folder / labels_name))
      both.labels = std::make_shared<const Labels>(Labels::load(folder / labels_name));
    if (fs::exists(folder / joint_name))
      both.source = both.target = Tokenizer::load((folder / joint_name).string());
    return both;
  }
  return {Tokenizer::load(source.string()), Tokenizer::load(target.string())};
}

Tokenizers load_tokenizers(const RunFiles& files) {
  if (!files.find(source_name) && !files.find(target_name)) {
    Tokenizers both;
    if (const std::string* labels = files.find(labels_name))
      both.labels = std::make_shared<const Labels>(Labels::of_text(*labels, labels_name));
    if (files.find(joint_name)) both.source = both.target = load_from(files, joint_name);
    return both;
  }
  return {load_from(files, source_name), load_from(files, target_name)};
}

void save_tokenizers(const Tokenizers& tokenizers, const fs::path& folder) {
  if (tokenizers.labels) tokenizers.labels->save(folder / labels_name);
  if (!tokenizers.source) return;
  if (tokenizers.joint()) return tokenizers.source->save((folder / joint_name).string());
  tokenizers.source->save((folder / source_name).string());
  tokenizers.target->save((folder / target_name).string());
}

bool has_tokenizers(const fs::path& folder) {
  return fs::exists(folder / joint_name) || fs::exists(folder / source_name);
}

std::string fingerprint_of(const Tokenizers& tokenizers) {
  const auto hex = [](std::uint64_t hash) { return fmt::format("{:016x}", hash); };
  const std::string source = tokenizers.source ? hex(tokenizers.source->fingerprint()) : "none";
  if (tokenizers.labels) return source + " labels " + hex(tokenizers.labels->fingerprint());
  return tokenizers.joint() ? source : source + " " + hex(tokenizers.target->fingerprint());
}

void check_same_tokenizers(const std::string& where, const Tokenizers& tokenizers,
                           const std::string& fingerprint) {
  if (fingerprint_of(tokenizers) == fingerprint) return;
  fail(
      "{}: the tokenizer here is not the one this run was trained with ({}); copy it again from "
      "where the run comes from",
      where, fmt::join(other_files(tokenizers, fingerprint), " and "));
}

}  // namespace heed
