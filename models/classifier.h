#pragma once

#include <memory>
#include <string>
#include <vector>

#include "layers/pooling.h"
#include "models/encoders.h"
#include "models/front_ends.h"
#include "models/model.h"

namespace heed {

/// A head that says of which class a sequence is, whatever was read:
///   p(class | rows) = softmax(W pooled + b)
/// `pooled` is one row made of the encoder's: by a row of poolings(), or for "last", where the
/// encoder has states, the final state of its top layer (both directions side by side).
struct LabelHead {
  PoolingKind kind;
  std::unique_ptr<Pooling> pool;
  Dropout dropout;  // on the pooled row
  Linear output;    // W (classes, width), b (classes)

  LabelHead(const std::string& pooling, Index width, Index classes, Real p, Random& random);
  void visit(Visitor& v) {
    v("pool", *pool);
    v("dropout", dropout);
    v("output", output);
  }
  /// The logits of each sequence, (sequences, classes). `attention`, where given, gets a map of the
  /// pooling where that has weights.
  Variable operator()(const Encoded& encoded, std::vector<AttentionMap>* attention = nullptr) const;
};

struct ClassifierOptions {
  Index classes = 0;
  std::string pool = "mean";  // a row of poolings()
  Real dropout = 0;
};

/// Texts or pictures to classes: a front end, the encoder of any family, and a LabelHead. A class
/// of id 0 is a class. The constructor throws Error when
/// - there are fewer than two classes;
/// - there is no such pooling.
class Classifier : public Model {
 public:
  Classifier(const ClassifierOptions& options, std::unique_ptr<FrontEnd> front_end,
             std::unique_ptr<Encoder> encoder, Random& random);

  void visit(Visitor& visitor) override;
  VocabularyParameters vocabulary_parameters() const override {
    return {{}, front_end_->vocabulary_parameters()};
  }
  Index longest() const override { return encoder_->longest(); }
  Variable penalty() const override { return encoder_->penalty(); }
  Index classes() const { return head_.output.weight.shape()[0]; }
  /// Whether logits() gives weights: the rows are pooled by attention.
  bool attends() const { return head_.kind.has_weights; }

  /// Cross entropy of `gold`, the class of each item.
  Variable loss(const Input& input, const Ids& gold, const CrossEntropy& options) const;
  /// The logits of each item, (items, classes). `attention`, where given, gets a map of the pooling
  /// where that has weights: of each item (1, 1, rows).
  Variable logits(const Input& input, std::vector<AttentionMap>* attention = nullptr) const;

 private:
  std::unique_ptr<FrontEnd> front_end_;
  std::unique_ptr<Encoder> encoder_;
  LabelHead head_;
};

}  // namespace heed
