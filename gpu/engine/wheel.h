// The event queue of the fast form: one slot a tick for the page that is open, a list a page for later ones, one list for
// what is further ahead. Bitmaps lead from one occupied slot, or page, to the next. Same order as EventQueue (queue.h).
//
// Later pages keep their events in chunks, so that opening one reads memory in runs; only the events of the open page are
// items of their own, and few enough to stay in a cache.
#pragma once
#include "portable.h"

#include "arena.h"
#include "state.h"

namespace teiden {

// A set of small numbers that finds its next member fast.
template <int kSize>
class Bits {
 public:
  void set(int32_t i) {
    words_[i >> 6] |= 1ULL << (i & 63);
    summary_[i >> 12] |= 1ULL << (i >> 6 & 63);
  }
  void reset(int32_t i) {
    if ((words_[i >> 6] &= ~(1ULL << (i & 63))) == 0) summary_[i >> 12] &= ~(1ULL << (i >> 6 & 63));
  }
  // Return the first member from i on, kSize if there is none.
  int32_t next(int32_t i) const {
    if (i >= kSize) return kSize;
    const uint64_t word = words_[i >> 6] >> (i & 63);
    if (word) return i + trailing_zeros(word);
    int32_t w = (i >> 6) + 1;
    if (w >= kSize / 64) return kSize;
    uint64_t summary = summary_[w >> 6] >> (w & 63) << (w & 63);
    for (int32_t s = w >> 6;;) {
      if (summary) {
        w = s * 64 + trailing_zeros(summary);
        return w * 64 + trailing_zeros(words_[w]);
      }
      if (++s >= kSize / 4096) return kSize;
      summary = summary_[s];
    }
  }

 private:
  static_assert(kSize % 4096 == 0, "whole summary words");
  uint64_t words_[kSize / 64] = {};
  uint64_t summary_[kSize / 4096] = {};
};

class Wheel {
  static constexpr int kPageBits = 12;

 public:
  static constexpr int64_t kPageTicks = 1 << kPageBits;  // 4 ms: some ten thousand events of a million nodes

  void start() {
    slots_.fill(kSlots, -1);
    pages_.fill(kPages, -1);
  }

  template <class Ties>
  TEIDEN_CALL void push(const Event& event, Ties ties) {
    next_ = smaller(next_, event.tick);
    if (event.tick >> kPageBits > open_) {
      file(event);
      return;
    }
    const int32_t slot = static_cast<int32_t>(event.tick & (kSlots - 1));
    const int32_t at = new_item(event);
    if (slot == sorted_ && slots_[slot] >= 0) insert(at, ties);
    else hang(slot, at);
  }

  // Take out the next event if it is before a tick.
  template <class Ties>
  TEIDEN_CALL bool pop_before(int64_t tick, Event* event, Ties ties) {
    if (next_ >= tick) return false;
    for (;;) {
      const int32_t slot = used_slots_.next(cursor_);
      if (slot < kSlots) {
        cursor_ = slot;
        next_ = (open_ << kPageBits) + slot;
        if (next_ >= tick) return false;  // and unsorted: before the next window a caller may push many for this tick
        if (slot != sorted_ && pool_[slots_[slot]].next >= 0) sort(slot, ties);
        sorted_ = slot;
        take_first(slot, event);
        return true;
      }
      cursor_ = kSlots;
      if (open_ + 1 > (tick - 1) >> kPageBits) break;
      turn_page((tick - 1) >> kPageBits);
    }
    next_ = first_beyond();
    return false;
  }

  static constexpr int64_t page_start(int64_t tick) { return tick >> kPageBits << kPageBits; }

  // Visit (tick, node) of all in the page that starts at a tick.
  template <class Visit>
  void each_in_page(int64_t start, Visit visit) const {
    const int64_t page = start >> kPageBits;
    if (page < open_) return;
    if (page > open_) {
      each_of(page < beyond_ ? pages_[page % kPages] : far_, [&](const Event& e) {
        if (e.tick >> kPageBits == page) visit(e.tick, e.node);
      });
      return;
    }
    for (int32_t slot = used_slots_.next(0); slot < kSlots; slot = used_slots_.next(slot + 1))
      for (int32_t at = slots_[slot]; at >= 0; at = pool_[at].next) visit((open_ << kPageBits) + slot, pool_[at].node);
  }

