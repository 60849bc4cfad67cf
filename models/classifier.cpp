#include "models/classifier.h"

namespace heed {

LabelHead::LabelHead(const std::string& pooling, Index width, Index classes, Real p, Random& random)
    : kind(poolings().at(pooling)),
      pool(make_pooling(pooling, {.d = width}, random)),
      dropout(p),
      output(width, classes, random) {
  check_argument(classes >= 2, "label", "classes", classes, "of at least 2");
  output.weight.layout().table = true;
}

Variable LabelHead::operator()(const Encoded& encoded, std::vector<AttentionMap>* attention) const {
  if (attention) attention->clear();
  if (kind.is_last && !encoded.states.empty()) return output(dropout(encoded.states.back().h));
  std::vector<Tensor> weights;
  const Variable pooled = (*pool)(encoded.values, encoded.spans, attention ? &weights : nullptr);
  if (!weights.empty()) attention->push_back({"pool", std::move(weights)});
  return output(dropout(pooled));
}

Classifier::Classifier(const ClassifierOptions& o, std::unique_ptr<FrontEnd> front_end,
                       std::unique_ptr<Encoder> encoder, Random& random)
    : front_end_(std::move(front_end)),
      encoder_(std::move(encoder)),
      head_(o.pool, encoder_->width(), o.classes, o.dropout, random) {}

void Classifier::visit(Visitor& v) {
  front_end_->visit(v);
  encoder_->visit(v);
  v("head", head_);
}

Variable Classifier::logits(const Input& input, std::vector<AttentionMap>* attention) const {
  const Embedded embedded = (*front_end_)(input);
  return head_((*encoder_)(embedded.rows, embedded.spans), attention);
}

Variable Classifier::loss(const Input& input, const Ids& gold, const CrossEntropy& options) const {
  const Index items = input.numbers.count() > 0 ? input.numbers.count() : input.texts.spans.count();
  check(gold.size() == items, "loss", "expected a class for each of {} items; got {}", items,
        gold.size());
  return cross_entropy(logits(input), gold, options);
}

}  // namespace heed
