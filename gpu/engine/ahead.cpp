// Members that run ahead of each other: what they wait for, and what they tell each other.
#include "ahead.h"

#include <algorithm>

#include "events.h"
#include "frames.h"
#include "life.h"
#include "mac.h"
#include "network.h"

namespace teiden {

RunAhead::RunAhead(Crew* crew, Tiles* tiles, const World* world, const Cells* cells,
                   const std::vector<int32_t>* tile_first, int32_t nodes)
    : crew_(crew), tiles_(tiles), world_(world), cells_(cells), tile_first_(tile_first),
      outlooks_(static_cast<size_t>(crew->size())) {
  for (int i = 0; i < size() * size(); ++i) {
    notice_pipes_.push_back(std::make_unique<Pipe<Notice>>());
    post_pipes_.push_back(std::make_unique<Pipe<Reception>>());
  }
  mark_borders(nodes);
  for (int member = 0; member < size(); ++member) {
    Outlook& mine = outlooks_[member];
    mine.clocks.resize(static_cast<size_t>(size()));
    mine.watch.nodes = &at_border_;
    for (size_t k = first_tile_of(member); k < first_tile_of(member + 1); ++k) {
      const int32_t last = k + 1 < tiles_->size() ? (*tile_first_)[k + 1] : nodes;
      int32_t node = (*tile_first_)[k];
      while (node < last && !at_border_.has(node)) ++node;
      if (node == last) continue;
      mine.border_tiles.push_back(k);
      (*tiles_)[k].watch(&mine.watch);
    }
  }
}

// Mark the nodes from which cells of another member's tiles are in reach.
void RunAhead::mark_borders(int32_t nodes) {
  at_border_.make(nodes);
  const auto cell = [this](int32_t node) { return world_->nodes[node].spot.cell; };
  for (int member = 0; member < size(); ++member) {
    const size_t from = first_tile_of(member), to = first_tile_of(member + 1);
    if (from == to) continue;
    const int32_t first = (*tile_first_)[from], last = to < tiles_->size() ? (*tile_first_)[to] : nodes;
    const int32_t first_cell = first > 0 ? cell(first) : 0;
    const int32_t end_cell = last < nodes ? cell(last) : INT32_MAX;
    bool borders = false;
    for (int32_t node = first; node < last; ++node) {
      if (node == first || cell(node) != cell(node - 1)) borders = !cells_->keeps_within(cell(node), first_cell, end_cell);
      if (borders) at_border_.put(node);
    }
  }
}

size_t RunAhead::tile_number(int32_t node) const {
  return static_cast<size_t>(std::upper_bound(tile_first_->begin(), tile_first_->end(), node) - tile_first_->begin()) - 1;
}

int RunAhead::member_of(size_t tile) const {
  int member = static_cast<int>(tile * static_cast<size_t>(size()) / tiles_->size());
  while (first_tile_of(member + 1) <= tile) ++member;
  return member;
}

// ---------------------------------------------------------------- a window

void RunAhead::begin(int64_t start, int64_t end, int64_t shortest) {
  start_ = start, end_ = end;
  turnaround_ = world_->plane->config.turnaround_us;
  reach_ = turnaround_ + shortest;
  for (int member = 0; member < size(); ++member) {
    Outlook& mine = outlooks_[member];
    crew_->reach(member, start - reach_);  // nobody begins before all have told what they plan
    for (Moment& clock : mine.clocks) clock.tick = start - reach_;
    mine.slowest = start - reach_;
    mine.limit = start;
    mine.watch.until = Wheel::page_start(start);
  }
}

void RunAhead::run(int member) {
  Outlook& mine = outlooks_[member];
  const size_t first = first_tile_of(member);
  mine.next.clear();
  for (size_t k = first; k < first_tile_of(member + 1); ++k) {
    (*tiles_)[k].begin_window(start_);
    mine.next.push_back((*tiles_)[k].next_tick());
  }
  for (Patience patience;;) {
    int64_t next;
    const size_t turn = earliest(member, &next);
    if (next >= mine.limit && look_round(member)) continue;  // something may have come that is earlier
    const int64_t tick = std::min(next, mine.limit);
    plan(member, tick);
    crew_->reach(member, tick);
    if (tick >= end_) return;
    if (next >= mine.limit) {
      patience.wait();
      continue;
    }
    patience = {};
    Tile& tile = (*tiles_)[first + turn];
    tile.run_ahead(next + 1, [&](const Event& e) { await(member, e); }, [&] { pass_on(member, tile); });
    mine.next[turn] = tile.next_tick();
  }
}

void RunAhead::finish() {
  for (Outlook& outlook : outlooks_) {
    outlook.watch.until = INT64_MIN;
    outlook.watch.events.clear();
    outlook.notices.clear();
  }
  for (const auto& pipe : post_pipes_) {
    pipe->drain([&](const Reception& what) { (*tiles_)[tile_number(what.dst)].post(what); });
    pipe->rewind();
  }
  for (const auto& pipe : notice_pipes_) pipe->rewind();
}

// Return which of a member's tiles has its turn, and when; the window's end if there is no event before.
size_t RunAhead::earliest(int member, int64_t* tick) const {
  const std::vector<int64_t>& next = outlooks_[member].next;
  size_t found = 0;
  *tick = end_;
  for (size_t k = 0; k < next.size(); ++k)
    if (next[k] < *tick) found = k, *tick = next[k];
  return found;
}

// Let a receiver, one of a member's nodes, know at the end of a transmission to it.
void RunAhead::post(int member, const Reception& what) {
  const size_t to = tile_number(what.dst);
  (*tiles_)[to].post(what);
  int64_t& next = outlooks_[member].next[to - first_tile_of(member)];
  next = std::min(next, what.end);
}

// Tell what is to come at this member's border, page by page, as far as others may go once its clock says `tick`.
void RunAhead::plan(int member, int64_t tick) {
  Outlook& mine = outlooks_[member];
  if (tick + reach_ <= mine.watch.until) return;
  mine.watch.until = std::max(mine.watch.until, Wheel::page_start(tick));
  const int64_t old = std::min(mine.slowest, tick);  // no look is earlier, at nobody's nodes
  for (size_t k = first_tile_of(member); k < first_tile_of(member + 1) && old > start_; ++k) (*tiles_)[k].grow_old(old);
  while (tick + reach_ > mine.watch.until) {
    tell_page(member, mine.watch.until);
    mine.watch.until += Wheel::kPageTicks;
  }
}

// Tell what is to come at this member's border in a page; first bring near which nodes that are.
void RunAhead::tell_page(int member, int64_t start) {
  Outlook& mine = outlooks_[member];
  mine.upcoming.clear();
  for (const size_t k : mine.border_tiles)
    (*tiles_)[k].each_in_page(start, [&](int64_t tick, int32_t node) {
      if (!at_border_.has(node)) return;
      prefetch(&world_->nodes[node]);
      mine.upcoming.push_back({tick, node});
    });
  for (const Upcoming& event : mine.upcoming) tell(member, member, event.tick, event.node);
}

// See how far the others are and take what they have sent; return whether more is possible than before.
bool RunAhead::look_round(int member) {
  Outlook& mine = outlooks_[member];
  int64_t slowest = INT64_MAX;
  bool moved = false;
  for (int other = 0; other < size(); ++other) {
    if (other == member) continue;
    const int64_t clock = crew_->clock(other);  // before what it has told: that is complete up to here
    moved |= clock > mine.clocks[other].tick;
    mine.clocks[other].tick = clock;
    slowest = std::min(slowest, clock);
  }
  if (!moved) return false;
  mine.slowest = slowest;
  mine.limit = slowest + reach_;
  size_t kept = 0;
  for (const Notice& n : mine.notices)
    if (n.tick >= mine.clocks[n.owner].tick) mine.notices[kept++] = n;
  mine.notices.resize(kept);
  for (int other = 0; other < size(); ++other) {
    if (other == member) continue;
    notices(other, member).drain([&](const Notice& n) {
      if (n.tick >= mine.clocks[n.owner].tick) mine.notices.push_back(n);
    });
    posts(other, member).drain([&](const Reception& what) { post(member, what); });
  }
  return true;
}

// ---------------------------------------------------------------- an event

// Return whether something that others have not done yet may be heard by an event: decided before a tick.
bool RunAhead::awaits(const Outlook& mine, const Event& event, int64_t before) const {
  const Spot& here = world_->nodes[event.node].spot;
  const int32_t id = world_->nodes[event.node].id;
  for (const Notice& n : mine.notices) {
    if (n.tick >= before || n.tick < mine.clocks[n.owner].tick) continue;
    if (cells_->power(*world_->plane, {0, 0, n.id, n.x_mm, n.y_mm, n.extra_lu, 0}, id, here)) return true;
  }
  return false;
}

// Wait until all that an event may hear is on air.
void RunAhead::await(int member, const Event& event) {
  if (!at_border_.has(event.node)) return;
  const Outlook& mine = outlooks_[member];
  const int64_t before = event.tick - turnaround_;
  if (before <= mine.slowest) return;
  for (Patience patience; awaits(mine, event, before); patience.wait()) look_round(member);
}

// Pass on what an event at one of a member's tiles has sent, and what others have to know.
void RunAhead::pass_on(int member, Tile& tile) {
  for (const Reception& what : tile.outbox) {
    const int owner = member_of(tile_number(what.dst));
    if (owner == member) {
      post(member, what);
      continue;
    }
    posts(member, owner).push(what);
    if (at_border_.has(what.dst)) tell(member, owner, what.end, what.dst);  // before its owner can
  }
  tile.outbox.clear();
  Watch& watch = outlooks_[member].watch;
  for (const Event& e : watch.events) tell(member, member, e.tick, e.node);
  watch.events.clear();
}

// Tell all but the owner that something is to come at a node.
void RunAhead::tell(int member, int owner, int64_t tick, int32_t node) {
  const Spot& spot = world_->nodes[node].spot;
  const Notice notice{tick, owner, world_->nodes[node].id, spot.x_mm, spot.y_mm, spot.extra_lu};
  for (int other = 0; other < size(); ++other) {
    if (other == owner) continue;
    if (other == member) outlooks_[member].notices.push_back(notice);
    else notices(member, other).push(notice);
  }
}

}  // namespace teiden
