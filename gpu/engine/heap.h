// Where the arrays of a mesh lie. On the CPU that is the C++ library's own memory. A mesh that kernels work on lies in a
// heap: regions that host and device know by the same addresses (managed memory), from which both take.
//
// Blocks are powers of two with a list of free ones for each. Only the host adds regions. So that no kernel is ever left
// without room, a tile stops between two events when what is left falls below a reserve (Heap::is_low); the host then
// adds a region, and the tile goes on where it was. If one event should need more than the reserve, the heap is marked
// as exhausted and the run ends with an error, never with a wrong result.
#pragma once
#include "portable.h"

#if !defined(__CUDACC_RTC__)
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>
#endif

namespace teiden {

constexpr size_t kBlockAlignment = 16;

struct Heap {
  static constexpr int kClasses = 44;  // of 32 B to 2^48
  static constexpr int64_t kTitle = 16;

  char* next = nullptr;  // the first unused byte of the region that is open
  char* end = nullptr;
  int64_t reserve = 0;   // bytes
  int64_t held = 0;      // bytes of all regions
  int32_t busy = 0;      // somebody takes or gives
  int32_t exhausted = 0;
  int64_t largest = 0;   // bytes of the largest block that a kernel took
  char* free_blocks[kClasses] = {};

  bool is_low() const { return load_relaxed(&end) - load_relaxed(&next) < reserve; }

  void add_region(void* region, int64_t bytes) {
    next = static_cast<char*>(region);
    end = next + bytes;
    held += bytes;
  }

  // Return the class of a block that holds so many bytes.
  static int class_of(int64_t bytes) {
    const uint64_t whole = static_cast<uint64_t>(bytes + kTitle);
    return whole <= 32 ? 0 : 59 - leading_zeros(whole - 1);
  }
  static int64_t size_of(int kind) { return int64_t{32} << kind; }

  // Return a block, nullptr if there is no room.
  void* take(int64_t bytes) {
    const int kind = class_of(bytes);
    lock();
    char* block = free_blocks[kind];
    if (block != nullptr) {
      free_blocks[kind] = *reinterpret_cast<char**>(block + kTitle);
    } else if (end - next >= size_of(kind)) {
      block = next;
      store_relaxed(&next, next + size_of(kind));
      *reinterpret_cast<int64_t*>(block) = kind;
    } else {
      store_relaxed(&exhausted, 1);
    }
    unlock();
    return block == nullptr ? nullptr : block + kTitle;
  }

  void give(void* at) {
    char* block = static_cast<char*>(at) - kTitle;
    const int64_t kind = *reinterpret_cast<int64_t*>(block);
    lock();
    *reinterpret_cast<char**>(at) = free_blocks[kind];
    free_blocks[kind] = block;
    unlock();
  }

 private:
  void lock() {
    while (!claim(&busy)) {
#if defined(TEIDEN_DEVICE)  // the host has the heap to itself
      let_others_run();
#endif
    }
  }
  void unlock() { store_release(&busy, 0); }
};

#if defined(TEIDEN_DEVICE)

// The heap of the mesh that the kernel works on; each entry point sets it.
#if defined(__CUDACC_RTC__)
__device__ Heap* kernel_heap;
#else
static thread_local Heap* kernel_heap;
#endif

// What a thread does while it waits for another. On a device a thread that fails ends all of them.
TEIDEN_FN void wait_for_others() {
#if !defined(__CUDACC_RTC__)
  if (load_relaxed(&kernel_heap->exhausted)) throw std::bad_alloc();
#endif
  let_others_run();
}

TEIDEN_CALL TEIDEN_FN void* grow_block(void* old, int64_t old_bytes, int64_t bytes) {
  if (bytes > load_relaxed(&kernel_heap->largest)) store_relaxed(&kernel_heap->largest, bytes);  // about: a guide
  void* grown = kernel_heap->take(bytes);
  if (grown == nullptr) {  // one event needed more than the reserve
#if defined(__CUDACC_RTC__)
    __trap();
#else
    throw std::bad_alloc();
#endif
  }
  for (int64_t i = 0; i < old_bytes / 8; ++i) static_cast<uint64_t*>(grown)[i] = static_cast<uint64_t*>(old)[i];
  for (int64_t i = old_bytes / 8 * 8; i < old_bytes; ++i) static_cast<char*>(grown)[i] = static_cast<char*>(old)[i];
  if (old != nullptr) kernel_heap->give(old);
  return grown;
}
TEIDEN_CALL TEIDEN_FN void free_block(void* block) {
  if (block != nullptr) kernel_heap->give(block);
}

#else

// The heap that this thread's arrays come from; nullptr: the C++ library.
class HostHeap : public Heap {
 public:
  using More = void* (*)(int64_t bytes);  // a new region, nullptr if there is none

