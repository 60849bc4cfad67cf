#include "experiments/serve/internal/work_queue.h"

#include <chrono>
#include <exception>
#include <iterator>
#include <tuple>

#include "experiments/inference/nbest.h"

namespace heed {

namespace {

constexpr std::size_t batch_lines = 64;
constexpr std::size_t batch_cost = 400'000;        // as Job::cost() counts it
constexpr std::chrono::milliseconds patience{50};  // between questions whether anybody waits still

}  // namespace

struct WorkQueue::Job {
  std::function<void()> work = {};  // empty: a translation
  const Run* run = nullptr;
  std::vector<std::string> lines = {};
  DecodeOptions options = {};
  std::vector<std::vector<Translation>> found = {};
  std::exception_ptr error = {};
  bool done = false;

  /// The time of decoding grows about with the bytes that are read and the beam.
  std::size_t cost() const {
    std::size_t bytes = 0;
    for (const std::string& line : lines)
      bytes += line.size();
    return bytes * static_cast<std::size_t>(options.beam);
  }

  bool goes_with(const Job& other) const {
    const auto key = [](const Job& job) {
      const DecodeOptions& o = job.options;
      return std::tuple(job.run, o.beam, o.nbest, o.length_penalty, o.max_length, o.sample);
    };
    return !work && !other.work && key(*this) == key(other);
  }
};

WorkQueue::WorkQueue(std::size_t most) : most_(most), worker_([this] { work(); }) {}

WorkQueue::~WorkQueue() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  added_.notify_all();
  worker_.join();
}

void WorkQueue::run(std::function<void()> work, const ShouldStop& abandoned) {
  auto job = std::make_shared<Job>();
  job->work = std::move(work);
  wait(job, abandoned);
}

std::vector<std::vector<Translation>> WorkQueue::translate(const Run& run,
                                                           std::vector<std::string> lines,
                                                           const DecodeOptions& options,
                                                           const ShouldStop& abandoned) {
  auto job = std::make_shared<Job>();
  job->run = &run;
  job->lines = std::move(lines);
  job->options = options;
  wait(job, abandoned);
  return std::move(job->found);
}

void WorkQueue::wait(const std::shared_ptr<Job>& job, const ShouldStop& abandoned) {
  std::unique_lock lock(mutex_);
  if (waiting_.size() >= most_) throw QueueFull("too many requests wait; try again later");
  waiting_.push_back(job);
  added_.notify_one();
  while (!job->done) {
    done_.wait_for(lock, patience);
    if (job->done || !abandoned) continue;
    lock.unlock();
    const bool gone = abandoned();
    lock.lock();
    // Work that has begun refers to what its request holds: it is waited for.
    if (gone && std::erase(waiting_, job) > 0) throw Interrupted();
  }
  if (job->error) std::rethrow_exception(job->error);
}

std::vector<std::shared_ptr<WorkQueue::Job>> WorkQueue::next(std::unique_lock<std::mutex>& lock) {
  added_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
  std::vector<std::shared_ptr<Job>> batch;
  std::size_t lines = 0;
  std::size_t cost = 0;
  for (auto job = waiting_.begin(); job != waiting_.end();) {
    const bool fits = batch.empty() || (batch.front()->goes_with(**job) &&
                                        lines + (*job)->lines.size() <= batch_lines &&
                                        cost + (*job)->cost() <= batch_cost);
    if (!fits) {
      ++job;
      continue;
    }
    lines += (*job)->lines.size();
    cost += (*job)->cost();
    batch.push_back(std::move(*job));
    job = waiting_.erase(job);
  }
  return batch;
}

void WorkQueue::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    const std::vector<std::shared_ptr<Job>> batch = next(lock);
    if (batch.empty()) return;
    lock.unlock();
    std::exception_ptr error;
    try {
      if (batch.front()->work)
        batch.front()->work();
      else
        translate_batch(batch);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    for (const std::shared_ptr<Job>& job : batch) {
      job->error = error;
      job->done = true;
    }
    done_.notify_all();
  }
}

void WorkQueue::translate_batch(const std::vector<std::shared_ptr<Job>>& batch) {
  const Job& first = *batch.front();
  std::vector<std::string> lines;
  for (const std::shared_ptr<Job>& job : batch)
    lines.insert(lines.end(), job->lines.begin(), job->lines.end());
  auto found =
      translate_nbest(first.run->decoder(), first.run->tokenizers, lines, first.options, 0);
  auto from = std::make_move_iterator(found.begin());
  for (const std::shared_ptr<Job>& job : batch) {
    const auto to = from + static_cast<std::ptrdiff_t>(job->lines.size());
    job->found.assign(from, to);
    from = to;
  }
}

}  // namespace heed
