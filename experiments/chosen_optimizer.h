#pragma once

#include <memory>

#include "experiments/settings.h"
#include "models/model.h"
#include "optim/optimizer.h"

namespace heed {

/// The optimizer of optim.name, with the rates of optim.rates. Throws Error that names the setting,
/// where a number is out of its range or a pattern matches no parameter of the model.
std::unique_ptr<Optimizer> make_optimizer(const Settings& settings, Model& model);

}  // namespace heed
