// What is, was or is about to be on air, in order of start: the one list that the plain form scans.
//
// Every transmission is decided exactly one turnaround before it starts, so signals arrive in order of start (within
// a tick in any order) and nobody ever needs to look at one that is not there yet.
#pragma once
#include "arena.h"
#include "state.h"

namespace teiden {

class Air {
 public:
  void add(const Signal& signal) { signals_.push(signal); }

  int64_t size() const { return signals_.size(); }
  const Signal& operator[](int64_t i) const { return signals_[i]; }

  // Return how many signals start before a tick.
  int64_t starts_before(int64_t tick) const {
    return first_not(signals_.begin(), signals_.end(), [&](const Signal& s) { return s.start < tick; }) - signals_.begin();
  }

  // Move the end of a signal that is known to be here.
  void move_end(int64_t start, int32_t id, int64_t end) {
    int64_t i = starts_before(start);
    while (signals_[i].id != id) ++i;
    signals_[i].end = end;
  }

  // Drop the signals that start before a tick, in bulk: only once they are half of the list.
  void forget_before(int64_t tick) {
    const int64_t gone = starts_before(tick);
    if (gone * 2 < size() || gone < 256) return;
    for (int64_t i = gone; i < size(); ++i) signals_[i - gone] = signals_[i];
    signals_.cut(size() - gone);
  }

  template <class Archive>
  void archive(Archive& a) {
    a(signals_);
  }

 private:
  Array<Signal> signals_;
};

}  // namespace teiden
