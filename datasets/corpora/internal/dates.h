#pragma once

#include <string>

#include "framework/random.h"

namespace heed::toy {

/// A day between 1900 and 2099, written in one of many styles. Each digit is a word, so that a
/// model of words can spell any year.
struct Date {
  explicit Date(Random& random);
  std::string source() const;  // "on Tuesday , the 5 th of March 1 9 8 5"
  std::string target() const;  // "1 9 8 5 - 0 3 - 0 5"

  int year;
  int month;  // from 1
  int day;    // from 1
  int style;
  int filler;
  bool weekday;  // whether the source names the day of the week
};

int days_in_month(int year, int month);
int day_of_week(int year, int month, int day);  // Monday is 0

}  // namespace heed::toy
