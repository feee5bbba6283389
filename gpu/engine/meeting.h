// Where the blocks of a grid wait for each other within a launch, and the locks they keep meanwhile. All blocks must be on
// the device at once (a cooperative launch), or those that wait would keep the others from coming.
#pragma once
#include "heap.h"

namespace teiden {

struct Meeting {
  int32_t here = 0, round = 0;

#if defined(TEIDEN_DEVICE)
  // Wait until so many are here. The last one decides what is next, before anybody goes on.
  template <class Decide>
  void meet(int32_t count, Decide decide) {
    const int32_t this_round = load_relaxed(&round);
    if (add_in_order(&here, 1) + 1 == count) {
      store_relaxed(&here, 0);
      decide();
      store_release(&round, this_round + 1);
      return;
    }
    while (load_relaxed(&round) == this_round) wait_for_others();
    load_acquire(&round);
  }
#endif
};

#if defined(TEIDEN_DEVICE)

// Has a lock as long as it lives. One at a time, but for the heap's own.
class Hold {
 public:
  explicit Hold(int32_t* lock) : lock_(lock) {
    while (!claim(lock_)) wait_for_others();
  }
  ~Hold() { store_release(lock_, 0); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  int32_t* lock_;
};

#endif

}  // namespace teiden