  // Visit the events of the next slot of the open page that was not visited so yet, until `visit` returns false. Return
  // whether there is one.
  template <class Visit>
  bool look_ahead(Visit visit) {
    const int32_t slot = used_slots_.next(larger(seen_, cursor_));
    if (slot >= kSlots) return false;
    seen_ = slot + 1;
    const int32_t after = used_slots_.next(seen_);
    if (after < kSlots) prefetch(&pool_[slots_[after]]);
    for (int32_t at = slots_[slot]; at >= 0 && visit(event_at(slot, at));) at = pool_[at].next;
    return true;
  }

  // Return the tick of the next event, kNever if there is none; it may be a void one.
  int64_t next_tick() const { return next_; }

  template <class Visit>
  void each(Visit visit) const {
    for (int32_t slot = 0; slot < slots_.size(); ++slot)
      for (int32_t at = slots_[slot]; at >= 0; at = pool_[at].next) visit(event_at(slot, at));
    for (const int32_t head : pages_) each_of(head, visit);
    each_of(far_, visit);
  }

  void clear() {
    *this = Wheel();
    start();
  }
  int64_t bytes() const { return pool_.bytes() + chunks_.bytes() + slots_.bytes() + pages_.bytes(); }

 private:
  static constexpr int32_t kSlots = 1 << kPageBits;
  static constexpr int32_t kPages = 1 << 13;  // 34 s
  static constexpr int32_t kChunkEvents = 10;  // four cache lines

  struct Item {  // its slot tells the tick
    int64_t arg;
    int32_t node, type, next;
  };
  struct Chunk {
    Event events[kChunkEvents];
    int32_t count, next;
  };

  int32_t new_item(const Event& event) {
    const int32_t at = pool_.take();
    pool_[at] = {event.arg, event.node, event.type, -1};
    return at;
  }

  Event event_at(int32_t slot, int32_t at) const {
    return {(open_ << kPageBits) + slot, pool_[at].arg, pool_[at].node, pool_[at].type};
  }

  // Put an item into its slot of the open page.
  void hang(int32_t slot, int32_t at) {
    used_slots_.set(slot);
    if (slot < cursor_) cursor_ = slot;
    pool_[at].next = slots_[slot];
    slots_[slot] = at;
  }

  // Put an event into the list of its page, or of what is further ahead.
  void file(const Event& event) {
    const int64_t page = event.tick >> kPageBits;
    int32_t* head = &far_;
    if (page < beyond_) {
      used_pages_.set(static_cast<int32_t>(page % kPages));
      head = &pages_[page % kPages];
    }
    if (*head < 0 || chunks_[*head].count == kChunkEvents) {
      const int32_t fresh = chunks_.take();
      chunks_[fresh].count = 0;
      chunks_[fresh].next = *head;
      *head = fresh;
    }
    Chunk& chunk = chunks_[*head];
    chunk.events[chunk.count++] = event;
  }

  template <class Visit>
  void each_of(int32_t chunk, Visit visit) const {
    for (; chunk >= 0; chunk = chunks_[chunk].next)
      for (int32_t i = 0; i < chunks_[chunk].count; ++i) visit(chunks_[chunk].events[i]);
  }

  void take_first(int32_t slot, Event* event) {
    const int32_t at = slots_[slot];
    slots_[slot] = pool_[at].next;
    *event = event_at(slot, at);
    pool_.give(at);
    if (slots_[slot] >= 0) return;
    used_slots_.reset(slot);
    sorted_ = -1;
  }

  // Put an item into the slot that is in order; it is mostly for the node whose turn it is, so near the front.
  template <class Ties>
  void insert(int32_t at, Ties ties) {
    int32_t* link = &slots_[sorted_];
    while (*link >= 0 && is_before(sorted_, *link, at, ties)) link = &pool_[*link].next;
    pool_[at].next = *link;
    *link = at;
  }

