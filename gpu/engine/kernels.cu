// The entry point of the CUDA form. NVRTC compiles it for a device (gpu/nvrtc.py); a host compiler does, with what
// gpu/engine/stand_in.h has in place of a grid, for tests without one.
//
// The kernel works on the very tiles of gpu/engine/mesh.cpp, which lie in memory that host and device share (heap.h).
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
#include "windows_work.h"

// What the host compiler laid out must be what this compiler does: sizes come from radio_layout (abi.cpp).
static_assert(sizeof(teiden::Tile) == TEIDEN_TILE_BYTES, "a tile has the host's layout");
static_assert(sizeof(teiden::Windows) == TEIDEN_WINDOWS_BYTES, "windows have the host's layout");
static_assert(sizeof(teiden::World) == TEIDEN_WORLD_BYTES, "the world has the host's layout");
static_assert(sizeof(teiden::Cells) == TEIDEN_CELLS_BYTES, "the cells have the host's layout");
static_assert(sizeof(teiden::Plane) == TEIDEN_PLANE_BYTES, "the plane has the host's layout");
static_assert(sizeof(teiden::Earshot) == TEIDEN_EARSHOT_BYTES, "the earshot has the host's layout");
static_assert(sizeof(teiden::Network) == TEIDEN_NETWORK_BYTES, "a node's network has the host's layout");
static_assert(sizeof(teiden::Node) == TEIDEN_NODE_BYTES, "a node has the host's layout");
static_assert(sizeof(teiden::Frame) == TEIDEN_FRAME_BYTES, "a frame has the host's layout");

extern "C" {

// Run windows until the host is needed (windows.h). A warp's first lane takes tiles in turn, the others idle: tiles go
// different ways, so the lanes of a warp would wait for each other.
TEIDEN_KERNEL void radio_run_windows(teiden::Heap* heap, teiden::Windows* windows) {
  teiden::kernel_heap = heap;
  const int32_t lanes = warpSize;
  const int32_t in_block = static_cast<int32_t>(blockDim.x) / lanes, place = static_cast<int32_t>(threadIdx.x);
  const int32_t worker = static_cast<int32_t>(blockIdx.x) * in_block + place / lanes;
  const int32_t workers = static_cast<int32_t>(gridDim.x) * in_block;
  do {
    if (place % lanes == 0) windows->work(worker, workers);
    __syncthreads();
    if (place == 0) windows->meeting.meet(static_cast<int32_t>(gridDim.x), [windows] { windows->decide(); });
    __syncthreads();
  } while (teiden::load_relaxed(&windows->pause) == teiden::kGoesOn);
}

}  // extern "C"
