// The entry points of the CUDA form. NVRTC compiles them for a device (gpu/nvrtc.py); a host compiler does, with the
// loops of gpu/engine/stand_in.h in place of a grid, for tests without one.
//
// A kernel works on the very tiles of gpu/engine/mesh.cpp, which lie in memory that host and device share (heap.h). In a
// window tiles need nothing of each other, so each thread runs one; the barrier that follows is the end of the kernel.
#include "aggregation.h"
#include "cells.h"
#include "config.h"
#include "events.h"
#include "frames.h"
#include "hearing.cpp"
#include "hearing_cells.cpp"
#include "life.h"
#include "mac.h"
#include "network.h"

// What the host compiler laid out must be what this compiler does: sizes come from radio_layout (abi.cpp).
static_assert(sizeof(teiden::Tile) == TEIDEN_TILE_BYTES, "a tile has the host's layout");
static_assert(sizeof(teiden::World) == TEIDEN_WORLD_BYTES, "the world has the host's layout");
static_assert(sizeof(teiden::Cells) == TEIDEN_CELLS_BYTES, "the cells have the host's layout");
static_assert(sizeof(teiden::Plane) == TEIDEN_PLANE_BYTES, "the plane has the host's layout");
static_assert(sizeof(teiden::Earshot) == TEIDEN_EARSHOT_BYTES, "the earshot has the host's layout");
static_assert(sizeof(teiden::Network) == TEIDEN_NETWORK_BYTES, "a node's network has the host's layout");
static_assert(sizeof(teiden::Node) == TEIDEN_NODE_BYTES, "a node has the host's layout");
static_assert(sizeof(teiden::Frame) == TEIDEN_FRAME_BYTES, "a frame has the host's layout");

extern "C" {

// Run each tile through a window [start, end). next[k]: the next event of tile k;
// *stopped: how many tiles wait for room in the heap, with the window not yet done.
TEIDEN_KERNEL void radio_run_tiles(teiden::Heap* heap, teiden::Tile* tiles, int32_t count, int64_t start, int64_t end,
                                   int64_t* next, int32_t* stopped) {
  const int32_t k = static_cast<int32_t>(blockIdx.x * blockDim.x + threadIdx.x);
  if (k >= count) return;
  teiden::kernel_heap = heap;
  teiden::Tile& tile = tiles[k];
  if (next[k] < end) {
    tile.begin_window(start);
    if (!tile.run_until(end)) teiden::add_atomic(stopped, 1);
  }
  next[k] = tile.next_tick();
}

}  // extern "C"
