#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/vocabulary.h"
#include "framework/random.h"
#include "framework/sequences.h"

namespace heed {

// The ids of a subword vocabulary: the marks, the 256 bytes (for characters that no piece covers),
// the pieces.
inline constexpr Id first_byte_id = first_free_id;
inline constexpr Id first_piece_id = first_byte_id + 256;

struct ScoredPiece {
  std::string text;  // UTF-8
  double score;
};

/// Cuts a word into the pieces of a vocabulary; piece i has id first_piece_id + i. A character that
/// is no piece becomes its bytes.
class Segmentation {
 public:
  virtual ~Segmentation() = default;
  /// Appends the ids of the one segmentation.
  virtual void best(std::string_view word, std::vector<Id>& ids) const = 0;
  /// Appends the ids of a segmentation drawn at random; `strength` is said with each kind.
  virtual void sample(std::string_view word, double strength, Random& random,
                      std::vector<Id>& ids) const = 0;
};

/// A unigram language model (Kudo 2018, "Subword regularization", sections 3.1 and 3.2): score =
/// log p(piece), p(x) = product of the p of its pieces. best: the x of the highest p, by Viterbi.
/// sample: x with probability p(x)^strength / sum over all segmentations; strength in (0, 1],
/// smaller varies more.
std::unique_ptr<Segmentation> unigram_segmentation(const std::vector<ScoredPiece>& pieces);

/// Byte pair encoding (Sennrich et al. 2016): neighbours whose union is a piece merge, the highest
/// score first, at equal scores the leftmost. sample: BPE-dropout (Provilkov et al. 2020, algorithm
/// 1): at every step each possible merge, a place in the word, is left out with probability
/// `strength`, and the word is done when none is left.
std::unique_ptr<Segmentation> merge_segmentation(const std::vector<ScoredPiece>& pieces);

}  // namespace heed
