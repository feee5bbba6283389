// Where transmissions are: the index of the fast form. The plane is a grid of square cells, 8 by 8 of them a field; a
// word of 64 bits says which cells of a field have signals. An edge is at least an eighth of the interference reach, so
// whatever a node can hear is in its own field or the eight around it.
//
// A cell keeps its signals, a channel at a time, in a chain of small blocks, newest first. A look visits cells ring by
// ring from near to far, a ring being the cells so many steps away; what the cells not yet visited can add is bounded by
// their number of signals times the strongest one from so far away, so most looks end after the first few rings with the
// exact answer. How many there are is kept three times: signals that may still be on air, those that may have been a frame
// ago, and three frames ago. Where there are few, a look visits all cells at once instead.
//
// A cell is written by the tile that owns it and read by all. What is added in a window starts after the window, so
// nobody who reads meanwhile needs it; blocks are freed and words cleared of old signals between windows only.
#pragma once
#include "arena.h"
#include "plane.h"
#include "state.h"
#include "taken.h"

namespace teiden {

using Wide = unsigned __int128;

// What a look needs of a transmission: half a cache line.
struct Record {
  int64_t start;
  int32_t ticks;
  int32_t id;
  int32_t x_mm, y_mm, extra_lu;
  int32_t pad;
};

constexpr int32_t kBlockRecords = 3;

struct alignas(64) Block {
  Block* older;  // in its chain, or among the free ones; nullptr: none
  int64_t count;
  alignas(32) Record records[kBlockRecords];  // none of them in two cache lines
};

constexpr int kSteps = 8;   // a look goes no further
constexpr int kRings = 6;   // the own cell; those 1, 2, 3, 4 to 5, 6 to 8 steps away
// A node may stand at its cell's edge, so what is in the cells around may be as near as what is in its own: no bound tells
// anything before so many rings are known.
constexpr int kNearRings = 2;
constexpr int kFields = 9;  // the own one and those around it
constexpr int kParts = 4;   // of an edge: how exactly a bound knows the place of a node in its cell
constexpr int kReachParts = kSteps * kParts;

// Which signals a look is about: that end now or later, or one or three of the longest transmissions ago, or any.
enum Since { kLive, kLate, kRecent, kAll };

class Cells {
 public:
  Cells() = default;
  Cells(const Cells&) = delete;
  Cells& operator=(const Cells&) = delete;
  ~Cells() {
    for (int32_t i = 0; i < chunks_; ++i) free_block(chunk_[i]);
    free_block(chunk_);
  }

