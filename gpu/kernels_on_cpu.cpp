// The kernel of the CUDA form, compiled by a host compiler (gpu/kernels.py): blocks that take turns, phase by phase, in any
// order, or blocks that are threads and run the entry point itself, meetings and locks included.
#define TEIDEN_DEVICE
#include "engine/stand_in.h"

#include <atomic>
#include <thread>
#include <vector>

#include "engine/kernels.cu"

namespace {

using teiden::Heap;
using teiden::Windows;

// A block a tile, in an order that follows a seed.
void run_in_turns(Heap* heap, Windows* windows, uint64_t turns) {
  teiden::kernel_heap = heap;
  const uint64_t count = static_cast<uint64_t>(windows->count);
  const uint64_t step = 2147483647;  // odd, prime and larger than any count of tiles: visits each once
  do {
    for (uint64_t i = 0; i < count; ++i)
      windows->work(static_cast<int32_t>((i * step + turns) % count), static_cast<int32_t>(count));
    windows->decide();
  } while (windows->pause == teiden::kGoesOn);
}

void run_at_once(Heap* heap, Windows* windows, int32_t blocks) {
  std::atomic<bool> failed{false};
  std::vector<std::thread> grid;
  for (int32_t i = 0; i < blocks; ++i)
    grid.emplace_back([&, i] {
      blockIdx.x = static_cast<uint32_t>(i);
      gridDim.x = static_cast<uint32_t>(blocks);
      try {
        radio_run_windows(heap, windows);
      } catch (const std::bad_alloc&) {  // and so do the others, who wait for this one
        failed = true;
      }
    });
  for (std::thread& block : grid) block.join();
  if (failed) throw std::bad_alloc();
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) int32_t run_windows(Heap* heap, Windows* windows, int32_t, uint64_t turns,
                                                           int32_t threads, int32_t) {
  try {
    if (threads > 1) run_at_once(heap, windows, threads);
    else run_in_turns(heap, windows, turns);
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}

}  // extern "C"
