#pragma once

#include <string>
#include <vector>

namespace heed::toy {

/// The words of a text of toy:reviews, which blanks separate.
std::vector<std::string> words_of(const std::string& text);

/// The label that a reader gives to a review of toy:reviews, who knows the language and its rule
/// (reviews.h) but not how the review was drawn. "" when not exactly one clause decides.
std::string read_review(const std::string& text);

/// The share of labels that a logistic regression on word counts gets right. It is trained on the
/// first lists of words and judged on the second. A label is 1 or 0.
struct BagOfWords {
  std::vector<std::vector<std::string>> texts;
  std::vector<int> labels;
};
double bag_of_words_accuracy(const BagOfWords& train, const BagOfWords& test);

}  // namespace heed::toy
