#include "datasets/corpora/internal/reviews.h"

#include <utility>

#include <fmt/format.h>

#include "framework/error.h"

namespace heed::toy {

namespace {

using Words = std::span<const std::string_view>;

// clang-format off
constexpr std::string_view good[] = {
    "good", "great", "wonderful", "brilliant", "clever", "charming", "lovely", "superb",
    "excellent", "delightful", "funny", "moving", "fresh", "exciting", "splendid", "fine",
    "beautiful", "gripping", "witty", "perfect"};
constexpr std::string_view bad[] = {
    "bad", "awful", "terrible", "boring", "dull", "weak", "clumsy", "silly", "poor", "stale",
    "tedious", "dreadful", "horrible", "ugly", "flat", "empty", "lame", "tiresome", "annoying",
    "hollow"};
constexpr std::string_view subjects[] = {
    "plot", "story", "acting", "music", "ending", "dialogue", "humour", "pace", "cast", "script",
    "opening", "dancing", "singing", "sound", "mood", "setting", "lighting", "title", "message",
    "style"};
constexpr std::string_view stresses[] = {"very", "really", "truly", "quite"};
constexpr std::string_view negations[] = {
    "not", "not at all", "hardly", "far from", "anything but", "by no means"};
constexpr std::string_view says[] = {
    "it is true that", "everybody would say that", "i would say that"};
constexpr std::string_view denies_saying[] = {
    "it is not true that", "nobody would say that", "i would not say that"};
constexpr std::string_view calls[] = {
    "everybody would call", "i would call", "most people would call"};
constexpr std::string_view denies_calling[] = {
    "nobody would call", "i would not call", "few people would call"};
constexpr std::string_view reports[] = {
    "the critics wrote that", "the papers wrote that", "my friends say that",
    "my brother thinks that", "other people say that"};
constexpr std::string_view expectations[] = {"i expected", "we expected", "everybody expected"};
constexpr std::string_view asides[] = {
    "which my sister told me about", "which i did not know before",
    "which nobody had explained to us", "which the papers never mention",
    "which we talked about at home", "which is all in english", "which took two years of work",
    "which people now copy"};
// {who}, {saw}, {where} and {when} are drawn. The others hold negations that concern no opinion.
constexpr std::string_view openings[] = {
    "{who} {saw} it {where} {when} .", "{who} {saw} this film {where} .",
    "{who} {saw} this film {when} .", "{who} {saw} it with my sister {when} .",
    "i had not seen it before .", "nobody had told us about it .", "it is not a long film .",
    "i do not often go out ."};
constexpr std::string_view who[] = {"i", "we"};
constexpr std::string_view saw[] = {"saw", "watched"};
constexpr std::string_view where[] = {"at home", "in the cinema", "on a train", "at school"};
constexpr std::string_view when[] = {"last week", "yesterday", "on monday", "on sunday", "in june"};
constexpr std::string_view closings[] = {
    "it lasts two hours .", "we left at ten .", "i did not stay for the credits .",
    "the cinema was full .", "nobody spoke on the way home .", "it is on again next week .",
    "my sister has the book .", "we did not buy anything to eat ."};
// clang-format on

// Nothing of no words.
std::string one_of(Random& random, Words words) {
  if (words.empty()) return "";
  return std::string(words[random.below(words.size())]);
}

template <class Choice, std::size_t n>
Choice choose(Random& random, const std::array<double, n>& share) {
  double rest = random.uniform();
  std::size_t i = 0;
  while (i + 1 < n && rest >= share[i])
    rest -= share[i++];
  return static_cast<Choice>(i);
}

bool is_called(const Review::Clause& clause) {
  return clause.around == Review::Around::calls || clause.around == Review::Around::denies_calling;
}

bool is_expectation(Review::Frame frame) {
  return frame == Review::Frame::expectation_first || frame == Review::Frame::expectation_last;
}
bool is_report(Review::Frame frame) {
  return frame == Review::Frame::report_first || frame == Review::Frame::report_last ||
         frame == Review::Frame::report_apart;
}

Review::Frame draw_frame(Random& random) {
  if (random.below(3) == 0) return Review::Frame::alone;
  return static_cast<Review::Frame>(1 + random.below(Review::contrasts));
}

Review::Clause draw_clause(Random& random, bool expected, const std::string& other_subject) {
  Review::Clause clause;
  if (!expected) clause.around = choose<Review::Around>(random, Review::around_share);
  clause.around_words = one_of(random, Review::phrases(clause.around));
  do {
    clause.subject = "the " + one_of(random, subjects);
  } while (clause.subject == other_subject);
  clause.before = choose<Review::Before>(random, Review::before_share);
  clause.before_words = one_of(random, Review::phrases(clause.before));
  clause.good = random.below(2) == 0;
  clause.adjective = one_of(random, clause.good ? Words(good) : Words(bad));
  return clause;
}

std::string draw_opening(Random& random) {
  const std::string form = one_of(random, openings);
  return fmt::format(fmt::runtime(form), fmt::arg("who", one_of(random, who)),
                     fmt::arg("saw", one_of(random, saw)), fmt::arg("where", one_of(random, where)),
                     fmt::arg("when", one_of(random, when)));
}

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) {
    if (part.empty()) continue;
    if (!text.empty()) text += ' ';
    text += part;
  }
  return text;
}

