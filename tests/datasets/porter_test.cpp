#include "datasets/metrics/internal/porter.h"

#include <string>

#include <gtest/gtest.h>

namespace heed {
namespace {

struct Row {
  const char* word;
  const char* stem;
};

// The examples of Porter 1980, section 2, in the order of its steps, with the final stems. Comments
// name a result and the later step that changes it.
const Row paper_examples[]{
    // 1a
    {"caresses", "caress"},
    {"ponies", "poni"},
    {"caress", "caress"},
    {"cats", "cat"},
    // 1b
    {"feed", "feed"},
    {"agreed", "agre"} /* agree, 5a */,
    {"plastered", "plaster"},
    {"bled", "bled"},
    {"motoring", "motor"},
    {"sing", "sing"},
    {"conflated", "conflat"} /* conflate, 4 */,
    {"troubled", "troubl"} /* trouble, 5a */,
    {"sized", "size"},
    {"hopping", "hop"},
    {"tanned", "tan"},
    {"falling", "fall"},
    {"hissing", "hiss"},
    {"fizzed", "fizz"},
    {"failing", "fail"},
    {"filing", "file"},
    // 1c
    {"happy", "happi"},
    {"sky", "sky"},
    // 2, then 4 or 5a
    {"relational", "relat"},
    {"conditional", "condit"},
    {"rational", "ration"},
    {"valenci", "valenc"},
    {"hesitanci", "hesit"},
    {"digitizer", "digit"},
    {"conformabli", "conform"},
    {"radicalli", "radic"},
    {"differentli", "differ"},
    {"vileli", "vile"},
    {"analogousli", "analog"},
    {"vietnamization", "vietnam"},
    {"predication", "predic"},
    {"operator", "oper"},
    {"feudalism", "feudal"},
    {"decisiveness", "decis"},
    {"hopefulness", "hope"} /* hopeful, 3 */,
    {"callousness", "callous"},
    {"formaliti", "formal"},
    {"sensitiviti", "sensit"},
    {"sensibiliti", "sensibl"} /* sensible, 5a */,
    // 3
    {"triplicate", "triplic"},
    {"formative", "form"},
    {"formalize", "formal"},
    {"electriciti", "electr"} /* electric, 4 */,
    {"electrical", "electr"},
    {"hopeful", "hope"},
    {"goodness", "good"},
    // 4
    {"revival", "reviv"},
    {"allowance", "allow"},
    {"inference", "infer"},
    {"airliner", "airlin"},
    {"gyroscopic", "gyroscop"},
    {"adjustable", "adjust"},
    {"defensible", "defens"},
    {"irritant", "irrit"},
    {"replacement", "replac"},
    {"adjustment", "adjust"},
    {"dependent", "depend"},
    {"adoption", "adopt"},
    {"homologou", "homolog"},
    {"communism", "commun"},
    {"activate", "activ"},
    {"angulariti", "angular"},
    {"homologous", "homolog"},
    {"effective", "effect"},
    {"bowdlerize", "bowdler"},
    // 5a, 5b
    {"probate", "probat"},
    {"rate", "rate"},
    {"cease", "ceas"},
    {"controll", "control"},
    {"roll", "roll"},
    // section 3: generalizations, oscillators
    {"generalizations", "gener"},
    {"oscillators", "oscil"},
};

TEST(Porter, ExamplesOfThePaper) {
  for (const Row& row : paper_examples)
    EXPECT_EQ(porter_stem(row.word), row.stem) << row.word;
}

// The changes of NLTK_EXTENSIONS, from the documentation of nltk.stem.porter.
const Row nltk_examples[]{
    // irregular words
    {"skies", "sky"},
    {"dying", "die"},
    {"lying", "lie"},
    {"tying", "tie"},
    {"news", "news"},
    {"innings", "inning"},
    {"inning", "inning"},
    {"outings", "outing"},
    {"cannings", "canning"},
    {"howe", "howe"},
    {"proceed", "proceed"},
    {"exceed", "exceed"},
    {"succeed", "succeed"},
    {"proceeds", "proce"} /* not in the list; eed -> ee, 5a */,
    // -ies and -ied: the e stays in words of four letters
    {"dies", "die"},
    {"ties", "tie"},
    {"flies", "fli"},
    {"died", "die"},
    {"spied", "spi"},
    {"tried", "tri"},
    // y -> i after a consonant, unless that consonant is the whole stem
    {"spy", "spi"},
    {"fly", "fli"},
    {"enjoy", "enjoy"},
    {"enjoyment", "enjoy"},
    {"by", "by"},
    {"syzygy", "syzygi"},
    {"say", "say"},
    // -alli first, then the rest of step 2
    {"rationally", "ration"} /* rational, then tional */,
    {"formally", "formal"},
    {"ally", "alli"} /* m = 0 */,
    // -fulli, -logi with the l
    {"hopefully", "hope"},
    {"geology", "geolog"},
    {"theology", "theolog"},
    {"archaeology", "archaeolog"},
    // *o holds for a vowel and a consonant alone
    {"owed", "owe"},
    {"used", "use"},
    {"aging", "age"},
    // short words and characters that are no letters
    {"", ""},
    {"s", "s"},
    {"is", "is"},
    {"ing", "ing"},
    {"1990s", "1990"},
    {"2nds", "2nd"},
    {"2020", "2020"},
    {"yyyy", "yyyi"},
    {"ied", "i"},
};

TEST(Porter, DeparturesOfNltk) {
  for (const Row& row : nltk_examples)
    EXPECT_EQ(porter_stem(row.word), row.stem) << row.word;
  const std::string ys(1'000'000, 'y');
  EXPECT_EQ(porter_stem(ys).size(), ys.size()) << "neither deep recursion nor quadratic time";
}

}  // namespace
}  // namespace heed
