#include "experiments/internal/distilled_file.h"

#include <limits>

#include <nlohmann/json.hpp>

#include "framework/error.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

constexpr auto any_size = std::numeric_limits<std::uint64_t>::max();

[[noreturn]] void refuse(const fs::path& path) {
  fail("{}: is damaged; remove it, and the lines are translated anew", path.string());
}

}  // namespace

DistilledFile::DistilledFile(fs::path path)
    : path_(std::move(path)), partial_(path_.string() + ".partial") {
  if (fs::exists(partial_)) found_ = read_file(partial_, any_size);
  for (auto end = found_.find('\n'); end != std::string::npos; end = found_.find('\n', end + 1))
    ends_.push_back(end + 1);
}

Index DistilledFile::line(Index i) const {
  const auto at = static_cast<std::size_t>(i);
  const std::size_t begin = i == 0 ? 0 : ends_.at(at - 1);
  const auto record = nlohmann::json::parse(found_.substr(begin, ends_.at(at) - begin), nullptr,
                                            /*allow_exceptions=*/false);
  const bool has_line = record.is_object() && record.contains("line");
  if (!has_line || !record["line"].is_number_integer()) refuse(partial_);
  return record["line"].get<Index>();
}

void DistilledFile::keep(Index count) {
  ends_.resize(static_cast<std::size_t>(count));
  if (fs::exists(partial_)) fs::resize_file(partial_, ends_.empty() ? 0 : ends_.back());
  out_.emplace(partial_);
}

void DistilledFile::add(const Pair& pair, Index line) {
  nlohmann::ordered_json record{{"source", pair.source}, {"target", pair.target}};
  if (line > 0) record["line"] = line;
  pending_ += record.dump() + '\n';
}

void DistilledFile::flush() {
  out_->write(pending_);
  pending_.clear();
}

void DistilledFile::commit() {
  flush();
  out_->sync();
  out_.reset();
  fs::rename(partial_, path_);
}

void check_made_alike(const fs::path& folder, const std::map<std::string, std::string>& made) {
  const fs::path path = folder / "distilled.json";
  if (!fs::exists(path)) return replace_file(path, nlohmann::json(made).dump(1) + '\n');
  const auto before = nlohmann::json::parse(read_file(path, any_size), nullptr, false);
  if (!before.is_object()) refuse(path);
  for (const auto& [key, value] : made) {
    if (key.starts_with('(')) continue;
    const auto then = before.find(key);
    if (then == before.end() || !then->is_string()) refuse(path);
    if (*then != value)
      fail(
          "{}: holds pairs of another distillation ({} is {}, and was {}); give what it began "
          "with, or another folder",
          folder.string(), key, value, then->get<std::string>());
  }
}

}  // namespace heed
