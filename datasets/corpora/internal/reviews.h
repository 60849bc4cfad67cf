#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "framework/random.h"

namespace heed::toy {

/// A review of a film in 5 to 40 words, and whether it is positive. A comma or a full stop is a
/// word of its own, so that no word tells where it stood.
///
/// One clause or two say something of the film, and one of them decides. The rule:
///
/// 1. A clause has the value of its adjective ("good" or "bad"), turned around once for each
///    negation in the clause: before the adjective ("not", "not at all", "hardly", "far from",
///    "anything but", "by no means"), or around the clause ("nobody would say that ...", "it is not
///    true that ...", "few people would call the plot ..."). "Very" and the like change nothing.
/// 2. What others say ("the critics wrote that ...") and what was expected ("i expected the plot to
///    be ...") do not count, wherever they stand.
/// 3. A concession ("although ...", "even if ...") does not count, wherever it stands.
/// 4. Of "..., but ...", where both count by 2 and 3, the second one decides.
/// 5. Sentences without such an adjective, and "which ..." between commas, say nothing of the film,
///    even if they hold "not" or "nobody".
///
/// Exactly one clause remains, and its value is the label. Both labels are equally frequent.
///
/// Why words alone cannot tell: two clauses are drawn alike. So to exchange them gives a review of
/// the same words that is equally probable, and decided by the other clause. Words tell the label
/// only where both clauses have the same value whichever adjective a negation belongs to, or where
/// there is one clause. The best that any function of the words without their order can do is
/// 74.42 % (computed from the shares below by tests/datasets/reviews_test.cpp).
struct Review {
  explicit Review(Random& random);
  std::string source() const;  // "although the plot was not at all dull , the music was poor ."
  std::string target() const { return counts.positive() ? "positive" : "negative"; }

  // Where the clause that decides stands: "A" is that one, "B" the other one.
  enum class Frame {
    alone,              // A .
    but,                // B , but A .
    although_first,     // although B , A .
    although_last,      // A , although B .
    even_first,         // even if B , A .
    even_last,          // A , even if B .
    report_first,       // the critics wrote that B , but A .
    report_last,        // A , but the critics wrote that B .
    report_apart,       // A . the critics wrote that B .
    expectation_first,  // i expected B , but A .    B: the plot to be dull
    expectation_last,   // A , but i expected B .
  };
  static constexpr int frames = 11;
  static constexpr std::uint64_t contrasts = frames - 1;  // frames of two clauses
  // A third of all reviews are `alone`. The other frames are equally frequent.
  static constexpr double share(Frame of) {
    return of == Frame::alone ? 1.0 / 3 : 2.0 / 3 / static_cast<double>(contrasts);
  }

  // What stands around a clause, and before its adjective.
  enum class Around { nothing, says, denies_saying, calls, denies_calling };
  enum class Before { nothing, stress, negation };
  // Their frequencies. What was expected has nothing around it.
  static constexpr std::array<double, 5> around_share = {0.6, 0.1, 0.1, 0.1, 0.1};
  static constexpr std::array<double, 3> before_share = {0.5, 0.25, 0.25};
  // The phrases of each kind, equally frequent; none for `nothing`.
  static std::span<const std::string_view> phrases(Around kind);
  static std::span<const std::string_view> phrases(Before kind);

  struct Clause {
    Around around = Around::nothing;
    Before before = Before::nothing;
    bool good = false;  // the adjective
    std::string around_words;
    std::string subject;
    std::string aside;  // behind the subject, or empty
    std::string before_words;
    std::string adjective;

    bool positive() const {
      const bool outer = around == Around::denies_saying || around == Around::denies_calling;
      return good != ((before == Before::negation) != outer);
    }
  };

  Frame frame;
  Clause counts;
  Clause other;          // not drawn for a clause that stands alone
  std::string attitude;  // "the critics wrote that", "i expected"
  std::string opening;
  std::string closing;
};

}  // namespace heed::toy
