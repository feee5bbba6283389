// What is, was or is about to be on air: one record a transmission, sorted by start.
//
// Every transmission is decided exactly one turnaround before it starts, so records arrive in order of
// start and nobody ever needs to look at one that is not there yet.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "plane.h"

namespace teiden {

struct Transmission {
  int64_t start, end;  // ticks; on air in [start, end)
  Place from;          // of the sender, kept here to be at hand
  int64_t frame;       // the frame it carries or acknowledges
  int32_t src, dst;    // this hop's
  int32_t hops;        // hops done when it arrives (data)
  int16_t channel;
  uint8_t is_ack;
  uint8_t cut;  // the sender died before the end: cannot be decoded
};

// A place to a quarter of a metre: all that most looks at the list need, so it is kept apart from the records.
struct Spot {
  int32_t x, y;
};

inline Spot spot_of(const Place& place) {
  return {static_cast<int32_t>(place.x_mm >> 8), static_cast<int32_t>(place.y_mm >> 8)};
}

class Air {
 public:
  // Append a record and return its number, which stays valid for life.
  int64_t add(const Transmission& record) {
    if (record.end - record.start > longest_) longest_ = record.end - record.start;
    records_.push_back(record);
    spots_.push_back(spot_of(record.from));
    return base_ + static_cast<int64_t>(records_.size()) - 1;
  }

  bool holds(int64_t number) const { return number >= base_ && number < end_number(); }
  Transmission& at(int64_t number) { return records_[number - base_]; }
  const Transmission& at(int64_t number) const { return records_[number - base_]; }
  int64_t first_number() const { return base_; }
  int64_t end_number() const { return base_ + static_cast<int64_t>(records_.size()); }
  int64_t longest() const { return longest_; }  // of all transmissions so far: no record reaches further

  // Return the number of the last record that starts before a tick; first_number() - 1 if none.
  int64_t last_before(int64_t tick) const {
    int64_t low = base_, high = end_number();
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (at(middle).start < tick) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  // Return the last record from number i down to first that may lie within a square of +-reach; first - 1 if none.
  int64_t last_near(int64_t i, int64_t first, Spot here, int32_t reach) const {
    int64_t at = i - base_;
    const int64_t end = first - base_;
    while (at >= end && (std::abs(spots_[at].x - here.x) > reach || std::abs(spots_[at].y - here.y) > reach)) --at;
    return at + base_;
  }

  // Return the number of the first record that may be on air after a tick.
  int64_t first_after(int64_t tick) const { return last_before(tick - longest_ + 1) + 1; }

  // Drop the records that start before a tick, in bulk: only once they are half of the list. Return whether any went.
  bool forget_before(int64_t tick) {
    const int64_t gone = last_before(tick) + 1 - base_;
    if (gone * 2 < static_cast<int64_t>(records_.size()) || gone < 256) return false;
    records_.erase(records_.begin(), records_.begin() + gone);
    spots_.erase(spots_.begin(), spots_.begin() + gone);
    base_ += gone;
    return true;
  }

  template <class Archive>
  void archive(Archive& a) {
    a(base_);
    a(longest_);
    a(records_);
    a(spots_);
  }

 private:
  std::vector<Transmission> records_;
  std::vector<Spot> spots_;  // of the records
  int64_t base_ = 0;
  int64_t longest_ = 0;
};

}  // namespace teiden
