// The shorter forms of the includes.
#include <heed.h>

#include "framework/ops.h"

int main() { return heed::relu(heed::Tensor::full({1}, -1)).item() == 0 ? 0 : 1; }
