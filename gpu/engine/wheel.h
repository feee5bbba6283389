// The event queue of the fast form: one slot a tick for the page that is open, a list a page for later ones, one list for
// what is further ahead. Bitmaps lead from one occupied slot, or page, to the next. Same order as EventQueue (queue.h).
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
  static constexpr int kPageBits = 13;

 public:
  static constexpr int64_t kPageTicks = 1 << kPageBits;  // 8 ms

  void start() {
    slots_.fill(kSlots, -1);
    pages_.fill(kPages, -1);
  }

  template <class Ties>
  TEIDEN_CALL void push(const Event& event, Ties ties) {
    const int32_t at = pool_.take();
    pool_[at] = {event.tick, event.arg, event.node, event.type, -1};
    next_ = smaller(next_, event.tick);
    if ((open_ << kPageBits) + sorted_ == event.tick && slots_[sorted_] >= 0) insert(at, ties);
    else hang(at);
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
        if (slot != sorted_ && pool_[slots_[slot]].next >= 0) sort(&slots_[slot], ties);
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
    const auto list = [&](int32_t at) {
      for (; at >= 0; at = pool_[at].next)
        if (pool_[at].tick >> kPageBits == page) visit(pool_[at].tick, pool_[at].node);
    };
    if (page < open_) return;
    if (page > open_) list(page < beyond_ ? pages_[page % kPages] : far_);
    else
      for (int32_t slot = used_slots_.next(0); slot < kSlots; slot = used_slots_.next(slot + 1)) list(slots_[slot]);
  }

  // Return the nodes of an event or two to come in the open page, -1 if there are none.
  void look_ahead(int32_t* soon, int32_t* later) const {
    const int32_t slot = used_slots_.next(cursor_);
    *soon = slot < kSlots ? pool_[slots_[slot]].node : -1;
    const int32_t after = used_slots_.next(slot + 1);
    *later = after < kSlots ? pool_[slots_[after]].node : -1;
  }

  // Return the tick of the next event, kNever if there is none; it may be a void one.
  int64_t next_tick() const { return next_; }

  template <class Visit>
  void each(Visit visit) const {
    const auto list = [&](int32_t at) {
      for (; at >= 0; at = pool_[at].next) visit(Event{pool_[at].tick, pool_[at].arg, pool_[at].node, pool_[at].type});
    };
    for (const int32_t head : slots_) list(head);
    for (const int32_t head : pages_) list(head);
    list(far_);
  }

  void clear() {
    *this = Wheel();
    start();
  }
  int64_t bytes() const { return pool_.bytes() + slots_.bytes() + pages_.bytes(); }

 private:
  static constexpr int32_t kSlots = 1 << kPageBits;
  static constexpr int32_t kPages = 1 << 12;  // 34 s

  struct Item {
    int64_t tick, arg;
    int32_t node, type, next;
  };

  // Put an item where it belongs. Nothing is ever pushed before the page that is open.
  void hang(int32_t at) {
    const int64_t page = pool_[at].tick >> kPageBits;
    int32_t* head = &far_;
    if (page <= open_) {
      const int32_t slot = static_cast<int32_t>(pool_[at].tick & (kSlots - 1));
      used_slots_.set(slot);
      if (slot < cursor_) cursor_ = slot;
      head = &slots_[slot];
    } else if (page < beyond_) {
      used_pages_.set(static_cast<int32_t>(page % kPages));
      head = &pages_[page % kPages];
    }
    pool_[at].next = *head;
    *head = at;
  }

  void take_first(int32_t slot, Event* event) {
    const int32_t at = slots_[slot];
    slots_[slot] = pool_[at].next;
    *event = {pool_[at].tick, pool_[at].arg, pool_[at].node, pool_[at].type};
    pool_.give(at);
    if (slots_[slot] >= 0) return;
    used_slots_.reset(slot);
    sorted_ = -1;
  }

  // Put an item into the slot that is in order; it is mostly for the node whose turn it is, so near the front.
  template <class Ties>
  void insert(int32_t at, Ties ties) {
    int32_t* link = &slots_[sorted_];
    while (*link >= 0 && is_before(pool_[*link], pool_[at], ties)) link = &pool_[*link].next;
    pool_[at].next = *link;
    *link = at;
  }

  // Put a list in order: by merging ever longer runs.
  template <class Ties>
  TEIDEN_CALL void sort(int32_t* head, Ties ties) {
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
          const bool take_right = lefts == 0 || (rights > 0 && right >= 0 && is_before(pool_[right], pool_[left], ties));
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

  template <class Ties>
  static bool is_before(const Item& a, const Item& b, Ties ties) {
    if (a.node != b.node) return a.node < b.node;
    if (a.type != b.type) return a.type < b.type;
    const uint64_t first = ties({a.tick, a.arg, a.node, a.type}), second = ties({b.tick, b.arg, b.node, b.type});
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
    cursor_ = 0;
    sorted_ = -1;
    if (open_ != page) return;
    unhang(&pages_[open_ % kPages]);
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
    for (int32_t at = far_; at >= 0; at = pool_[at].next) first = smaller(first, pool_[at].tick >> kPageBits);
    open_ = smaller(first, last) - 1;
    beyond_ = open_ + kPages;
    unhang(&far_);
  }

  // Put the items of a list where they belong now.
  void unhang(int32_t* list) {
    int32_t at = *list;
    *list = -1;
    while (at >= 0) {
      const int32_t next = pool_[at].next;
      hang(at);
      at = next;
    }
  }

  int64_t first_beyond() const {
    int64_t first = kNever;
    const int64_t page = next_page();
    int32_t at = page < beyond_ ? pages_[page % kPages] : far_;
    for (; at >= 0; at = pool_[at].next) first = smaller(first, pool_[at].tick);
    return first;
  }

  Pool<Item> pool_;
  Array<int32_t> slots_, pages_;
  Bits<kSlots> used_slots_;
  Bits<kPages> used_pages_;
  int32_t far_ = -1;
  int32_t cursor_ = 0;
  int32_t sorted_ = -1;  // a slot whose list is in order
  int64_t open_ = 0, beyond_ = kPages;
  int64_t next_ = kNever;
};

}  // namespace teiden