  // Lay the grid over a plane; must be called again when the plane gets links.
  void lay(const Plane& plane) {
    int64_t x1 = x0_ = plane.x_mm[0], y1 = y0_ = plane.y_mm[0];
    for (int32_t i = 0; i < plane.size(); ++i) {
      x0_ = smaller(x0_, plane.x_mm[i]), x1 = larger(x1, plane.x_mm[i]);
      y0_ = smaller(y0_, plane.y_mm[i]), y1 = larger(y1, plane.y_mm[i]);
    }
    const int64_t reach = smaller<int64_t>(plane.config.reach_mm, 4'000'000'000);
    const int64_t width = x1 - x0_ + 1, height = y1 - y0_ + 1;
    edge_ = plane.has_links ? larger(width, height) : larger<int64_t>(reach / kSteps + 1, 1000);
    edge_ += kParts - edge_ % kParts;
    channels_ = static_cast<int32_t>(larger<int64_t>(plane.config.channels, 1));
    // no more cells than nodes can fill
    while ((width / edge_ + 1) * (height / edge_ + 1) * channels_ > 4 * int64_t{plane.size()} + 64 * channels_) edge_ *= 2;
    columns_ = static_cast<int32_t>((width / edge_) / 8 + 3);  // of fields, an empty one on each side
    rows_ = static_cast<int32_t>((height / edge_) / 8 + 3);
    for (int k = 0; k < kFields; ++k) field_offset_[k] = (k / 3 - 1) * columns_ + k % 3 - 1;
    const int64_t fields = int64_t{columns_} * rows_ * channels_;
    slots_.fill(fields * 64, Slot(copies_newest_));
    used_.fill(fields, 0);
    for (Array<uint64_t>& words : used_since_) words.fill(fields, 0);
    late_in_field_.fill(fields, 0);
    if (chunk_ == nullptr) chunk_ = static_cast<void**>(grow_block(nullptr, 0, kMaxChunks * int64_t{sizeof(void*)}));
    audible_within(plane);
    measure_apart();
    look_around(plane);
  }

  bool laid() const { return columns_ > 0; }
  void share(bool shared) { shared_ = shared; }  // by tiles
  void copy_newest(bool copies) { copies_newest_ = copies; }  // of a cell's records where looks find it first; before lay

  int32_t cell_of(int64_t x_mm, int64_t y_mm) const {
    const int32_t column = static_cast<int32_t>((x_mm - x0_) / edge_) + 8;
    const int32_t row = static_cast<int32_t>((y_mm - y0_) / edge_) + 8;
    return (((row >> 3) * columns_ + (column >> 3)) << 6) | (row & 7) << 3 | (column & 7);
  }

  int64_t slots() const { return slots_.size(); }  // of cells, channel by channel
  int64_t slot(int32_t cell, int32_t channel) const { return int64_t{columns_} * rows_ * 64 * channel + cell; }
  int32_t cell_of_slot(int64_t slot) const { return static_cast<int32_t>(slot % (int64_t{columns_} * rows_ * 64)); }
  int32_t channel_of_slot(int64_t slot) const { return static_cast<int32_t>(slot / (int64_t{columns_} * rows_ * 64)); }
  uint64_t used(int64_t field) const { return load_relaxed(&used_[field]); }  // another tile may clear bits of its own

  // Return the first of a run of new blocks, linked, for a tile's list of free ones.
  TEIDEN_CALL Block* new_blocks() {
    const int32_t count = chunk_blocks();
    void* chunk = grow_block(nullptr, 0, sizeof(Block) * (count + 1));
    const uint64_t line = (reinterpret_cast<uint64_t>(chunk) + alignof(Block) - 1) / alignof(Block);
    Block* blocks = reinterpret_cast<Block*>(line * alignof(Block));
    for (int32_t i = 0; i < count; ++i) blocks[i].older = i + 1 < count ? blocks + i + 1 : nullptr;
    chunk_[add_atomic(&chunks_, 1)] = chunk;
    add_atomic(&blocks_, count);
    return blocks;
  }

  // Add a record to a cell of the caller's; *free is its list of free blocks.
  void add(int64_t slot, const Record& record, Block** free) {
    Slot& s = slots_[slot];
    Block* newest = s.chain;
    if (newest == nullptr || newest->count == kBlockRecords) {
      if (*free == nullptr) *free = new_blocks();
      Block* fresh = *free;
      *free = fresh->older;
      prefetch(*free);
      fresh->older = newest;
      fresh->records[0] = record;
      fresh->count = 1;
      store_release(&s.chain, fresh);
    } else {
      newest->records[newest->count] = record;
      store_release(&newest->count, newest->count + 1);
    }
    if (copies_newest_) s.show(record);
    set_bit(used_[slot >> 6], slot & 63);
    count(slot);
  }

  // A record of a slot is older than that.
  void age(Since since, int64_t slot) {
    int32_t& count = slots_[slot].signals[since];
    store_relaxed(&count, count - 1);
    if (count == 0) clear_bit(used_since_[since][slot >> 6], slot & 63);
    if (since == kLate) add(late_in_field_[slot >> 6], -1);
  }
  void forget_ages() {
    for (Slot& s : slots_)
      for (int32_t& count : s.signals) count = 0;
    for (Array<uint64_t>& words : used_since_)
      for (uint64_t& word : words) word = 0;
    for (int32_t& count : late_in_field_) count = 0;
  }
  // Count a new record of a slot.
  void count(int64_t slot) {
    for (int since = 0; since < kAll; ++since) {
      int32_t& count = slots_[slot].signals[since];
      store_relaxed(&count, count + 1);
      set_bit(used_since_[since][slot >> 6], slot & 63);
    }
    add(late_in_field_[slot >> 6], 1);
  }

  // Free the blocks of a slot of which nothing starts at a tick or later.
  void drop_before(int64_t slot, int64_t tick, Block** free) {
    Block** link = &slots_[slot].chain;
    while (*link != nullptr && newest_start(**link) >= tick) link = &(*link)->older;
    while (*link != nullptr) {
      Block* gone = *link;
      *link = gone->older;
      gone->older = *free;
      *free = gone;
    }
    if (slots_[slot].chain != nullptr) return;
    clear_bit(used_[slot >> 6], slot & 63);
    if (copies_newest_) slots_[slot].show_none();
  }

  // Bring near what looks are going to need.
  void fetch_slot(int64_t slot) const { prefetch(&slots_[slot]); }
  void fetch_signals(int64_t slot) const {
    if (const Block* newest = load_relaxed(&slots_[slot].chain)) prefetch(newest);
  }
  // The same where a look goes further back than the newest signal: after a tick.
  void fetch_signals(int64_t slot, int64_t after_start) const {
    if (load_relaxed(&slots_[slot].second_start) > after_start) fetch_signals(slot);
  }
  void fetch_field(int64_t field) const {
    for (uint64_t word = load_relaxed(&used_[field]); word; word &= word - 1)
      fetch_signals(field * 64 + trailing_zeros(word));
  }
  // The words of the fields around a cell, and the cell itself, on the first channel.
  void fetch(int32_t cell) const {
    const int64_t own = slot(cell, 0) >> 6;
    for (int row = -1; row <= 1; ++row) {
      prefetch(&used_since_[kLate][own + row * columns_]);
    }
    prefetch(&slots_[slot(cell, 0)]);
  }

  static int64_t newest_start(const Block& b) { return b.records[b.count - 1].start; }

  // Move the end of a signal that is known to be here.
  void move_end(int64_t slot, int64_t start, int32_t id, int64_t end) {
    for (Block* b = slots_[slot].chain; b != nullptr; b = b->older)
      for (Record* r = b->records; r != b->records + b->count; ++r)
        if (r->start == start && r->id == id) r->ticks = static_cast<int32_t>(end - start);
    Record& newest = slots_[slot].newest;
    if (newest.start == start && newest.id == id) newest.ticks = static_cast<int32_t>(end - start);
  }

  // Return about how many signals that may have been on air a frame ago there are on a channel in the fields around a cell.
  int32_t signals_around(int32_t cell, int32_t channel) const {
    const int64_t own = slot(cell, channel) >> 6;
    int32_t sum = 0;
    for (int k = 0; k < kFields; ++k) sum += load_relaxed(&late_in_field_[own + field_offset_[k]]);
    return sum;
  }

  // Return whether all that can be heard in a cell, or can hear it, is in the cells from `first` up to `last`.
  bool keeps_within(int32_t cell, int32_t first, int32_t last) const {
    for (int k = 0; k < kFields; ++k) {
      const int64_t field = (slot(cell, 0) >> 6) + field_offset_[k];
      for (uint64_t word = within_[cell & 63][k]; word; word &= word - 1) {
        const int64_t other = field * 64 + trailing_zeros(word);
        if (other < first || other >= last) return false;
      }
    }
    return true;
  }

  // Visit the slots on a channel, in all rings around a cell, that have such signals.
  template <class Visit>
  void each_slot_around(int32_t cell, int32_t channel, Since since, Visit visit) const {
    const int64_t own = slot(cell, channel) >> 6;
    const Array<uint64_t>& words = slots_with(since);
    for (int k = 0; k < kFields; ++k) {
      const int64_t field = own + field_offset_[k];
      for (uint64_t word = load_relaxed(&words[field]) & within_[cell & 63][k]; word; word &= word - 1)
        visit(field * 64 + trailing_zeros(word));
    }
  }

  // List the first slots on a channel, in all rings around a cell, that have such signals, and bring them near; return how
  // many.
  int32_t list_around(int32_t cell, int32_t channel, Since since, int32_t* slots, int32_t room) const {
    int32_t count = 0;
    const int64_t own = slot(cell, channel) >> 6;
    for (int k = 0; k < kFields; ++k) {
      const int64_t field = own + field_offset_[k];
      for (uint64_t word = load_relaxed(&used_since_[since][field]) & within_[cell & 63][k]; word; word &= word - 1) {
        if (count == room) return count;
        slots[count] = static_cast<int32_t>(field * 64 + trailing_zeros(word));
        fetch_slot(slots[count++]);
      }
    }
    return count;
  }

  // Bring near the slots with such signals, so that none waits for another.
  void fetch_around(int32_t cell, int32_t channel, Since since) const {
    each_slot_around(cell, channel, since, [&](int64_t slot) { fetch_slot(slot); });
  }

  // Visit the slots on a channel, in one ring around a cell, that have such signals.
  template <class Visit>
  void each_slot(int32_t cell, int32_t channel, int ring, Since since, Visit visit) const {
    const int64_t own = slot(cell, channel) >> 6;
    const Array<uint64_t>& words = slots_with(since);
    const Ring& around = ring_[cell & 63][ring];
    for (int32_t k = 0; k < around.parts; ++k) {
      const int64_t field = own + field_offset_[around.field[k]];
      for (uint64_t word = load_relaxed(&words[field]) & around.cells[k]; word; word &= word - 1)
        visit(field * 64 + trailing_zeros(word));
    }
  }

  // Add to power[ring] what such signals in each ring around a place can add at most; the nearest rings are left out.
  TEIDEN_CALL void bound_rings(const Spot& here, int32_t channel, Since since, Wide* power) const {
    const int64_t own = slot(here.cell, channel) >> 6;
    const Array<uint64_t>& words = slots_with(since);
    const Apart* rows = apart_from(here.cell >> 3 & 7, here.y_mm - y0_);
    const Apart* columns = apart_from(here.cell & 7, here.x_mm - x0_);
    for (int k = 0; k < kFields; ++k) {
      const int64_t field = own + field_offset_[k];
      for (uint64_t word = load_relaxed(&words[field]) & beyond_[here.cell & 63][k]; word; word &= word - 1) {
        const int at = trailing_zeros(word);
        const Apart down = rows[k / 3 * 8 + (at >> 3)], across = columns[k % 3 * 8 + (at & 7)];
        power[ring_of(larger(down.cells, across.cells))] +=
            static_cast<Wide>(signals_in(since, field * 64 + at)) * strongest_from_[down.parts][across.parts];
      }
    }
  }

  // Visit the records of a slot, newest first, that start before a tick and after another one.
  template <class Visit>
  void each_record(int64_t slot, int64_t after_start, int64_t before, Visit visit) const {
    const Slot& s = slots_[slot];
    Record newest;
    bool whole = false;
    if (!kOnDevice) {  // there other warps hide what a load waits for
      const uint32_t changes = load_acquire(&s.changes);
      newest = {load_acquire(&s.newest.start), load_acquire(&s.newest.ticks), load_acquire(&s.newest.id),
                load_acquire(&s.newest.x_mm),  load_acquire(&s.newest.y_mm),  load_acquire(&s.newest.extra_lu), 0};
      const int64_t second_start = load_acquire(&s.second_start);
      if (newest.start <= after_start) return;
      whole = changes % 2 == 0 && load_relaxed(&s.changes) == changes;
      if (whole && newest.start < before) visit(newest);
      if (whole && second_start <= after_start) return;
    }
    for (const Block* b = load_acquire(&s.chain); b != nullptr; b = b->older)
      for (const Record* r = b->records + load_acquire(&b->count); r-- != b->records;) {
        if (r->start >= before) continue;
        if (r->start <= after_start) return;
        if (!whole || r->start != newest.start || r->id != newest.id) visit(*r);
      }
  }

  uint64_t strongest(int ring) const { return strongest_[ring]; }  // from the ring or beyond; 0: nothing is heard

  // Return the power of a record at a node: what Plane::power returns, found with less work.
  TEIDEN_CALL uint64_t power(const Plane& plane, const Record& r, int32_t id, const Spot& here) const {
    if (plane.has_links) return plane.linked_power(r.id, id);
    const int64_t dx = int64_t{r.x_mm} - here.x_mm, dy = int64_t{r.y_mm} - here.y_mm;
    const int64_t square = dx * dx + dy * dy;
    if (square > farthest_) return 0;
    const int32_t quantile = shadow_quantile(plane.config, plane.shadow_key, r.id, id);
    if (square > audible_square_[quantile]) return 0;
    const int64_t loss = distance_loss_lu(plane.config, plane.tables(), square) + r.extra_lu + here.extra_lu;
    const int64_t level = sent_lu_[quantile] - loss;
    return level < plane.config.cut_lu ? 0 : linear_power(plane.tables(), level);
  }

  int64_t bytes() const {
    int64_t sum = slots_.bytes() + used_.bytes() + late_in_field_.bytes() + int64_t{blocks_} * int64_t{sizeof(Block)};
    for (const Array<uint64_t>& words : used_since_) sum += words.bytes();
    return sum;
  }

 private:
  static constexpr int kApart = 31;  // from 15 cells before to 15 after
  static constexpr int32_t kLeastBlocks = 256, kMostBlocks = 1 << 16;  // of a chunk
  static constexpr int32_t kMaxChunks = 1 << 20;

  // A cell on a channel, a cache line: what a transmission changes, and a copy of the newest record, so that a look at a
  // quiet cell reads nothing else. All records are in the chain; a reader in another thread takes the copy only if nobody
  // has changed it meanwhile.
  struct alignas(64) Slot {
    Record newest;
    int64_t second_start = INT64_MIN;  // of the record before the newest
    Block* chain = nullptr;
    int32_t signals[kAll] = {};  // how many end since then
    uint32_t changes;            // of the copy; odd while it is changed, or if there is none

    explicit Slot(bool copies)
        : newest{copies ? INT64_MIN : INT64_MAX, 0, -1, 0, 0, 0, 0}, changes(copies ? 0 : 1) {}

    // Copy a record; the one that was copied before comes second.
    void show(const Record& record) { change(record, newest.start); }
    void show_none() { change({INT64_MIN, 0, -1, 0, 0, 0, 0}, INT64_MIN); }

   private:
    void change(const Record& record, int64_t second) {
      store_relaxed(&changes, changes + 1);
      store_release(&newest.start, record.start);
      store_release(&newest.ticks, record.ticks);
      store_release(&newest.id, record.id);
      store_release(&newest.x_mm, record.x_mm);
      store_release(&newest.y_mm, record.y_mm);
      store_release(&newest.extra_lu, record.extra_lu);
      store_release(&second_start, second);
      store_release(&changes, changes + 1);
    }
  };
  static_assert(sizeof(Slot) == 64, "one cache line");
  struct Ring {  // the cells of a ring, field by field
    int32_t parts;
    int32_t field[kFields];
    uint64_t cells[kFields];
  };

  // Return how many blocks to add: about as many as there are, so that many of them lie in large pages.
  int32_t chunk_blocks() const {
#if defined(TEIDEN_DEVICE)
    return kLeastBlocks;  // what is left of the heap must do
#else
    return smaller(larger(load_relaxed(&blocks_), kLeastBlocks), kMostBlocks);
#endif
  }

  const Array<uint64_t>& slots_with(Since since) const { return since == kAll ? used_ : used_since_[since]; }
  int64_t signals_in(Since since, int64_t slot) const {
    return since == kAll ? kMaxTileNodes : load_relaxed(&slots_[slot].signals[since]);
  }
  struct Apart {
    int32_t cells;  // from one cell to another, along one axis
    int32_t parts;  // of an edge from a place in the first to the second, at least
  };

  // Return how far rows, or columns, of the nine fields are from a coordinate whose cell is `own` in the middle one.
  const Apart* apart_from(int own, int64_t mm) const { return apart_[mm / (edge_ / kParts) % kParts] + 7 - own; }

  void measure_apart() {
    for (int part = 0; part < kParts; ++part)
      for (int i = 0; i < kApart; ++i) {
        const int cells = i - 15;
        const int parts = cells > 0 ? cells * kParts - 1 - part : (-cells - 1) * kParts + part;
        apart_[part][i] = {larger(cells, -cells), cells == 0 ? 0 : smaller(parts, kReachParts - 1)};
      }
  }

  static int ring_of(int steps) { return steps <= 3 ? steps : steps <= 5 ? 4 : 5; }
  static int nearest_step(int ring) { return ring <= 4 ? ring : 6; }
  static int steps(int rows, int columns) { return larger(larger(rows, -rows), larger(columns, -columns)); }

  // Tiles may share a word, not a bit. An atomic operation waits for all stores before it, so a single tile does without.
  void set_bit(uint64_t& word, int64_t bit) const {
    if (!shared_) word |= 1ULL << bit;
    else if (!(load_relaxed(&word) >> bit & 1)) or_atomic(&word, 1ULL << bit);
  }
  void clear_bit(uint64_t& word, int64_t bit) const {
    if (!shared_) word &= ~(1ULL << bit);
    else and_atomic(&word, ~(1ULL << bit));
  }
  void add(int32_t& count, int32_t value) const {
    if (!shared_) count += value;
    else add_atomic(&count, value);
  }

  // Fill the square of the distance up to which each shadowing is audible without extra loss.
  void audible_within(const Plane& plane) {
    const int64_t reach = smaller<int64_t>(plane.config.reach_mm, 2'000'000'000);  // no two places are further apart
    farthest_ = -1;
    for (int32_t quantile = 0; quantile < kGaussSize; ++quantile)
      sent_lu_[quantile] = plane.config.tx_lu + shadow_lu(plane.config, plane.tables(), quantile);
    for (int32_t quantile = 0; quantile < kGaussSize; ++quantile) {
      int64_t low = -1, high = 2 * reach * reach;
      while (low < high) {  // the level never rises with distance
        const int64_t middle = low + (high - low + 1) / 2;
        if (plane.level_at(middle, 0, quantile) >= plane.config.cut_lu) low = middle;
        else high = middle - 1;
      }
      audible_square_[quantile] = low;
      farthest_ = larger(farthest_, low);
    }
  }

  // Sort the cells around each of the 64 places in a field into rings. A node may stand at its cell's edge, so what is in
  // a ring is at least one edge less away than steps.
  void look_around(const Plane& plane) {
    for (int ring = 0; ring < kRings; ++ring) {
      const int64_t nearest = larger(nearest_step(ring) - 1, 0) * edge_;
      strongest_[ring] = plane.has_links ? (ring == 0 ? UINT64_MAX >> 1 : 0) : strongest_from(plane, nearest * nearest);
      if (nearest * nearest > farthest_) strongest_[ring] = 0;
    }
    for (int64_t row = 0; row < kReachParts; ++row)
      for (int64_t column = 0; column < kReachParts; ++column) {
        const int64_t dx = column * edge_ / kParts, dy = row * edge_ / kParts;
        strongest_from_[row][column] = plane.has_links ? 0 : strongest_from(plane, dx * dx + dy * dy);
      }
    for (int place = 0; place < 64; ++place) {
      for (Ring& ring : ring_[place]) ring.parts = 0;
      for (int k = 0; k < kFields; ++k) look_at_field(plane, place, k);
    }
  }

  void look_at_field(const Plane& plane, int place, int k) {
    uint64_t cells[kRings] = {};
    within_[place][k] = beyond_[place][k] = 0;
    for (int at = 0; at < 64; ++at) {
      const int rows = k / 3 * 8 + (at >> 3) - 8 - (place >> 3), columns = k % 3 * 8 + (at & 7) - 8 - (place & 7);
      const int64_t dx = larger(larger(columns, -columns) - 1, 0) * edge_, dy = larger(larger(rows, -rows) - 1, 0) * edge_;
      const int ring = ring_of(steps(rows, columns));
      if (steps(rows, columns) > kSteps || (!plane.has_links && dx * dx + dy * dy > farthest_)) continue;
      cells[ring] |= 1ULL << at;
      within_[place][k] |= 1ULL << at;
      if (ring >= kNearRings) beyond_[place][k] |= 1ULL << at;
    }
    for (int ring = 0; ring < kRings; ++ring) {
      if (cells[ring] == 0) continue;
      Ring& r = ring_[place][ring];
      r.field[r.parts] = k;
      r.cells[r.parts++] = cells[ring];
    }
  }

  static uint64_t strongest_from(const Plane& plane, int64_t square) {
    int64_t level = INT64_MIN;
    for (int32_t quantile = 0; quantile < kGaussSize; ++quantile)
      level = larger(level, plane.level_at(square, 0, quantile));
    return level < plane.config.cut_lu ? 0 : linear_power(plane.tables(), level);
  }

  Array<Slot> slots_;
  Array<uint64_t> used_;             // a field and channel: cells with signals
  Array<uint64_t> used_since_[kAll];  // the same of signals that end since then
  Array<int32_t> late_in_field_;     // a field and channel: how many of kLate
  Ring ring_[64][kRings] = {};
  uint64_t within_[64][kFields] = {};  // the cells of all rings
  uint64_t beyond_[64][kFields] = {};  // the cells of all rings but the nearest
  uint64_t strongest_[kRings + 1] = {};
  Apart apart_[kParts][kApart] = {};
  uint64_t strongest_from_[kReachParts][kReachParts] = {};  // at least so many parts of an edge down and across
  int32_t field_offset_[kFields] = {};
  int64_t audible_square_[kGaussSize] = {};
  int64_t farthest_ = 0;
  int64_t sent_lu_[kGaussSize] = {};  // level at no distance, with each shadowing
  int64_t x0_ = 0, y0_ = 0, edge_ = 1;
  int32_t columns_ = 0, rows_ = 0, channels_ = 1;
  bool shared_ = true;
  bool copies_newest_ = true;
  void** chunk_ = nullptr;
  int32_t chunks_ = 0, blocks_ = 0;
};

}  // namespace teiden
