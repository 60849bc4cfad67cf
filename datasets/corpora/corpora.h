#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "datasets/text/pairs.h"
#include "framework/registry.h"

namespace heed {

/// A row of corpora(): a corpus that needs no file and is opened as toy:NAME.
struct CorpusKind {
  std::string name;
  std::string help;  // a line that says what its pairs are
  // Whether most sources hold names or numbers that training has never shown, so that a model needs
  // to copy them.
  bool unseen_words = false;
  // Whether its pairs are texts and labels: the target is the name of a class.
  bool labelled = false;
  // Whether the sources are names of pictures, which PictureReader reads.
  bool pictures = false;
  // Opens it. PairSource::name() must be "toy:" and the name of the row. Splits should share no
  // source, whatever the seeds.
  std::function<std::unique_ptr<PairSource>(Split split, std::uint64_t seed)> open;
};

/// The corpora that toy:NAME names, and those that a program adds.
///
/// Those of Heed are endless, seeded, and hard enough to need attention. Pair i depends on (name,
/// split, seed, i) alone. A hash of the source selects its split (1/16 valid, 1/16 test), so no
/// source is in two splits, whatever the seeds.
/// - copy, reverse, sort: 4 to 16 letters of an alphabet of 26;
/// - dates: a date in a common style and in ISO 8601, each digit a word;
/// - translation: an English sentence of 3 to 30 words and its French translation, from a grammar;
/// - summarization: a report of 60 to 150 words and the headline of its most important event. An
///   eighth of the made-up names, and of the numbers from 20 on, occur in valid and test only
///   (summarization.h);
/// - reviews: a review of a film in 5 to 40 words, and its label, negative or positive. The
///   order of the words decides which of its two opinions counts, and whether it is negated, as
///   internal/reviews.h says (labelled);
/// - babi1, babi2: a story with a question, and the place that answers it. The answer follows from
///   one sentence or from two, as internal/stories.h says (labelled);
/// - shapes: a picture of one of five shapes, and the name of the shape, as internal/shapes.h says
///   (labelled, pictures).
Registry<CorpusKind>& corpora();

namespace toy {

/// Opens a row of corpora(). Throws Error for another name and lists all.
std::unique_ptr<PairSource> open(const std::string& name, Split split, std::uint64_t seed);
/// The names of corpora().
std::vector<std::string> names();

}  // namespace toy

}  // namespace heed
