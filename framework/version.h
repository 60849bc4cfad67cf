#pragma once

namespace heed {
const char* version();  // "0.1.0"
}
