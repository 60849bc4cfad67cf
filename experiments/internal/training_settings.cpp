#include "experiments/internal/training_settings.h"

#include "framework/run_folder.h"

namespace heed {

namespace fs = std::filesystem;

void make_data_absolute(Settings& s) {
  s.data.train = absolute_data(s.data.train);
  s.data.valid = absolute_data(s.data.valid);
}

namespace {

/// Whether the data of this setting are given again, and so may have moved. That they are the same
/// is checked when they have been read.
bool may_have_moved(const std::string& key, const Settings& asked, const Settings& saved) {
  if (key == "data.train") return asked.is_chosen(key);
  return key == "data.valid" && asked.is_chosen(key) && !saved.data.valid.empty();
}

/// Throws CannotChange where a setting that a resumed run must keep is another.
void check_unchanged(const Settings& saved, const Settings& asked) {
  const Fields before = saved.fields();
  for (const Field& field : asked.fields()) {
    const std::string& key = field.key();
    if (field.resume() != Resume::fixed || may_have_moved(key, asked, saved)) continue;
    const Field* then = before.find(key);
    if (!then || then->value() != field.value()) throw CannotChange(key);
  }
}

/// The settings of a run that is resumed with other ones.
Settings resumed_settings(const Settings& given, const fs::path& folder) {
  Settings saved = read_run_settings(folder.string());
  make_data_absolute(saved);
  Settings asked = given;
  if (!asked.train.init.empty())
    asked.train.init = fs::absolute(asked.train.init).lexically_normal().string();
  make_data_absolute(asked);
  check_unchanged(saved, asked);
  // In runs that an earlier Heed began, train.steps did not count beside train.epochs, so it must
  // not become a limit unasked.
  if (!same_limits(saved, asked) && !saved.train.exact_epochs) {
    if (saved.train.epochs > 0 && !asked.is_chosen("train.steps")) asked.train.steps = 0;
    asked.train.exact_epochs = true;
  }
  const bool data_given = asked.is_chosen("data.train") || asked.is_chosen("data.valid");
  if (data_given && RunFolder(folder).names().empty())
    fail(
        "{}: no checkpoint yet, by which data given again could be known; leave out data.train and "
        "data.valid",
        folder.string());
  return asked;
}

Settings new_settings(Settings settings, bool defaults_by_data,
                      std::vector<ChosenDefaults>& chosen) {
  if (settings.data.train.empty())
    fail("nothing to train on; give data.train, such as a built-in corpus, toy:translation");
  settings.check();
  if (defaults_by_data) chosen = choose_defaults(settings, survey(settings));
  if (!settings.train.init.empty()) settings.train.init = initial_source(settings.train.init);
  return settings;
}

}  // namespace

Settings settled(const Settings& given, const fs::path& folder, const TrainingOptions& options,
                 std::vector<ChosenDefaults>& chosen) {
  check_run_folder(folder, options.resume);
  Settings settings = options.resume ? resumed_settings(given, folder)
                                     : new_settings(given, options.defaults_by_data, chosen);
  settings.check();
  return settings;
}

}  // namespace heed
