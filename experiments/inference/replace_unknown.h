#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/inference/translation.h"

namespace heed {

/// Replaces each <unk> in the texts of the outputs by the piece of the source that it attended to
/// most, </s> excepted (Luong et al. 2015, "Addressing the rare word problem"): the mean over all
/// layers and heads that attend to the source. Names and numbers are so carried over. Ids and
/// scores stay. `results`: of translate() for these lines. Throws Error where the model does not
/// attend to its source.
void replace_unknown(const Decoder& decoder, const Tokenizers& tokenizers,
                     std::span<const std::string> lines,
                     std::vector<std::vector<Translation>>& results);

}  // namespace heed
