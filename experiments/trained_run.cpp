#include "experiments/trained_run.h"

#include "experiments/settings.h"

namespace heed {

Run open_trained_run(const std::string& folder, const std::string& checkpoint) {
  return open_run(folder, checkpoint,
                  [](const std::string& where, const std::string& config,
                     const std::map<std::string, std::string>& text) {
                    Settings settings;
                    settings.read_run(config, where);
                    settings.check();
                    check_same_settings(where, settings, text);
                  });
}

}  // namespace heed
