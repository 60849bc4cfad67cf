// Trains, is told of every step, and ends the training when it likes: after 40 of 1,000 steps.
#include <iostream>

#include <heed/heed.h>

int main() {
  heed::Settings settings = heed::default_settings("rnn+additive", {"toy:copy"});
  for (const auto& [key, value] : {std::pair("model.d", "32"),
                                   {"optim.lr", "0.01"},
                                   {"train.steps", "1000"},
                                   {"train.eval_every", "20"}})
    settings.set(key, value);
  heed::TrainingObservers observers = heed::progress_to(std::cout, 10);
  std::vector<heed::Index> validated;
  observers.on_evaluation = [&](const auto& report) { validated.push_back(report.step); };
  observers.should_stop = [&] { return validated.size() == 2; };
  const heed::TrainResult result = heed::Training(settings, "runs/copy").run(observers);
  return result.interrupted && result.step == 40 && validated == std::vector<heed::Index>{20, 40}
             ? 0
             : 1;
}
