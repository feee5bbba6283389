// The kernels of the CUDA form, compiled by a host compiler (gpu/cuda.py): launchers that take the blocks in turn.
#define TEIDEN_DEVICE
#include "engine/stand_in.h"

#include "engine/kernels.cu"

namespace {

// Call a kernel once a thread; the order of the blocks follows a seed.
template <class Kernel>
void launch(int32_t count, uint64_t turns, Kernel kernel) {
  for (int32_t i = 0; i < count; ++i) {
    // an odd step that is prime and larger than any count of tiles visits each once
    const uint64_t step = 2147483647;
    blockIdx.x = static_cast<uint32_t>((static_cast<uint64_t>(i) * step + turns) % static_cast<uint64_t>(count));
    kernel();
  }
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) int32_t run_tiles(void* heap, void* tiles, int32_t count, int64_t start,
                                                         int64_t end, int64_t* next, int32_t* stopped,
                                                         uint64_t turns) {
  try {
    launch(count, turns, [&] {
      radio_run_tiles(static_cast<teiden::Heap*>(heap), static_cast<teiden::Tile*>(tiles), count, start, end, next,
                      stopped);
    });
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}

}  // extern "C"
