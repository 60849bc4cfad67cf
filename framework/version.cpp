#include "framework/version.h"

const char* heed::version() { return HEED_VERSION; }
