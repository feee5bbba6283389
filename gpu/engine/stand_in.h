// A grid of threads for a host compiler: the kernels of kernels.cu as loops, their blocks in an order of the caller's.
// For tests on machines without a device; as on one, arrays come from the heap only, lists are put in order by our own
// sort, and tiles stop when the heap runs low. What it cannot show is what happens when blocks really run at once.
#pragma once
#include "portable.h"

#define TEIDEN_KERNEL inline

struct Index {
  uint32_t x;
};
static thread_local Index blockIdx, threadIdx;
static thread_local Index blockDim{1};
