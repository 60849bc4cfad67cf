#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/text/special_ids.h"
#include "datasets/text/vocabulary.h"
#include "framework/random.h"
#include "framework/sequences.h"

namespace heed {

// The order of ids in a subword vocabulary: the marks, the 256 bytes (for characters that are no
// piece), the pieces.
inline constexpr Id first_byte_id = first_free_id;
inline constexpr Id first_piece_id = first_byte_id + 256;

struct ScoredPiece {
  std::string text;  // UTF-8
  double score;
};

/// Splits a word into the pieces of a vocabulary. Piece i has the id first_piece_id + i. A
/// character that is no piece becomes its bytes.
class Segmentation {
 public:
  virtual ~Segmentation() = default;
  /// Appends the ids of the best segmentation.
  virtual void best(std::string_view word, std::vector<Id>& ids) const = 0;
  /// Appends the ids of a segmentation drawn at random. The functions below define `strength`.
  virtual void sample(std::string_view word, double strength, Random& random,
                      std::vector<Id>& ids) const = 0;
};

/// A unigram language model (Kudo 2018, "Subword regularization", sections 3.1 and 3.2). The score
/// of a piece is log p(piece); the probability p(x) of a segmentation x is the product of the p of
/// its pieces.
/// - best(): the x with the highest p(x), by the Viterbi algorithm.
/// - sample(): x with probability p(x)^strength / sum of p(x')^strength over all segmentations x'.
///   `strength` is in (0, 1]; a smaller value varies more.
std::unique_ptr<Segmentation> unigram_segmentation(const std::vector<ScoredPiece>& pieces);

/// Byte pair encoding (Sennrich et al. 2016).
/// - best(): merges two neighbours whose union is a piece, the highest score first, at equal scores
///   the leftmost, until no merge is possible.
/// - sample(): BPE-dropout (Provilkov et al. 2020, algorithm 1). At every step each possible merge
///   (a place in the word) is left out with probability `strength`. The word is done when no merge
///   is left.
std::unique_ptr<Segmentation> merge_segmentation(const std::vector<ScoredPiece>& pieces);

}  // namespace heed
