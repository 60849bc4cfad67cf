#include "cli/run_training.h"

#include <iostream>
#include <optional>

#include "cli/messages.h"
#include "cli/signals.h"
#include "experiments/live_progress.h"

namespace heed::cli {

namespace {

/// What to do about a folder, in the words of the options.
const char* advice(RunFolderError::Why why) {
  using Why = RunFolderError::Why;
  if (why == Why::none) return "--out says where to keep the run";
  if (why == Why::holds_run) return "--resume goes on with it, --out names another";
  if (why == Why::no_run) return "without --resume one is started";
  return why == Why::imported ? "--init begins with its weights" : "--out names another";
}

void show_training(Training& training, const std::string& out) {
  TrainingDisplay display(standard_error(), training.settings.train.log_every);
  TrainingObservers observers = display.observers();
  observers.on_line = [show = observers.on_line](const std::string& line) {
    show(in_option_words(line));
  };
  observers.should_stop = interrupted;
  observers.should_save = save_requested;
  const TrainResult result = training.run(observers);
  if (!result.interrupted) return;
  display.clear();
  std::cerr << fmt::format(
      "stopped at step {} and saved; go on with: heed train --resume --out {}\n", result.step, out);
  throw Interrupted();
}

}  // namespace

void check_out(const std::string& out, bool resume) {
  try {
    check_run_folder(out, resume);
  } catch (const RunFolderError& error) {
    fail("{} ({})", error.what(), advice(error.why));
  }
}

void run_training(const Settings& settings, const std::string& out, TrainingOptions options) {
  std::optional<InterruptAtOnce> nothing_written(std::in_place);
  std::optional<PreparationDisplay> preparing(std::in_place, standard_error());
  options.preparing = preparing->observer(interrupted);
  options.on_tuning = [&](const std::string& line) { preparing->print(line); };
  Training training(settings, out, std::move(options));
  training.open();
  const std::string over = training.why_ended();
  if (!over.empty() && training.has_new_limits())
    fail("{}: done, with nothing left to train: {}", out, over);
  training.probe();
  preparing.reset();
  nothing_written.reset();
  stop_if_interrupted();
  show_training(training, out);
}

}  // namespace heed::cli
