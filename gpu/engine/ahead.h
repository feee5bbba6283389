// Threads that run ahead of each other: conservative parallel simulation with look-ahead (Chandy and Misra, 1979; null
// messages are the clocks).
//
// In quiet times a turnaround holds a handful of events, too few to meet for. So in a window of many turnarounds each
// member of the crew runs its own tiles in order of time and tells by its clock that everything before is done. Two rules
// keep it exact:
//
// - What another member's node sends arrives a turnaround and the shortest frame later at the earliest. Nobody goes
//   further ahead of the slowest than that: all that is to come earlier is in the member's own wheels by then.
// - A transmission decided a turnaround ago is on air. Every member tells the others which events are to come at those of
//   its nodes that other members' cells have within reach, as far ahead as the first rule lets others go. Before an event
//   at a node a member waits for those of them, earlier by more than a turnaround, that this node could hear.
//
// An event starts new ones at its own node, where it was told of itself, or receptions, which are far enough ahead. The
// slowest member never waits, so somebody always goes on.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "arena.h"
#include "cells.h"
#include "crew.h"
#include "tiles.h"

namespace teiden {

// A queue from one member to another. It never runs full and is begun afresh between windows.
template <class T>
class Pipe {
 public:
  Pipe() : first_(new Chunk), tail_(first_), head_(first_) {}
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    while (first_ != nullptr) {
      Chunk* gone = first_;
      first_ = gone->next;
      delete gone;
    }
  }

  void push(const T& item) {
    const uint64_t at = written_.load(std::memory_order_relaxed);
    if (at > 0 && at % kItems == 0) {
      if (tail_->next == nullptr) tail_->next = new Chunk;
      tail_ = tail_->next;
    }
    tail_->items[at % kItems] = item;
    written_.store(at + 1, std::memory_order_release);
  }

  // Take out all that has been pushed.
  template <class Take>
  void drain(Take take) {
    for (const uint64_t end = written_.load(std::memory_order_acquire); read_ < end; ++read_) {
      if (read_ > 0 && read_ % kItems == 0) head_ = head_->next;
      take(head_->items[read_ % kItems]);
    }
  }

  // Begin afresh; nobody else is at either end.
  void rewind() {
    tail_ = head_ = first_;
    read_ = 0;
    written_.store(0, std::memory_order_relaxed);
  }

 private:
  static constexpr uint64_t kItems = 126;
  struct Chunk {
    T items[kItems];
    Chunk* next = nullptr;
  };
  Chunk* first_;
  alignas(64) std::atomic<uint64_t> written_{0};
  Chunk* tail_;
  alignas(64) uint64_t read_ = 0;
  Chunk* head_;
};

class RunAhead {
 public:
  RunAhead(Crew* crew, Tiles* tiles, const World* world, const Cells* cells, const std::vector<int32_t>* tile_first,
           int32_t nodes);

  // Before a window, by one member: all events in [start, end); no transmission lasts shorter.
  void begin(int64_t start, int64_t end, int64_t shortest);
  // Take part in the window.
  void run(int member);
  // After it, by one member: hand over what is received later.
  void finish();

 private:
  // An event to come at another member's node.
  struct Notice {
    int64_t tick;
    int32_t owner;  // member
    int32_t id, x_mm, y_mm, extra_lu;
  };
  struct alignas(64) Moment {  // a cache line, since what two members write may lie side by side
    int64_t tick = 0;
  };
  struct Upcoming {
    int64_t tick;
    int32_t node;
  };
  // What a member knows of the others, and they of it.
  struct alignas(64) Outlook {
    std::vector<Moment> clocks;   // as last seen
    int64_t slowest = 0;          // of the other clocks
    int64_t limit = 0;            // before this tick everything that others send to its nodes is in its wheels
    std::vector<Notice> notices;  // of all others' events to come
    std::vector<Upcoming> upcoming;  // scratch
    Watch watch;                  // for events that others have to know of
    std::vector<size_t> border_tiles;  // those of its tiles that have nodes at the border
    std::vector<int64_t> next;    // when the next event of each of its tiles is
  };

  int size() const { return crew_->size(); }
  size_t first_tile_of(int member) const { return crew_->share(tiles_->size(), member); }
  int member_of(size_t tile) const;
  size_t tile_number(int32_t node) const;
  Pipe<Notice>& notices(int from, int to) { return *notice_pipes_[from * size() + to]; }
  Pipe<Reception>& posts(int from, int to) { return *post_pipes_[from * size() + to]; }
  void mark_borders(int32_t nodes);
  size_t earliest(int member, int64_t* tick) const;
  void post(int member, const Reception& what);
  void plan(int member, int64_t tick);
  void tell_page(int member, int64_t start);
  bool look_round(int member);
  bool awaits(const Outlook& mine, const Event& event, int64_t before) const;
  void await(int member, const Event& event);
  void pass_on(int member, Tile& tile);
  void tell(int member, int owner, int64_t tick, int32_t node);

  Crew* crew_;
  Tiles* tiles_;
  const World* world_;
  const Cells* cells_;
  const std::vector<int32_t>* tile_first_;
  int64_t start_ = 0, end_ = 0;
  int64_t turnaround_ = 0;
  int64_t reach_ = 0;          // an event brings about none elsewhere earlier than this later
  NodeSet at_border_;          // by place: cells of another member are in reach
  std::vector<Outlook> outlooks_;
  std::vector<std::unique_ptr<Pipe<Notice>>> notice_pipes_;  // from a member to another
  std::vector<std::unique_ptr<Pipe<Reception>>> post_pipes_;
};

}  // namespace teiden
