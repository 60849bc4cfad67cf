#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "datasets/text/tokenizer.h"
#include "experiments/inference/attended_line.h"
#include "experiments/inference/interrupted.h"
#include "models/classifier.h"

namespace heed {

/// A class and how probable it is for a text.
struct Prediction {
  std::string label;
  double probability = 0;  // 0 to 1; those of all classes sum to 1
};

/// The classes of each text, the most probable first; of equally probable ones, the first by name.
/// None for a blank text. Texts are cut to what the model can place. Of a model that reads pictures
/// `texts` are their names.
///
/// `attended`, where given, gets for each text or picture the weights with which its tokens or
/// parts were pooled; without layers where the pooling has none.
///
/// The caller switches the model to evaluation. Any number of threads may predict with one model.
std::vector<std::vector<Prediction>> predict(const Classifier& model, const Tokenizers& tokenizers,
                                             std::span<const std::string> texts,
                                             std::vector<AttendedLine>* attended = nullptr);

/// The classes of the texts before the first that cannot be read, such as the name of a picture
/// that is missing.
struct PredictedLines {
  std::vector<std::vector<Prediction>> classes;
  std::string error = {};  // of the text behind them; "": all were read
};
/// predict() that keeps what stands before an error.
PredictedLines predict_readable(const Classifier& model, const Tokenizers& tokenizers,
                                std::span<const std::string> texts,
                                std::vector<AttendedLine>* attended = nullptr);

/// A line with the first class and its probability, a tab between; blank where there is none. With
/// `nbest`, a line with rank, class and probability for each of so many, and a blank one.
std::string to_lines(const std::vector<Prediction>& classes, std::optional<Index> nbest = {});

/// The most probable class of each text; "" for a blank one. Throws Interrupted.
std::vector<std::string> best_labels(const Classifier& model, const Tokenizers& tokenizers,
                                     std::span<const std::string> texts,
                                     const ShouldStop& should_stop = {});

}  // namespace heed
