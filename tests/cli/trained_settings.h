#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "experiments/settings.h"

namespace heed {

/// Expects that a run has the settings "key=value": that none was lost on the way to its training.
inline void expect_trained_with(const std::string& run, const std::vector<std::string>& settings) {
  const Settings found = read_run_settings(run);
  for (const std::string& assignment : settings) {
    const std::size_t equals = assignment.find('=');
    const std::string key = assignment.substr(0, equals);
    ASSERT_TRUE(found.has(key)) << assignment;
    EXPECT_EQ(to_text(found.value(key)), assignment.substr(equals + 1)) << key;
  }
}

}  // namespace heed
