#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "experiments/inference/interrupted.h"
#include "experiments/inference/run.h"
#include "framework/error.h"

namespace heed {

/// Too many requests wait already.
struct QueueFull : Error {
  using Error::Error;
};

/// Computes what many threads ask of runs, on one thread and in the order in which it was asked.
/// Translations that wait at the same time, by the same run and options, are decoded as one batch,
/// which takes less time than one after another and gives the same outputs.
class WorkQueue {
 public:
  /// `most`: requests that may wait.
  explicit WorkQueue(std::size_t most);
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  /// Waits until the work is done, and throws what it threw. `abandoned` is asked now and then:
  /// once it is true, work that has not begun is dropped, and Interrupted is thrown.
  ///
  /// Throws QueueFull.
  void run(std::function<void()> work, const ShouldStop& abandoned = {});
  /// translate_nbest() of these lines; waits and throws as run().
  std::vector<std::vector<Translation>> translate(const Run& run, std::vector<std::string> lines,
                                                  const DecodeOptions& options,
                                                  const ShouldStop& abandoned = {});

 private:
  struct Job;
  void wait(const std::shared_ptr<Job>& job, const ShouldStop& abandoned);
  void work();
  static void translate_batch(const std::vector<std::shared_ptr<Job>>& batch);
  std::vector<std::shared_ptr<Job>> next(std::unique_lock<std::mutex>& lock);

  std::size_t most_;
  std::mutex mutex_;
  std::condition_variable added_;
  std::condition_variable done_;
  std::deque<std::shared_ptr<Job>> waiting_;
  bool ends_ = false;
  std::thread worker_;
};

}  // namespace heed
