#include "layers/dropout.h"

namespace heed {

thread_local bool NoDropout::active_ = false;

}  // namespace heed
