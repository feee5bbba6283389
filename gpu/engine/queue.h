// The event queue: a calendar. A heap holds the events of the page that is open, later pages are unsorted, and what
// is beyond the last page waits in one list. So a heap is as small as a page, however many events are planned.
// Events come out by (tick, node, type), ties in the order the caller says, whatever page they were on.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "state.h"

namespace teiden {

class EventQueue {
 public:
  // ties(event): what orders events of the same tick, node and type; from their content, never from the order of calls.
  template <class Ties>
  void push(const Event& event, Ties ties) {
    const int64_t page = event.tick >> kPageBits;
    ++count_;
    if (page <= open_) {
      heap_.push_back(event);
      std::push_heap(heap_.begin(), heap_.end(), later(ties));
    } else if (page < beyond_) {
      pages_[page % kPages].push_back(event);
    } else {
      far_.push_back(event);
    }
  }

  // Take out the next event if it is before a tick.
  template <class Ties>
  bool pop_before(int64_t tick, Event* event, Ties ties) {
    while (heap_.empty() && count_ > 0 && (open_ + 1) << kPageBits < tick) turn_page(ties);
    if (heap_.empty() || heap_.front().tick >= tick) return false;
    std::pop_heap(heap_.begin(), heap_.end(), later(ties));
    *event = heap_.back();
    heap_.pop_back();
    --count_;
    return true;
  }

  // Return the tick of the next event, kNever if there is none.
  template <class Ties>
  int64_t next_tick(Ties ties) {
    while (heap_.empty() && count_ > 0) turn_page(ties);
    return heap_.empty() ? kNever : heap_.front().tick;
  }

  template <class Visit>
  void each(Visit visit) const {
    for (const Event& e : heap_) visit(e);
    for (const std::vector<Event>& page : pages_)
      for (const Event& e : page) visit(e);
    for (const Event& e : far_) visit(e);
  }

  void clear() { *this = EventQueue(); }

 private:
  static constexpr int kPageBits = 13;        // 8 ms: some thousand events of a million nodes in a storm
  static constexpr int64_t kPages = 1 << 12;  // 34 s

  template <class Ties>
  static auto later(Ties ties) {
    return [ties](const Event& a, const Event& b) {
      if (a.tick != b.tick) return a.tick > b.tick;
      if (a.node != b.node) return a.node > b.node;
      if (a.type != b.type) return a.type > b.type;
      const uint64_t first = ties(a), second = ties(b);
      return first != second ? first > second : a.arg > b.arg;  // frames alike: as they were given
    };
  }

  template <class Ties>
  void turn_page(Ties ties) {
    if (count_ == static_cast<int64_t>(far_.size())) {  // nothing for a long time: on to the page of the next event
      const auto next = std::min_element(far_.begin(), far_.end(),
                                         [](const Event& a, const Event& b) { return a.tick < b.tick; });
      open_ = (next->tick >> kPageBits) - 1;
      beyond_ = open_ + 1;
    }
    ++open_;
    if (open_ == beyond_) {
      beyond_ += kPages;
      const auto still_far = std::partition(far_.begin(), far_.end(),
                                            [&](const Event& e) { return e.tick >> kPageBits >= beyond_; });
      for (auto e = still_far; e != far_.end(); ++e) pages_[(e->tick >> kPageBits) % kPages].push_back(*e);
      far_.erase(still_far, far_.end());
    }
    heap_.swap(pages_[open_ % kPages]);
    std::make_heap(heap_.begin(), heap_.end(), later(ties));
  }

  std::vector<Event> heap_;                                                     // of pages up to open_
  std::vector<std::vector<Event>> pages_ = std::vector<std::vector<Event>>(kPages);  // from open_ + 1 to beyond_ - 1
  std::vector<Event> far_;
  int64_t open_ = 0, beyond_ = kPages, count_ = 0;
};

}  // namespace teiden
