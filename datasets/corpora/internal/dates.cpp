#include "datasets/corpora/internal/dates.h"

#include <iterator>
#include <string_view>

#include "datasets/corpora/internal/dictionary.h"

namespace heed::toy {
namespace {

constexpr std::string_view fillers[] = {
    "", "", "", "", "on", "dated", "since", "before", "the meeting of", "the letter of", "born on"};

// Fields of a style:
//   D  day                 A  month, abbreviated          N  month as a number
//   T  day as an ordinal   L  month, in lower case        Y  year
//   M  month
// Other words stand for themselves. Numeric forms with dots begin with the day and those with
// dashes with the year, so that every date has one meaning.
constexpr std::string_view styles[] = {"D M Y",        "D A Y",          "M D , Y",   "M T , Y",
                                       "the T of M Y", "the T of M , Y", "T M Y",     "Y , M D",
                                       "Y A D",        "D . N . Y",      "Y - N - D", "A D , Y",
                                       "D L Y",        "M Y , the T",    "A T Y"};

int below(Random& random, std::size_t n) { return static_cast<int>(random.below(n)); }

void put(std::string& text, std::string_view word) {
  if (!text.empty()) text += ' ';
  text += word;
}

void digits(std::string& text, int n, bool two = false) {
  const std::string number = std::to_string(n);
  if (two && n < 10) put(text, "0");
  for (std::size_t i = 0; i < number.size(); ++i)
    put(text, std::string_view(number).substr(i, 1));
}

std::string_view ordinal(int n) {
  if (n / 10 == 1) return "th";
  if (n % 10 == 1) return "st";
  if (n % 10 == 2) return "nd";
  if (n % 10 == 3) return "rd";
  return "th";
}

std::string lower(std::string_view word) {
  std::string text(word);
  text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

}  // namespace

int days_in_month(int year, int month) {
  constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return days[month - 1] + (month == 2 && leap);
}

// Sakamoto 1992: a table of the shift of each month. January and February belong to the year
// before.
int day_of_week(int year, int month, int day) {
  constexpr int shift[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
  if (month < 3) --year;
  return (year + year / 4 - year / 100 + year / 400 + shift[month - 1] + day + 6) % 7;
}

Date::Date(Random& random)
    : year(1900 + below(random, 200)),
      month(1 + below(random, 12)),
      day(1 + below(random, static_cast<std::size_t>(days_in_month(year, month)))),
      style(below(random, std::size(styles))),
      filler(below(random, std::size(fillers))),
      weekday(random.chance(0.3)) {}

std::string Date::source() const {
  std::string text(fillers[filler]);
  if (weekday) {
    put(text, weekdays[day_of_week(year, month, day)].english);
    put(text, ",");
  }
  const std::string_view name = months[month - 1].english;
  std::string_view pattern = styles[style];
  while (!pattern.empty()) {
    const std::string_view field = pattern.substr(0, pattern.find(' '));
    if (field == "D")
      digits(text, day);
    else if (field == "T") {
      digits(text, day);
      put(text, ordinal(day));
    } else if (field == "M")
      put(text, name);
    else if (field == "A")
      put(text, lower(name.substr(0, 3)));
    else if (field == "L")
      put(text, lower(name));
    else if (field == "N")
      digits(text, month);
    else if (field == "Y")
      digits(text, year);
    else
      put(text, field);
    pattern.remove_prefix(std::min(pattern.size(), field.size() + 1));
  }
  return text;
}

std::string Date::target() const {
  std::string text;
  digits(text, year);
  put(text, "-");
  digits(text, month, true);
  put(text, "-");
  digits(text, day, true);
  return text;
}

}  // namespace heed::toy
