#include "experiments/internal/perplexities.h"

#include "datasets/metrics/perplexity.h"

namespace heed {

void add_perplexities(std::vector<EvaluationFigure>& figures, const TotalLoss& loss,
                      Index characters) {
  const Perplexity p{.nats = loss.sum, .tokens = loss.tokens, .characters = characters};
  figures.push_back({"loss", loss.per_token()});
  figures.push_back({"perplexity", p.per_token()});
  figures.push_back({"perplexity_per_character", p.per_character()});
}

}  // namespace heed
