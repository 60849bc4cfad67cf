#include "framework/run_folder.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "framework/error.h"
#include "framework/files.h"

namespace heed {

namespace {

constexpr std::string_view step_prefix = "step-";
constexpr std::string_view extension = ".heed";

/// The number in "step-000123.heed", or -1.
Index step_of(const std::string& name) {
  if (!name.starts_with(step_prefix) || !name.ends_with(extension)) return -1;
  const char* begin = name.data() + step_prefix.size();
  const char* end = name.data() + name.size() - extension.size();
  Index step = -1;
  const auto [stop, error] = std::from_chars(begin, end, step);
  return error == std::errc() && stop == end ? step : -1;
}

}  // namespace

void RunFolder::create() const {
  std::error_code error;
  std::filesystem::create_directories(checkpoints(), error);
  if (error) fail("{}: cannot be created: {}", checkpoints().string(), error.message());
}

std::filesystem::path RunFolder::step(Index step) const {
  return checkpoints() / fmt::format("{}{:06}{}", step_prefix, step, extension);
}

std::vector<Index> RunFolder::steps() const {
  std::vector<Index> result;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(checkpoints(), error))
    if (const Index found = step_of(entry.path().filename().string()); found >= 0)
      result.push_back(found);
  std::sort(result.begin(), result.end());
  return result;
}

std::optional<std::filesystem::path> RunFolder::newest() const {
  if (std::filesystem::exists(last())) return last();
  const std::vector<Index> saved = steps();
  if (saved.empty()) return std::nullopt;
  return step(saved.back());
}

std::vector<std::string> RunFolder::names() const {
  std::vector<std::string> result;
  for (const auto& path : {last(), best()})
    if (std::filesystem::exists(path)) result.push_back(path.stem().string());
  for (Index saved : steps())
    result.push_back(step(saved).stem().string());
  return result;
}

std::filesystem::path RunFolder::named(const std::string& name) const {
  const std::vector<std::string> known = names();
  if (std::find(known.begin(), known.end(), name) == known.end())
    fail("{}: no checkpoint '{}' here", checkpoints().string(), name);
  return checkpoints() / (name + std::string(extension));
}

void RunFolder::remove_partial() const {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(checkpoints(), error))
    if (entry.path().extension() == ".partial") std::filesystem::remove(entry.path(), error);
}

void RunFolder::save_step(const Checkpoint& checkpoint, Index step, int keep) const {
  if (keep == 0) {
    save(checkpoint, last());
    return;
  }
  save(checkpoint, this->step(step));
  replace_by_link(this->step(step), last());
  prune(step, keep);
}

void RunFolder::set_aside(Index step) const {
  std::vector<std::filesystem::path> later;
  for (Index saved : steps())
    if (saved > step) later.push_back(this->step(saved));
  if (std::filesystem::exists(best()) && load(best()).number("step") > step)
    later.push_back(best());
  for (const auto& path : later)
    std::filesystem::rename(path, path.string() + ".aside");
}

void RunFolder::prune(Index step, int keep) const {
  if (keep == 0) return;
  std::vector<Index> saved = steps();
  // Steps after this one were trained before the run was resumed from an older checkpoint.
  std::erase_if(saved, [step](Index other) { return other > step; });
  for (std::size_t i = 0; i + static_cast<std::size_t>(keep) < saved.size(); ++i) {
    std::error_code ignored;  // what cannot be deleted now is tried again at the next save
    std::filesystem::remove(this->step(saved[i]), ignored);
  }
}

}  // namespace heed