  // Put a slot in order: by merging ever longer runs.
  template <class Ties>
  TEIDEN_CALL void sort(int32_t slot, Ties ties) {
    int32_t* head = &slots_[slot];
    for (int64_t run = 1;; run *= 2) {
      int32_t* out = head;
      int32_t left = *head;
      int merges = 0;
      while (left >= 0) {
        ++merges;
        int32_t right = left;
        int64_t lefts = 0, rights = run;
        while (lefts < run && right >= 0) ++lefts, right = pool_[right].next;
        while (lefts > 0 || (rights > 0 && right >= 0)) {
          const bool take_right = lefts == 0 || (rights > 0 && right >= 0 && is_before(slot, right, left, ties));
          int32_t& from = take_right ? right : left;
          --(take_right ? rights : lefts);
          *out = from;
          from = pool_[from].next;
          out = &pool_[*out].next;
        }
        left = right;
      }
      *out = -1;
      if (merges <= 1) return;
    }
  }

  // Return whether one item of a slot goes before another.
  template <class Ties>
  bool is_before(int32_t slot, int32_t one, int32_t other, Ties ties) const {
    const Item &a = pool_[one], &b = pool_[other];
    if (a.node != b.node) return a.node < b.node;
    if (a.type != b.type) return a.type < b.type;
    const uint64_t first = ties(event_at(slot, one)), second = ties(event_at(slot, other));
    return first != second ? first < second : a.arg < b.arg;  // frames alike: as they were given
  }

  // Open the next page that has events, `last` at the latest; all slots are empty.
  TEIDEN_CALL void turn_page(int64_t last) {
    int64_t page = next_page();
    if (page >= beyond_ && last >= beyond_) {
      reach_out(last);
      page = next_page();
    }
    open_ = smaller(page, last);
    cursor_ = seen_ = 0;
    sorted_ = -1;
    if (open_ != page) return;
    empty(&pages_[open_ % kPages],
          [this](const Event& e) { hang(static_cast<int32_t>(e.tick & (kSlots - 1)), new_item(e)); });
    used_pages_.reset(static_cast<int32_t>(open_ % kPages));
  }

  // Return the next page that has events, beyond_ if none of the lists has.
  int64_t next_page() const {
    const int64_t from = open_ + 1;
    int32_t found = used_pages_.next(static_cast<int32_t>(from % kPages));
    if (found < kPages) return smaller(from + (found - from % kPages), beyond_);
    found = used_pages_.next(0);
    return found < kPages ? smaller(from + (found - from % kPages) + kPages, beyond_) : beyond_;
  }

  // Move the end of the pages ahead, past the first far event or past `last`.
  void reach_out(int64_t last) {
    int64_t first = kNever;
    each_of(far_, [&](const Event& e) { first = smaller(first, e.tick >> kPageBits); });
    open_ = smaller(first, last) - 1;
    beyond_ = open_ + kPages;
    empty(&far_, [this](const Event& e) { file(e); });
  }

  // Take all events out of a list of chunks.
  template <class Take>
  void empty(int32_t* list, Take take) {
    int32_t at = *list, ahead = at;
    *list = -1;
    const auto fetch = [&] {
      if (ahead >= 0 && (ahead = chunks_[ahead].next) >= 0) prefetch_all(&chunks_[ahead]);
    };
    for (int i = 0; i < 3; ++i) fetch();
    while (at >= 0) {
      fetch();
      const int32_t next = chunks_[at].next;
      for (int32_t i = 0; i < chunks_[at].count; ++i) {
        const Event event = chunks_[at].events[i];  // chunks may move
        take(event);
      }
      chunks_.give(at);
      at = next;
    }
  }

  int64_t first_beyond() const {
    int64_t first = kNever;
    const int64_t page = next_page();
    each_of(page < beyond_ ? pages_[page % kPages] : far_, [&](const Event& e) { first = smaller(first, e.tick); });
    return first;
  }

  Pool<Item> pool_;      // of the open page
  Pool<Chunk> chunks_;   // of later pages
  Array<int32_t> slots_, pages_;
  Bits<kSlots> used_slots_;
  Bits<kPages> used_pages_;
  int32_t far_ = -1;
  int32_t cursor_ = 0;
  int32_t seen_ = 0;     // look_ahead has been at the slots before
  int32_t sorted_ = -1;  // a slot whose list is in order
  int64_t open_ = 0, beyond_ = kPages;
  int64_t next_ = kNever;
};

}  // namespace teiden