  explicit HostHeap(More more, int64_t region_bytes) : more_(more), region_(region_bytes) { reserve = region_bytes / 4; }

  // Have room for an event of each tile: they may run at once.
  void serve(int64_t tiles) { reserve = reserve < tiles * kEvent ? tiles * kEvent : reserve; }

  static HostHeap*& current() {
    static thread_local HostHeap* heap = nullptr;
    return heap;
  }

  // Make room for a block and the reserve beside it.
  void make_room(int64_t bytes) {
    if (reserve < 4 * largest) reserve = 4 * largest;
    const int64_t wanted = size_of(class_of(bytes)) + reserve;
    if (end - next >= wanted) return;
    const int64_t size = wanted + reserve > region_ ? wanted + reserve : region_;
    void* region = more_(size);
    if (region == nullptr) throw std::bad_alloc();
    add_region(region, size);
    region_ += region_ / 2;  // few regions, however large the mesh
  }

 private:
  static constexpr int64_t kEvent = 128 << 10;  // what one takes at most as a rule: blocks for signals, a longer array

  More more_;
  int64_t region_;
};

// Within its life, this thread's arrays come from a heap.
class UseHeap {
 public:
  explicit UseHeap(HostHeap* heap) : before_(HostHeap::current()) { HostHeap::current() = heap; }
  ~UseHeap() { HostHeap::current() = before_; }
  UseHeap(const UseHeap&) = delete;
  UseHeap& operator=(const UseHeap&) = delete;

 private:
  HostHeap* before_;
};

// With a million nodes every event looks at places far apart: with pages of 4 KiB each of them costs a walk through page
// tables, too, that are in no cache. A request, no more: where the system has no larger pages, nothing changes.
inline void ask_for_huge_pages(void* block, int64_t bytes) {
  constexpr int64_t kLarge = 4 << 20, kPage = 4096;
  if (bytes < kLarge) return;
  const int64_t first = (reinterpret_cast<int64_t>(block) + kPage - 1) / kPage * kPage;
  const int64_t last = (reinterpret_cast<int64_t>(block) + bytes) / kPage * kPage;
  madvise(reinterpret_cast<void*>(first), static_cast<size_t>(last - first), MADV_HUGEPAGE);
}

inline void free_block(void* block) {
  if (block == nullptr) return;
  if (HostHeap* heap = HostHeap::current()) heap->give(block);
  else std::free(block);
}

inline void* grow_block(void* old, int64_t old_bytes, int64_t bytes) {
  HostHeap* heap = HostHeap::current();
  if (heap == nullptr) {
    void* grown = std::realloc(old, static_cast<size_t>(bytes));
    if (grown == nullptr) throw std::bad_alloc();
    ask_for_huge_pages(grown, bytes);
    return grown;
  }
  heap->make_room(bytes);
  void* grown = heap->take(bytes);
  if (grown == nullptr) throw std::bad_alloc();
  if (old_bytes) std::memcpy(grown, old, static_cast<size_t>(old_bytes));
  free_block(old);
  return grown;
}

#endif

}  // namespace teiden
