#pragma once

#include "layers/attention/attention_layer.h"
#include "layers/linear.h"

namespace heed {

/// Attention with one head whose values are the memory itself:
///   y_i = sum_j a_ij m_j, a_i = softmax_j score(q_i, m_j)
/// q (rows, query), m (memory rows, memory), y (rows, memory). The classes below differ in the
/// score.
class ScoredAttention : public AttentionLayer {
 public:
  explicit ScoredAttention(Index memory) : memory_width_(memory) {}
  Index width() const override { return memory_width_; }
  bool points() const override { return true; }
  Variable attend(const Variable& queries, const Spans& query_spans, const Memory& memory,
                  const Spans& keys, const AttendOptions& options = {}) const override;

 protected:
  /// (pairing.size()). `covered`: AttendOptions::covered.
  virtual Variable scores(const Variable& queries, const Variable& keys, const Pairing& pairing,
                          const Variable& covered) const = 0;

 private:
  Index memory_width_;
};

/// score = v^T tanh(W q + U m + b) (Bahdanau et al. 2015, appendix A.1.2). With coverage:
/// score = v^T tanh(W q + U m + w c_ij + b), where c_ij is the sum of the weights of j for the
/// queries before i (See et al. 2017, equation 11).
struct AdditiveAttention : ScoredAttention {
  Linear query;        // W (hidden, query)
  Linear key;          // U (hidden, memory), b (hidden)
  Parameter energy;    // v (hidden)
  Parameter coverage;  // w (hidden); undefined without coverage

  AdditiveAttention(Index query, Index memory, Index hidden, Random& random,
                    bool with_coverage = false);
  void visit(Visitor& v) override {
    v("query", query);
    v("key", key);
    v("energy", energy);
    v("coverage", coverage);
  }
  Memory remember(const Variable& memory, const Spans& spans) const override;

 protected:
  Variable scores(const Variable& queries, const Variable& keys, const Pairing& pairing,
                  const Variable& covered) const override;
};

/// score = v^T tanh(W [q; m]) (Luong et al. 2015, section 3.1), with W [q; m] in two products.
struct ConcatAttention : ScoredAttention {
  Linear query;      // the columns of W for q, (hidden, query)
  Linear key;        // the columns of W for m, (hidden, memory)
  Parameter energy;  // v (hidden)

  ConcatAttention(Index query, Index memory, Index hidden, Random& random);
  void visit(Visitor& v) override {
    v("query", query);
    v("key", key);
    v("energy", energy);
  }
  Memory remember(const Variable& memory, const Spans& spans) const override;

 protected:
  Variable scores(const Variable& queries, const Variable& keys, const Pairing& pairing,
                  const Variable& covered) const override;
};

/// score = q^T m (Luong et al. 2015, section 3.1). The constructor throws Error unless queries are
/// as wide as the memory.
struct DotAttention : ScoredAttention {
  DotAttention(Index query, Index memory);
  void visit(Visitor&) override {}
  Memory remember(const Variable& memory, const Spans& spans) const override;

 protected:
  Variable scores(const Variable& queries, const Variable& keys, const Pairing& pairing,
                  const Variable& covered) const override;
};

/// score = q^T W m (Luong et al. 2015, section 3.1)
struct GeneralAttention : ScoredAttention {
  Linear key;  // W (query, memory)

  GeneralAttention(Index query, Index memory, Random& random)
      : ScoredAttention(memory), key(memory, query, random, false) {}
  void visit(Visitor& v) override { v("key", key); }
  Memory remember(const Variable& memory, const Spans& spans) const override;

 protected:
  Variable scores(const Variable& queries, const Variable& keys, const Pairing& pairing,
                  const Variable& covered) const override;
};

}  // namespace heed
