// The frames that nodes have taken over: a hash set of (frame, node, life) a tile.
//
// Entries of frames that have ended matter no more (no copy of them is on air) and go when the table is full.
#pragma once
#include "portable.h"

#include "arena.h"
#include "fixed.h"

namespace teiden {

constexpr int64_t kMaxTileNodes = (1 << 24) - 1;

class TakenSet {
 public:
  // Frames are told apart by their low 32 bits: no more than 2^32 are ever kept at a time.
  static uint64_t key(int64_t frame, int64_t local_node, uint8_t life) {
    return static_cast<uint64_t>(frame) << 32 | static_cast<uint64_t>(local_node) << 8 | life;
  }

  bool has(uint64_t key) const {
    if (slots_.empty()) return false;
    for (uint64_t at = home(key);; at = (at + 1) & mask()) {
      if (slots_[at] == key) return true;
      if (slots_[at] == kEmpty) return false;
    }
  }

  void fetch(uint64_t key) const {
    if (!slots_.empty()) prefetch(&slots_[home(key)]);
  }

  // Add a key that is not in the set; ended(low 32 bits of a frame) says which entries may go,
  // fetch_frame(the same) brings near what it is going to read.
  template <class Ended, class Fetch>
  TEIDEN_CALL void add(uint64_t key, Ended ended, Fetch fetch_frame) {
    if ((used_ + 1) * 4 > slots_.size() * 3) rebuild(ended, fetch_frame);
    place(key);
    ++used_;
  }

  template <class Archive>
  void archive(Archive& a) {
    a(slots_), a(used_);
  }
  int64_t bytes() const { return slots_.bytes(); }

 private:
  static constexpr uint64_t kEmpty = ~0ULL;  // its node would be kMaxTileNodes

  static constexpr int64_t kAhead = 16;  // entries fetched before their turn

  static uint32_t frame_of(uint64_t key) { return static_cast<uint32_t>(key >> 32); }
  // All entries of a frame lie together: who takes it over next finds them in the cache.
  uint64_t home(uint64_t key) const { return splitmix64(frame_of(key)) & mask(); }
  uint64_t mask() const { return static_cast<uint64_t>(slots_.size()) - 1; }

  void place(uint64_t key) {
    uint64_t at = home(key);
    while (slots_[at] != kEmpty) at = (at + 1) & mask();
    slots_[at] = key;
  }

  template <class Ended, class Fetch>
  void rebuild(Ended ended, Fetch fetch_frame) {
    Array<uint64_t> old;
    old.swap(slots_);
    int64_t live = 0;
    for (int64_t i = 0; i < old.size(); ++i) {
      if (i + kAhead < old.size()) fetch_frame(frame_of(old[i + kAhead]));
      if (old[i] != kEmpty && !ended(frame_of(old[i]))) old[live++] = old[i];
    }
    int64_t size = 16;
    while (size < live * 2 + 2) size *= 2;
    slots_.fill(size, kEmpty);
    used_ = live;
    for (int64_t i = 0; i < live; ++i) {
      if (i + kAhead < live) fetch(old[i + kAhead]);
      place(old[i]);
    }
  }

  Array<uint64_t> slots_;
  int64_t used_ = 0;
};

}  // namespace teiden
