#include "tests/datasets/reviews_reader.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>

namespace heed::toy {
namespace {

using std::string;
using Words = std::vector<string>;

const std::set<string> praise{"good",     "great",     "wonderful", "brilliant", "clever",
                              "charming", "lovely",    "superb",    "excellent", "delightful",
                              "funny",    "moving",    "fresh",     "exciting",  "splendid",
                              "fine",     "beautiful", "gripping",  "witty",     "perfect"};
const std::set<string> blame{"bad",     "awful",    "terrible", "boring",   "dull",
                             "weak",    "clumsy",   "silly",    "poor",     "stale",
                             "tedious", "dreadful", "horrible", "ugly",     "flat",
                             "empty",   "lame",     "tiresome", "annoying", "hollow"};
// Each turns what follows it around. "But" joins clauses, except in "anything but".
const std::set<string> negations{"not", "hardly", "far", "anything", "means", "nobody", "few"};
const std::set<string> reporting{"wrote", "say", "thinks"};

bool holds(const Words& words, const std::set<string>& some) {
  return std::ranges::any_of(words, [&](const string& word) { return some.contains(word); });
}

// Without ", which ... ,".
Words without_asides(const Words& words) {
  Words rest;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "," && i + 1 < words.size() && words[i + 1] == "which")
      i = static_cast<std::size_t>(
          std::find(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end(), ",") -
          words.begin());
    else
      rest.push_back(words[i]);
  }
  return rest;
}

std::vector<Words> split(const Words& words, const string& at) {
  std::vector<Words> parts(1);
  for (const string& word : words)
    if (word == at)
      parts.emplace_back();
    else
      parts.back().push_back(word);
  return parts;
}

// What somebody else says begins with "the critics wrote", which "i would say" does not.
bool counts(const Words& clause) {
  const bool concedes = clause[0] == "although" || clause[0] == "even";
  const bool expects = holds(clause, {"expected"});
  const std::size_t from = clause[0] == "but" ? 1 : 0;
  const bool reports = clause.size() > from + 2 && reporting.contains(clause[from + 2]) &&
                       clause[from + 1] != "would";
  return !concedes && !expects && !reports;
}

bool is_positive(const Words& clause) {
  const auto turns =
      std::ranges::count_if(clause, [](const string& word) { return negations.contains(word); });
  return holds(clause, praise) == (turns % 2 == 0);
}

}  // namespace

Words words_of(const string& text) {
  std::istringstream in(text);
  Words words;
  for (string word; in >> word;)
    words.push_back(word);
  return words;
}

string read_review(const string& text) {
  std::vector<Words> deciding;
  for (const Words& sentence : split(without_asides(words_of(text)), ".")) {
    if (!holds(sentence, praise) && !holds(sentence, blame)) continue;
    std::vector<Words> own;
    for (const Words& clause : split(sentence, ","))
      if (counts(clause)) own.push_back(clause);
    // Of "..., but ..." the second one decides.
    if (own.size() == 2 && own[1][0] == "but") own.erase(own.begin());
    deciding.insert(deciding.end(), own.begin(), own.end());
  }
  if (deciding.size() != 1) return "";
  return is_positive(deciding[0]) ? "positive" : "negative";
}

double bag_of_words_accuracy(const BagOfWords& train, const BagOfWords& test) {
  std::map<string, double> weights;
  double bias = 0;
  const auto logit = [&](const Words& words) {
    double sum = bias;
    for (const string& word : words)
      sum += weights[word];
    return sum;
  };
  constexpr int epochs = 20;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    const double rate = 0.02 / (1 + epoch);
    for (std::size_t i = 0; i < train.texts.size(); ++i) {
      const double probability = 1 / (1 + std::exp(-logit(train.texts[i])));
      const double step = rate * (train.labels[i] - probability);
      bias += step;
      for (const string& word : train.texts[i])
        weights[word] += step;
    }
  }
  std::size_t right = 0;
  for (std::size_t i = 0; i < test.texts.size(); ++i)
    right += (logit(test.texts[i]) > 0) == (test.labels[i] == 1);
  return static_cast<double>(right) / static_cast<double>(test.texts.size());
}

}  // namespace heed::toy
