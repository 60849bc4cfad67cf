#pragma once

#include <string>
#include <vector>

#include "framework/random.h"

namespace heed::toy {

/// A story of people who go from place to place, and a question that a place answers: the first two
/// tasks of Weston et al. 2015 (section 3), drawn by a generator of our own.
///
/// - One fact: 2 to 10 sentences say who went where. The question asks for one of those people:
///     anna went to the office . ben ran to the hall . anna moved to the attic . where is anna ?
///   The last sentence that names the person has the answer.
/// - Two facts: 5 to 16 sentences (one story in 200 has more, until somebody takes something)
///   also say who took what, and who dropped what. The question asks for one of those things:
///     ben ran to the hall . ben took the lamp . ben went to the attic . where is the lamp ?
///   A thing is where the person is who took it last, or where that person dropped it. So one
///   sentence tells the person, and another one the place.
///
/// What is told is all that there is to know, so 100 % can be reached. People, things and places
/// are drawn alike, so the question alone tells nothing: who does not read the story reaches 1/6.
struct Story {
  Story(Random& random, int facts);
  std::string source() const;
  std::string target() const { return answer; }

  std::vector<std::string> sentences;
  std::string asked;   // "anna", "the lamp"
  std::string answer;  // "attic"
};

template <int facts>
struct StoryOf : Story {
  explicit StoryOf(Random& random) : Story(random, facts) {}
};

}  // namespace heed::toy
