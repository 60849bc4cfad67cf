// recipes/: each file is a whole training, and docs/real-text.md has its figures.

#include <filesystem>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "experiments/requested_settings.h"
#include "tests/message_of.h"
#include "tests/text_files.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

std::set<fs::path> recipes() {
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(HEED_SOURCE_DIR) / "recipes"))
    files.insert(entry.path());
  return files;
}

TEST(Recipes, AreSettingsOfAModelThatTheyName) {
  ASSERT_FALSE(recipes().empty());
  for (const fs::path& file : recipes()) {
    std::string warning;
    const RequestedSettings requested{.config = file.string(), .assignments = {}, .values = {}};
    const Settings settings = new_settings(requested, warning);
    EXPECT_EQ(warning, "") << file;
    EXPECT_EQ(message_of([&] { settings.check(); }), "") << file;
    EXPECT_TRUE(settings.is_given("model.name")) << file;
    EXPECT_FALSE(settings.is_given("data.valid")) << file << ": data are the reader's";
  }
}

TEST(Recipes, SayHowTheyAreRunAndWhatTheyReached) {
  const std::string page = read_file((fs::path(HEED_SOURCE_DIR) / "docs/real-text.md").string());
  for (const fs::path& file : recipes()) {
    const std::string text = read_file(file.string());
    const std::string name = file.filename().string();
    const std::string train = "#     heed train --config recipes/" + name;
    for (const std::string& part : {train, std::string("#     heed evaluate --run "),
                                    std::string("# Data: "), std::string("# Reached: ")})
      EXPECT_NE(text.find(part), std::string::npos) << name << " lacks: " << part;
    EXPECT_NE(page.find("recipes/" + name), std::string::npos) << name << " is not on the page";
  }
}

}  // namespace
}  // namespace heed