// "nobody would say that the plot , which is all in english , was not at all dull"
std::string text_of(const Review::Clause& clause, std::string_view verb = "was") {
  const std::string aside = clause.aside.empty() ? "" : ", " + clause.aside + " ,";
  return joined({clause.around_words, clause.subject, aside, is_called(clause) ? "" : verb,
                 clause.before_words, clause.adjective});
}

std::string body_of(const Review& review) {
  using enum Review::Frame;
  const std::string a = text_of(review.counts);
  const std::string b = text_of(review.other, is_expectation(review.frame) ? "to be" : "was");
  const std::string said = joined({review.attitude, b});
  switch (review.frame) {
    case alone:
      return a;
    case but:
      return joined({b, ", but", a});
    case although_first:
      return joined({"although", b, ",", a});
    case although_last:
      return joined({a, ", although", b});
    case even_first:
      return joined({"even if", b, ",", a});
    case even_last:
      return joined({a, ", even if", b});
    case report_first:
    case expectation_first:
      return joined({said, ", but", a});
    case report_last:
    case expectation_last:
      return joined({a, ", but", said});
    case report_apart:
      return joined({a, ".", said});
  }
  fail("[reviews] expected a frame; got {}", static_cast<int>(review.frame));
}

}  // namespace

Words Review::phrases(Around kind) {
  constexpr std::array<Words, 5> all = {{{}, says, denies_saying, calls, denies_calling}};
  return all[static_cast<std::size_t>(kind)];
}
Words Review::phrases(Before kind) {
  constexpr std::array<Words, 3> all = {{{}, stresses, negations}};
  return all[static_cast<std::size_t>(kind)];
}

Review::Review(Random& random) : frame(draw_frame(random)) {
  const bool one_clause = frame == Frame::alone;
  counts = draw_clause(random, false, "");
  if (!one_clause) other = draw_clause(random, is_expectation(frame), counts.subject);
  if (is_report(frame)) attitude = one_of(random, reports);
  if (is_expectation(frame)) attitude = one_of(random, expectations);
  // One of these at most, so that no review has more than 40 words.
  const std::uint64_t more = random.below(4);
  if (more == 0) opening = draw_opening(random);
  if (more == 1) closing = one_of(random, closings);
  if (more == 2) {
    Clause& clause = one_clause || random.below(2) == 0 ? counts : other;
    if (!is_called(clause)) clause.aside = one_of(random, asides);
  }
}

std::string Review::source() const { return joined({opening, body_of(*this), ".", closing}); }

}  // namespace heed::toy
