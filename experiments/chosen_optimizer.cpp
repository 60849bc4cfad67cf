#include "experiments/chosen_optimizer.h"

#include "experiments/initial_weights.h"
#include "optim/rates.h"

namespace heed {

std::unique_ptr<Optimizer> make_optimizer(const Settings& s, Model& model) {
  checked_patterns("optim.hidden", s.value_or("optim.hidden", std::vector<std::string>{}), model);
  std::vector<RateFactor> factors;
  for (const std::string& text : s.optim.rates) {
    factors.push_back(parse_rate_factor(text));
    checked_patterns("optim.rates", {factors.back().pattern}, model);
  }
  std::unique_ptr<Optimizer> optimizer = naming_settings(
      s, "optim", [&] { return optimizers().at(s.optim.name).make(model, s.optim.options); });
  if (!factors.empty()) optimizer->set_rate_factors(rate_factors(model, factors));
  return optimizer;
}

}  // namespace heed
