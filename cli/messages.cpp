#include "cli/messages.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <typeinfo>

#include <fmt/format.h>

#include "datasets/text/pairs.h"
#include "experiments/training.h"
#include "framework/threads.h"

namespace heed::cli {

namespace {

/// Keeps the two ends of a long word. Names of files and arguments can be of any length.
std::string shortened(const std::string& word) {
  constexpr std::size_t longest = 255;  // of a file's name
  constexpr std::size_t shown = 100;    // of each end
  if (word.size() <= longest) return word;
  // whether a UTF-8 character began before this byte
  const auto within = [&](std::size_t at) { return (word[at] & '\xc0') == '\x80'; };
  std::size_t head = shown;
  while (head > 0 && within(head))
    --head;
  std::size_t tail = word.size() - shown;
  while (tail < word.size() && within(tail))
    ++tail;
  return word.substr(0, head) + "..." + word.substr(tail);
}

std::string file_message(const std::filesystem::filesystem_error& error) {
  std::string reason = error.code().message();
  if (error.code() == std::errc::filename_too_long)
    reason += "; a name has 255 bytes at most, a whole path 4095";
  return error.path1().empty() ? reason : fmt::format("{}: {}", error.path1().string(), reason);
}

}  // namespace

std::string in_option_words(std::string text) {
  const Settings settings;
  const auto is_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
  };
  for (const Field& field : settings.fields()) {
    const std::string& key = field.key();
    if (field.option().empty() || key.starts_with("decode.")) continue;
    const std::size_t advice = std::min(text.find("; "), text.find("? "));
    for (auto at = text.find(key, advice); at != std::string::npos; at = text.find(key, at + 1)) {
      const std::string rest = text.substr(at + key.size());
      if (rest.starts_with(" = ") || (!rest.empty() && is_name(rest.front()))) continue;
      if (at > 0 && text[at - 1] == '\'') continue;  // a name that was meant
      text.replace(at, key.size(), "--" + field.option());
    }
  }
  constexpr std::string_view tune = "or tune ";
  if (const auto at = text.find(tune); at != std::string::npos)
    text.replace(at, tune.size(), "or --tune ");
  return text;
}

std::string one_line(std::string text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  std::replace_if(text.begin(), text.end(), is_control, ' ');
  std::string line;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    line += shortened(text.substr(begin, end - begin)) + (end < text.size() ? " " : "");
    begin = end + 1;
  }
  return line;
}

std::string message_of(const std::exception& error) {
  const std::string what = error.what();
  if (const auto* fixed = dynamic_cast<const CannotChange*>(&error))
    return fmt::format(
        "--resume goes on with the run as it is: {} cannot change; start a new run with another "
        "--out",
        fixed->key);
  const auto* unknown = dynamic_cast<const UnknownSetting*>(&error);
  if (unknown && unknown->nearest.empty())
    return what + "; `heed train --help-settings` lists them";
  if (dynamic_cast<const FieldsError*>(&error))
    return what + " (--fields SOURCE TARGET names them)";
  if (const auto* threads = dynamic_cast<const OutOfThreads*>(&error))
    return fmt::format("cannot start {} threads; give --threads fewer", threads->wanted);
  const bool of_tbb = typeid(error) == typeid(std::runtime_error);
  if (of_tbb && what.find("pthread_create") != std::string::npos)
    return "cannot start another thread; give --threads fewer";
  if (dynamic_cast<const std::bad_alloc*>(&error))
    return "out of memory; use a smaller batch or model";
  if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&error))
    return file_message(*file);
  return in_option_words(what);
}

}  // namespace heed::cli
