// Goes on with the run of train.cpp, which was stopped after step 40, up to step 60. A setting that
// decides the weights cannot change.
#include <heed/heed.h>

int main() {
  heed::Settings settings = heed::read_run_settings("runs/copy");
  settings.set("train.steps", "60");
  const heed::TrainResult result = heed::Training(settings, "runs/copy", {.resume = true}).run();
  if (result.trained != 20 || result.step != 60) return 1;
  settings.set("model.d", "64");
  try {
    heed::Training(settings, "runs/copy", {.resume = true});
  } catch (const heed::CannotChange& error) {
    return error.key == "model.d" ? 0 : 1;
  }
  return 1;
}
