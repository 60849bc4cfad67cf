#include "datasets/corpora/corpora.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include <fmt/ranges.h>

#include "datasets/corpora/internal/dates.h"
#include "datasets/corpora/internal/grammar.h"
#include "datasets/corpora/internal/reviews.h"
#include "datasets/corpora/internal/shapes.h"
#include "datasets/corpora/internal/stories.h"
#include "datasets/corpora/internal/summarization.h"
#include "framework/error.h"
#include "framework/nearest.h"
#include "framework/random.h"

namespace heed::toy {
namespace {

std::uint64_t hash(std::string_view text) {
  std::uint64_t h = text.size();
  for (const char c : text)
    h = mix(h, static_cast<unsigned char>(c));
  return h;
}

Split split_of(std::string_view source) {
  const std::uint64_t part = hash(source) % 16;
  if (part == 0) return Split::valid;
  if (part == 1) return Split::test;
  return Split::train;
}

// Letters, each of which is a word.
struct Letters {
  explicit Letters(Random& random) : text(7 + 2 * random.below(13), ' ') {
    for (std::size_t i = 0; i < text.size(); i += 2)
      text[i] = static_cast<char>('a' + random.below(26));
  }
  std::string source() const { return text; }
  std::string text;
};
struct Copy : Letters {
  using Letters::Letters;
  std::string target() const { return text; }
};
struct Reverse : Letters {
  using Letters::Letters;
  std::string target() const { return {text.rbegin(), text.rend()}; }
};
struct Sort : Letters {
  using Letters::Letters;
  std::string target() const {
    std::array<int, 26> counts{};
    for (std::size_t i = 0; i < text.size(); i += 2)
      ++counts[static_cast<std::size_t>(text[i] - 'a')];
    std::string sorted(text.size(), ' ');
    std::size_t at = 0;
    for (std::size_t letter = 0; letter < 26; ++letter)
      for (int n = 0; n < counts[letter]; ++n) {
        sorted[at] = static_cast<char>('a' + letter);
        at += 2;
      }
    return sorted;
  }
};

struct Translation {
  explicit Translation(Random& random) : sentence(draw_sentence(random)) {}
  std::string source() const { return english(sentence); }
  std::string target() const { return french(sentence); }
  Sentence sentence;
};

// Draws an example. Those that hold words reserved for some splits need to know the split.
template <class Example>
Example draw(Random& random, Split split) {
  if constexpr (std::is_constructible_v<Example, Random&, Split>)
    return Example(random, split);
  else
    return Example(random);
}

bool fits(const Translation&, std::string_view source) {
  const auto words = 1 + std::count(source.begin(), source.end(), ' ');
  return words >= 3 && words <= 30;
}
template <class Example>
bool fits(const Example&, std::string_view) {
  return true;
}

template <class Example>
class Corpus final : public PairSource {
 public:
  Corpus(std::string name, Split split, std::uint64_t seed)
      : name_(std::move(name)), split_(split), seed_(mix(seed, hash(name_))) {}
  Index size() const override { return -1; }
  std::string name() const override { return "toy:" + name_; }
  Pair at(Index i) const override {
    Random random(seed_, static_cast<std::uint64_t>(i));
    for (;;) {
      const Example example = draw<Example>(random, split_);
      std::string source = example.source();
      if (split_of(source) == split_ && fits(example, source))
        return {std::move(source), example.target()};
    }
  }

 private:
  std::string name_;
  Split split_;
  std::uint64_t seed_;
};

template <class Example>
CorpusKind endless(const char* name, const char* help) {
  return {
      .name = name,
      .help = help,
      .open =
          [name](Split split, std::uint64_t seed) {
            return std::make_unique<Corpus<Example>>(name, split, seed);
          },
  };
}

CorpusKind with_unseen_words(CorpusKind kind) {
  kind.unseen_words = true;
  return kind;
}
CorpusKind labelled(CorpusKind kind) {
  kind.labelled = true;
  return kind;
}
CorpusKind pictures(CorpusKind kind) {
  kind.pictures = true;
  return kind;
}

Registry<CorpusKind> all_corpora() {
  return {"corpus",
          {endless<Translation>("translation", "English sentences of 3 to 30 words in French"),
           with_unseen_words(endless<Report>(
               "summarization", "news reports of 60 to 150 words and their headlines")),
           endless<Date>("dates", "dates in common styles and in ISO 8601, each digit a word"),
           endless<Reverse>("reverse", "4 to 16 letters in reverse order"),
           endless<Copy>("copy", "4 to 16 letters and the same again"),
           endless<Sort>("sort", "4 to 16 letters in the order of the alphabet"),
           labelled(endless<Review>("reviews", "reviews of films, each negative or positive")),
           labelled(endless<StoryOf<1>>("babi1", "stories, and where a person of them is")),
           labelled(endless<StoryOf<2>>("babi2", "stories, and where a thing of them is")),
           pictures(labelled(endless<Shape>("shapes", "pictures of one of five shapes each")))}};
}

}  // namespace

std::vector<std::string> names() { return corpora().names(); }

std::unique_ptr<PairSource> open(const std::string& name, Split split, std::uint64_t seed) {
  if (const CorpusKind* corpus = corpora().find(name)) return corpus->open(split, seed);
  fail("unknown corpus 'toy:{}': expected toy:{}{}", name, fmt::join(names(), ", toy:"),
       did_you_mean(name, names()));
}

}  // namespace heed::toy

namespace heed {

Registry<CorpusKind>& corpora() {
  static Registry<CorpusKind> corpora = toy::all_corpora();
  return corpora;
}

}  // namespace heed
