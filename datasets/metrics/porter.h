#pragma once

#include <string>

namespace heed {

/// The stem of a lower-case ASCII word: Porter, "An algorithm for suffix stripping", Program 14(3),
/// 1980, with the departures of NLTK's PorterStemmer in its default mode, NLTK_EXTENSIONS: a dozen
/// irregular words; -ies and -ied of four letters keep their e; y becomes i behind a consonant
/// alone; -alli before all of step 2 and again; -fulli; -logi; and *o holds for a vowel and a
/// consonant, too. What is no letter counts as a consonant.
std::string porter_stem(std::string word);

}  // namespace heed
