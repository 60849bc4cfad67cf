#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "framework/registry.h"
#include "layers/linear.h"

namespace heed {

/// Turns the rows of each sequence into one row. A sequence without rows gives zeros, and padding
/// has no part in the result.
class Pooling {
 public:
  virtual ~Pooling() = default;
  virtual void visit(Visitor& visitor) = 0;
  /// `weights`, where given, gets the weights of each sequence's rows, (1, 1, length). It becomes
  /// empty where the kind has none.
  /// Shapes: x (spans.rows(), d) -> (spans.count(), d).
  virtual Variable operator()(const Operand& x, const Spans& spans,
                              std::vector<Tensor>* weights = nullptr) const = 0;
};

/// Attention with one learned query, for a sequence of rows x_i:
///   e_i = v^T tanh(W x_i + b)
///   a = softmax(e)
///   y = sum_i a_i x_i
/// Source: Bahdanau et al. 2015, appendix A.1.2, for the score; Yang et al. 2016, section 2.2.
struct AttentionPooling : Pooling {
  Linear key;        // W (hidden, d), b (hidden)
  Parameter energy;  // v (hidden)

  AttentionPooling(Index d, Index hidden, Random& random);
  void visit(Visitor& v) override {
    v("key", key);
    v("energy", energy);
  }
  Variable operator()(const Operand& x, const Spans& spans,
                      std::vector<Tensor>* weights = nullptr) const override;
};

/// The options of all poolings; each reads those that it needs.
struct PoolingOptions {
  Index d = 256;     // width of the rows
  Index hidden = 0;  // attention: width inside the score; 0: as wide as the rows
};

/// A row of the table of poolings.
struct PoolingKind {
  std::string name;
  std::string help;
  std::string paper;         // empty where there is none
  bool has_weights = false;  // it gives each row a weight
  bool is_last = false;      // where the rows have a final state, that stands for them
  std::unique_ptr<Pooling> (*make)(const PoolingOptions&, Random&) = nullptr;
};

/// mean, max, first, last and attention.
Registry<PoolingKind>& poolings();

/// Throws Error when
/// - there is no pooling of this name: the message lists all names;
/// - a width is below 1, or `hidden` below 0.
std::unique_ptr<Pooling> make_pooling(std::string_view name, const PoolingOptions& options,
                                      Random& random);

}  // namespace heed
