#include "experiments/trained_run.h"

#include "experiments/inference/ensemble.h"
#include "experiments/settings.h"

namespace heed {

namespace {

void check_training(const std::string& where, const std::string& config,
                    const std::map<std::string, std::string>& text) {
  Settings settings;
  settings.read_run(config, where);
  settings.check();
  check_same_settings(where, settings, text);
}

}  // namespace

Run open_trained_run(const std::string& folder, const std::string& checkpoint) {
  return open_run(folder, checkpoint, check_training);
}

Run open_trained_runs(const std::vector<std::string>& folders, const std::string& checkpoint) {
  return open_ensemble(folders, checkpoint, check_training);
}

}  // namespace heed
