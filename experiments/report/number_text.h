#pragma once

#include <string>
#include <string_view>

// Numbers in text.

namespace heed::report {

/// `value` with this number of digits after the point; never "-0.00".
std::string fixed(double value, int digits);
/// The same with a sign, for differences: "+0.25", "-0.25", "+0.00".
std::string signed_fixed(double value, int digits);

/// "expected a whole number from 1 to 9; got 0".
std::string wrong_number(const std::string& expected, const std::string& given);

/// "a whole number above 0", "a number from 0 to 1". An empty `most` means that there is none.
std::string range_text(const std::string& kind, const std::string& least, const std::string& most);

/// The text without its leading plus sign, which from_chars() does not read.
std::string_view without_plus(std::string_view text);

}  // namespace heed::report
