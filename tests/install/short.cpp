// The shorter forms of the includes.
#include "framework/ops.h"
#include <heed.h>

int main() { return heed::relu(heed::Tensor::full({1}, -1)).item() == 0 ? 0 : 1; }
