#include "models/classifier.h"

#include <cmath>

#include "models/internal/checks.h"

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

Classifier::Classifier(const ClassifierOptions& o, std::unique_ptr<Encoder> encoder, Random& random)
    : embedding_(o.vocabulary, encoder->width_in(), random),
      encoder_(std::move(encoder)),
      head_(o.pool, encoder_->width(), o.classes, o.dropout, random) {
  check_argument(o.vocabulary >= 1, "classifier", "vocabulary", o.vocabulary, "of at least 1");
}

void Classifier::visit(Visitor& v) {
  v("embedding", embedding_);
  encoder_->visit(v);
  v("head", head_);
}

Variable Classifier::logits(const Sequences& texts, std::vector<AttentionMap>* attention) const {
  detail::check_sequences("logits", texts);
  const Real d = static_cast<Real>(encoder_->width_in());
  const Variable rows = embedding_(texts.ids, std::sqrt(d) * encoder_->input_deviation());
  return head_((*encoder_)(rows, texts.spans), attention);
}

Variable Classifier::loss(const Sequences& texts, const Ids& gold,
                          const CrossEntropy& options) const {
  check(gold.size() == texts.spans.count(), "loss", "expected a class for each of {} texts; got {}",
        texts.spans.count(), gold.size());
  return cross_entropy(logits(texts), gold, options);
}

}  // namespace heed
