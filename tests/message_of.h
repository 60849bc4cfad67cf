#pragma once

#include <string>

#include "framework/error.h"

namespace heed {

/// The message of the Error that act() throws; "" when it throws none. Every other exception
/// passes through.
template <class F>
std::string message_of(F&& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace heed
