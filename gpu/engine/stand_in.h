// A grid for a host compiler, for tests on machines without a device: blocks of one thread. As on a device, arrays come from
// the heap only, lists are put in order by our own sort, and tiles stop when the heap runs low.
#pragma once
#include "portable.h"

#define TEIDEN_KERNEL inline

struct Index {
  uint32_t x;
};
static thread_local Index blockIdx, threadIdx;
static thread_local Index blockDim{1}, gridDim{1};
constexpr int32_t warpSize = 1;
inline void __syncthreads() {}
