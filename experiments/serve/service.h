#pragma once

#include <memory>
#include <string>
#include <vector>

#include "experiments/inference/interrupted.h"
#include "experiments/inference/run.h"

namespace heed {

/// A request that cannot be answered as it is. The message says what is wrong with it.
struct BadRequest : Error {
  using Error::Error;
};

/// What one request may ask for.
struct ServiceLimits {
  std::size_t lines = 256;          // of a request
  std::size_t bytes = 20'000;       // of a line
  std::size_t decoding = 400'000;   // bytes of all lines times the beam
  std::size_t weights = 1'000'000;  // of attention, in an answer
  std::size_t waiting = 200;        // requests that wait
  Index tokens = 1000;              // that a language model writes
};

/// Answers requests in JSON about runs, without a network: docs/serving.md lists them. Any number
/// of threads may ask at once; they are answered in their order.
///
///     Service service(std::move(runs));
///     service.answer("translate", R"({"lines": ["The cat sleeps."]})");
class Service {
 public:
  explicit Service(std::vector<Run> runs, const ServiceLimits& limits = {});
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// The answer, an object on one line. `abandoned` is asked now and then while the request waits:
  /// true where nobody waits for the answer any more.
  ///
  /// Throws
  /// - BadRequest where there is no such request, or it lacks something, or exceeds a limit;
  /// - QueueFull where too many wait;
  /// - Interrupted where it was abandoned.
  std::string answer(const std::string& what, const std::string& request,
                     const ShouldStop& abandoned = {});

  /// The names of all requests.
  static std::vector<std::string> requests();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace heed
