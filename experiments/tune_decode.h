#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "experiments/inference/interrupted.h"
#include "experiments/inference/run.h"
#include "framework/files.h"

namespace heed {

/// How to choose the beam and the length penalty of a run.
struct TuneDecodingOptions {
  // what to decode, as data.valid; empty: what the run was validated on. Never a test set.
  std::vector<std::string> data = {};
  std::vector<std::string> fields = {};  // as data.fields; empty: the run's
  Index lines = 1000;                    // of a built-in corpus that `data` names
  std::string metric = "bleu";           // one of tuning_metrics()
  std::vector<Index> beams = {1, 2, 4, 5, 8};
  std::vector<double> length_penalties = {0, 0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6, 1.8, 2};
};

/// The metrics with an overall figure: bleu, chrf, and rouge, which is the mean of the F-measures
/// of ROUGE-1, ROUGE-2 and ROUGE-L.
std::vector<std::string> tuning_metrics();

/// One way of decoding, and how good its outputs were.
struct DecodingCandidate {
  Index beam = 0;
  double length_penalty = 0;
  double score = 0;         // Metric::overall
  double length_ratio = 0;  // tokens of the outputs to those of the references, as BLEU counts them
};

struct TunedDecoding {
  std::string data;  // its name
  Index lines = 0;
  std::string metric;
  std::vector<DecodingCandidate> candidates;  // by beam, then by penalty
  DecodingCandidate best;
};

/// The candidate with the best score; of equal ones that with the smaller beam, and then that whose
/// penalty is nearest to the present one. Throws Error where there is none.
DecodingCandidate best_candidate(std::span<const DecodingCandidate> candidates,
                                 double present_penalty);

struct TuneDecodingObservers {
  std::function<void(const std::string&)> on_line = {};  // what it costs, and how far it is
  ShouldStop should_stop = {};
};

/// Decodes the data with each beam and length penalty, and chooses the best pair. The other options
/// of decoding are the run's.
///
/// All penalties of a beam cost one decoding (decode_with_penalties()). With a beam of 1 they give
/// the same outputs.
///
/// Throws Error where
/// - the run does not translate;
/// - there are no data, or those of the run have changed;
/// - an option is out of its range.
/// Throws Interrupted where it should stop.
TunedDecoding tune_decoding(const Run& run, const TuneDecodingOptions& options = {},
                            const TuneDecodingObservers& observers = {});

/// A table of all candidates, and the choice.
std::string to_text(const TunedDecoding& tuned);
/// A JSON object on one line, with all digits. `kept`: whether a run keeps the choice.
std::string to_json(const TunedDecoding& tuned, bool kept);

/// Keeps a choice in a run: in decode.beam and decode.length_penalty of its config.toml. As long as
/// the object lives, no other process can train the run.
class DecodingKeeper {
 public:
  /// Throws Error where another process trains the run, where config.toml cannot be written, and
  /// where its settings of decoding cannot be replaced one by one.
  explicit DecodingKeeper(const std::filesystem::path& folder);
  /// Replaces config.toml as a whole. All but the two values stays as it was.
  void keep(Index beam, double length_penalty) const;

 private:
  FolderLock lock_;
  std::filesystem::path config_;
};

}  // namespace heed
