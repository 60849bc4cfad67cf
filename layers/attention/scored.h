#pragma once

#include "layers/attention/attention_layer.h"
#include "layers/linear.h"

namespace heed {

/// Attention with one head whose values are the memory itself: y_i = sum_j a_ij m_j, a_i =
/// softmax_j score(q_i, m_j). The scores are what the classes below differ in; y is as wide as the
/// memory.
class ScoredAttention : public AttentionLayer {
 public:
  explicit ScoredAttention(Index memory) : memory_width_(memory) {}
  Index width() const override { return memory_width_; }
  bool points() const override { return true; }
  Variable attend(const Variable& queries, const Spans& query_spans, const Memory& memory,
                  const Spans& keys, const AttendOptions& options = {}) const override;

 protected:
  /// `covered`: undefined, or how much each pair was looked at before.
  virtual Variable scores(const Variable& queries, const Variable& keys, const Pairing& pairing,
                          const Variable& covered) const = 0;

 private:
  Index memory_width_;
};

/// score = v^T tanh(W q + U m + b) (Bahdanau et al. 2015, appendix A.1.2). q (rows, query), m
/// (rows, memory), v (hidden). With coverage w c_ij joins the sum, c_ij what queries before i have
/// put on j (See et al. 2017, equation 11). w (hidden)
struct AdditiveAttention : ScoredAttention {
  Linear query;
  Linear key;
  Parameter energy;
  Parameter coverage;

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

/// score = v^T tanh(W [q; m]) (Luong et al. 2015, section 3.1), W [q; m] in two products.
struct ConcatAttention : ScoredAttention {
  Linear query;
  Linear key;
  Parameter energy;

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

/// score = q^T m (Luong et al. 2015, section 3.1): no parameters, so queries must be as wide as the
/// memory.
struct DotAttention : ScoredAttention {
  DotAttention(Index query, Index memory);
  void visit(Visitor&) override {}
  Memory remember(const Variable& memory, const Spans& spans) const override;

 protected:
  Variable scores(const Variable& queries, const Variable& keys, const Pairing& pairing,
                  const Variable& covered) const override;
};

/// score = q^T W m (Luong et al. 2015, section 3.1). W (query, memory)
struct GeneralAttention : ScoredAttention {
  Linear key;

  GeneralAttention(Index query, Index memory, Random& random)
      : ScoredAttention(memory), key(memory, query, random, false) {}
  void visit(Visitor& v) override { v("key", key); }
  Memory remember(const Variable& memory, const Spans& spans) const override;

 protected:
  Variable scores(const Variable& queries, const Variable& keys, const Pairing& pairing,
                  const Variable& covered) const override;
};

}  // namespace heed
