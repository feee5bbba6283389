// Threads that share the tiles of a mesh. They meet at barriers, where they spin for a moment and then yield: a window is
// some microseconds of work, too short to sleep. Between runs they sleep.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "portable.h"

namespace teiden {

// How to wait for another thread: spin for some microseconds, then let others have the core.
class Patience {
 public:
  void wait() {
    if (++spins_ >= kSpins) std::this_thread::yield();
    else rest_a_moment();
  }

 private:
  static constexpr int kSpins = 500;
  int spins_ = 0;
};

class Crew {
 public:
  explicit Crew(int size) : size_(size), clocks_(static_cast<size_t>(size)) {
    for (int i = 1; i < size; ++i) others_.emplace_back([this, i] { live(i); });
  }
  ~Crew() {
    {
      const std::lock_guard<std::mutex> lock(door_);
      job_ = nullptr;
      ++shift_;
    }
    bell_.notify_all();
    for (std::thread& other : others_) other.join();
  }
  int size() const { return size_; }
  // Return where a member's share of so many things begins; the next member's begins where it ends.
  template <class Count>
  Count share(Count count, int member) const {
    return count * static_cast<Count>(member) / static_cast<Count>(size_);
  }

  // Say that a member has done everything before a tick. Who says so again does not take the line from those who read it.
  void reach(int member, int64_t tick) {
    std::atomic<int64_t>& clock = clocks_[member].tick;
    if (clock.load(std::memory_order_relaxed) != tick) clock.store(tick, std::memory_order_release);
  }

  // Return how far a member is.
  int64_t clock(int member) const { return clocks_[member].tick.load(std::memory_order_acquire); }

  // Call job(member) for every member at once, the caller being member 0; return when all are done.
  void run(const std::function<void(int)>& job) {
    {
      const std::lock_guard<std::mutex> lock(door_);
      job_ = &job;
      ++shift_;
    }
    bell_.notify_all();
    job(0);
    meet();
  }

  // Wait until every member is here.
  void meet() {
    const uint32_t round = round_.load(std::memory_order_acquire);
    if (here_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
      here_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (Patience patience; round_.load(std::memory_order_acquire) == round;) patience.wait();
  }

 private:
  struct alignas(64) Clock {  // a cache line each
    std::atomic<int64_t> tick{0};
  };

  void live(int member) {
    for (uint64_t seen = 0;;) {
      const std::function<void(int)>* job;
      {
        std::unique_lock<std::mutex> lock(door_);
        bell_.wait(lock, [&] { return shift_ != seen; });
        seen = shift_;
        job = job_;
      }
      if (job == nullptr) return;
      (*job)(member);
      meet();
    }
  }

  const int size_;
  std::vector<Clock> clocks_;
  std::vector<std::thread> others_;
  std::mutex door_;
  std::condition_variable bell_;
  uint64_t shift_ = 0;
  const std::function<void(int)>* job_ = nullptr;
  std::atomic<int> here_{0};
  std::atomic<uint32_t> round_{0};
};

}  // namespace teiden
