#pragma once

#include <string>

namespace heed {

/// The stem of a lower-case ASCII word (Porter, "An algorithm for suffix stripping", Program 14(3),
/// 1980), with the extensions of NLTK's PorterStemmer in its default mode, NLTK_EXTENSIONS:
/// - a dozen irregular words;
/// - -ies and -ied in a word of four letters keep their e;
/// - y becomes i only after a consonant;
/// - -alli is replaced before all other rules of step 2, and again among them;
/// - -fulli and -logi are replaced in step 2;
/// - the condition *o also holds for a word of one vowel and one consonant.
///
/// A character that is no letter counts as a consonant.
std::string porter_stem(std::string word);

}  // namespace heed
