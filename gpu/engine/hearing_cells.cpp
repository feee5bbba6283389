// What a node hears, the fast form: the same answers as hearing.cpp, from the cells around the node (cells.h).
//
// Three facts make it fast and keep it exact. Sums are integers, so a sum that is bounded on the right side of a
// threshold need not be finished. A frame that does not win the lock on an idle radio never matters for the lock, so
// only winners have to be followed back. And a frame from further away than the nearest cells cannot win while
// something strong enough from those cells is on air.
#include <algorithm>

#include "tile.h"

namespace teiden {

using Wide = unsigned __int128;

// Add to heard_ what reaches a node on a channel (-1: any) from the `first` to `last` nearest cells around it, with
// start < before and end > after; heard_ is in order of start again.
void Tile::gather(int32_t node, int64_t after, int64_t before, int32_t channel, size_t first, size_t last) {
  const Place here = place(node);
  const int32_t id = at(node).id;
  const Cells::Home home = cells_->home(here);
  for (size_t i = first; i < last; ++i) {
    const Cell* cell = cells_->at(home, i);
    if (!cell) continue;
    for (auto s = cell->signals.rbegin(); s != cell->signals.rend() && s->start > after - world_->longest; ++s) {
      if (s->start >= before || s->end <= after || s->end <= s->start || s->id == id) continue;
      if (channel >= 0 && s->channel != channel) continue;
      const uint64_t power = cells_->power(*world_->plane, *s, id, here);
      if (power) heard_.push_back({s->start, s->end, power, s->id, s->channel});
    }
  }
  std::sort(heard_.begin(), heard_.end(), starts_before);
}

// Return whether a frame of this power certainly fails to win the lock against `others` (noise included).
bool Tile::surely_loses(uint64_t power, uint64_t others) const {
  const uint64_t ratio = lock_ratio_ - (lock_ratio_ >> 8);  // the logarithms in between are far more exact than that
  return (Wide{power} << kNoiseBits) < Wide{others} * ratio;
}

// Return the least sum of others, noise included, against which a frame of this power does not win the lock.
uint64_t Tile::losing_sum(uint64_t power) const {
  const Tables tables = world_->plane->tables();
  const int64_t limit = log2_lu(tables, power) - config().lock_lu;
  const uint64_t near = static_cast<uint64_t>(std::min((Wide{power} << kNoiseBits) / lock_ratio_, Wide{1} << 62));
  uint64_t low = std::max<uint64_t>(near - (near >> 7), 1), high = near + (near >> 7) + 2;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (log2_lu(tables, middle) >= limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

// Return whether `known` and what is on air on a frame's channel when it starts, in order before it, from the cells from
// the `first` nearest on, make up at least `limit`.
bool Tile::makes_up(int32_t node, const Heard& wanted, size_t first, uint64_t known, uint64_t limit) {
  const Place here = place(node);
  const int32_t id = at(node).id;
  const int64_t instant = wanted.start, longest = world_->longest;
  const Cells::Home home = cells_->home(here);
  const auto starts_by = [](int64_t tick, const Signal& s) { return tick < s.start; };
  open_.clear();
  Wide bound = 0;  // what the cells not visited yet can add
  for (size_t i = first; i < cells_->count(); ++i) {
    const Cell* cell = cells_->at(home, i);
    if (!cell || cell->signals.empty() || cell->signals.back().start <= instant - longest) continue;
    const auto last = std::upper_bound(cell->signals.begin(), cell->signals.end(), instant, starts_by);
    const auto start = std::upper_bound(cell->signals.begin(), last, instant - longest, starts_by);
    if (start == last) continue;
    open_.push_back({&*start, &*start + (last - start), cells_->strongest(i)});
    bound += Wide(last - start) * cells_->strongest(i);
  }
  for (const Open& cell : open_) {
    if (known >= limit || known + bound < limit) break;
    bound -= Wide(cell.last - cell.first) * cell.strongest;
    for (const Signal* s = cell.first; s != cell.last; ++s)
      if (s->end > instant && s->channel == wanted.channel && (s->start < instant || s->id < wanted.id) && s->id != id)
        known += cells_->power(*world_->plane, *s, id, here);
  }
  return known >= limit;
}

// Return whether heard_[index] would win the lock of an idle radio: Tile::wins_lock, others beyond the cells heard
// included.
bool Tile::wins_lock_in_cells(int32_t node, size_t index, size_t cells) {
  const Heard& wanted = heard_[index];
  const int64_t oldest = wanted.start - world_->longest;
  uint64_t others = 1ULL << kNoiseBits;
  for (size_t j = index; j-- > 0 && heard_[j].start > oldest;) {
    if (heard_[j].end <= wanted.start || heard_[j].channel != wanted.channel) continue;
    others += heard_[j].power;
    if (surely_loses(wanted.power, others)) return false;
  }
  const uint64_t limit = losing_sum(wanted.power);
  if (others >= limit) return false;
  return !makes_up(node, wanted, cells, others, limit);
}

// Return whether at every instant from `first` to `upto` something in heard_ keeps any signal of this power from
// winning the lock.
bool Tile::drowns(uint64_t power, int64_t first, int64_t upto) const {
  if (config().channels > 1) return false;  // it would have to be on the right channel
  int64_t open = upto - 1;                  // the last instant not known to be drowned
  for (size_t k = heard_.size(); k-- > 0 && open >= first;) {
    const Heard& h = heard_[k];
    if (h.start >= open || h.end <= open) continue;
    if (surely_loses(power, (1ULL << kNoiseBits) + h.power)) open = h.start;
  }
  return open < first;
}

// Collect what may decide the lock for starts from `first` to `upto`, ring by ring until nothing from further away
// can; return from how many cells.
size_t Tile::gather_for_lock(int32_t node, int64_t first, int64_t upto) {
  heard_.clear();
  size_t from = 0;
  for (const size_t to : cells_->rings()) {
    gather(node, first, upto, -1, from, to);
    from = to;
    if (to < cells_->count() && drowns(cells_->strongest(to), first, upto)) break;
  }
  return from;
}

// Return the last instant from `from` to `upto` at which the radio was certainly not locked; `from` if there is none.
// heard_ reaches back far enough to judge whatever starts within one frame before `from`.
int64_t Tile::last_unlocked(int32_t node, int64_t from, int64_t upto, size_t cells) {
  const Node& n = at(node);
  int64_t chain = upto;
  for (size_t k = heard_.size(); k-- > 0 && chain > from;) {
    const Heard& h = heard_[k];
    if (h.end < chain || h.start >= chain || !can_lock(node, h) || !wins_lock_in_cells(node, k, cells)) continue;
    chain = std::max(h.start, from);
  }
  return n.lock_id >= 0 && n.lock_end >= chain ? from : chain;
}

// Bring a node's lock up to date: Tile::resolve_lock (hearing.cpp). Looks back two frames first, and further only if winners of
// the lock follow each other without a gap.
void Tile::resolve_lock_in_cells(int32_t node, int64_t upto) {
  Node& n = at(node);
  const int64_t floor = std::max(n.heard_until, upto - config().lock_history_us);
  const int64_t longest = std::max<int64_t>(world_->longest, 1);
  for (int64_t back = 2 * longest;; back *= 3) {
    const int64_t from = std::max(floor, upto - back);
    const size_t cells = gather_for_lock(node, from == floor ? from : from - longest, upto);
    int64_t chain = from;
    if (from > floor && (chain = last_unlocked(node, from, upto, cells)) == from) continue;
    replay_lock(node, chain, upto, cells);
    return;
  }
}

// Replay the starts from an instant on whose lock is known; heard_ holds them.
void Tile::replay_lock(int32_t node, int64_t from, int64_t upto, size_t cells) {
  Node& n = at(node);
  if (from > n.heard_until) n.lock_id = -1;
  int64_t locked_until = n.lock_id >= 0 ? n.lock_end : 0;
  for (size_t k = 0; k < heard_.size(); ++k) {
    const Heard& h = heard_[k];
    if (h.start < from || h.start < locked_until) continue;
    if (!can_lock(node, h) || !wins_lock_in_cells(node, k, cells)) continue;
    n.lock_id = h.id;
    n.lock_end = locked_until = h.end;
  }
  n.heard_until = upto;
  if (locked_until < upto) n.lock_id = -1;
}

// Return whether the power is at the CCA threshold now, or was at a start inside the window: the second half of
// Tile::channel_busy. Ends as soon as what is left to visit cannot change the answer.
bool Tile::loud_in_cells(int32_t node, int32_t channel, int64_t tick) {
  const Place here = place(node);
  const int32_t id = at(node).id;
  const int64_t longest = world_->longest;
  const Cells::Home home = cells_->home(here);
  const int64_t from = tick - config().cca_us;
  const uint64_t threshold = static_cast<uint64_t>(config().cca_power);
  Wide bound = 0;  // what the cells not visited yet can add
  for (size_t i = 0; i < cells_->count(); ++i) {
    const Cell* cell = cells_->at(home, i);
    if (!cell) continue;
    bound += Wide(cell->live(from - longest)) * cells_->strongest(i);
  }
  uint64_t now = 0, ended = 0;  // on air at the tick; ended inside the window
  heard_.clear();               // what starts or ends inside the window
  for (size_t i = 0; i < cells_->count(); ++i) {
    if (now >= threshold) return true;
    if (now + ended + bound < threshold) return false;
    const Cell* cell = cells_->at(home, i);
    if (!cell) continue;
    const size_t live = cell->live(from - longest);
    bound -= Wide(live) * cells_->strongest(i);
    for (size_t k = cell->signals.size() - live; k < cell->signals.size(); ++k) {
      const Signal& s = cell->signals[k];
      if (s.start >= tick) break;
      if (s.end <= from || s.end <= s.start || s.id == id) continue;
      if (s.channel != channel && s.start <= from) continue;
      const uint64_t power = cells_->power(*world_->plane, s, id, here);
      if (power == 0) continue;
      if (s.channel == channel) (s.end > tick ? now : ended) += power;
      if (s.start > from || s.end <= tick) heard_.push_back({s.start, s.end, power, s.id, s.channel});
    }
  }
  return now >= threshold || loud_at_a_start(channel, tick, now, threshold);
}

// Return whether the power reached the threshold at a start in heard_, which holds all that changed since `from`.
bool Tile::loud_at_a_start(int32_t channel, int64_t tick, uint64_t now, uint64_t threshold) const {
  for (const Heard& at : heard_) {
    if (at.start <= tick - config().cca_us) continue;
    uint64_t power = now;
    for (const Heard& h : heard_) {
      if (h.channel != channel) continue;
      if (h.end > tick && h.start > at.start) power -= h.power;
      if (h.end <= tick && h.start <= at.start && h.end > at.start) power += h.power;
    }
    if (power >= threshold) return true;
  }
  return false;
}

// Return what Tile::reception_cost does, in one sweep over starts and ends.
int64_t Tile::reception_cost_swept(const Heard& wanted) {
  const Tables tables = world_->plane->tables();
  const int64_t signal = log2_lu(tables, wanted.power);
  changes_.clear();
  for (const Heard& h : heard_) {
    if (h.id == wanted.id || h.channel != wanted.channel) continue;
    changes_.push_back({h.start, h.power});
    changes_.push_back({h.end, 0 - h.power});
  }
  std::sort(changes_.begin(), changes_.end());
  uint64_t others = 1ULL << kNoiseBits;
  int64_t cost = 0;
  size_t c = 0;
  for (size_t e = 0; e + 1 < edges_.size(); ++e) {
    if (edges_[e] == edges_[e + 1]) continue;
    for (; c < changes_.size() && changes_[c].first < edges_[e + 1]; ++c) others += changes_[c].second;
    cost += tick_cost(tables, signal - log2_lu(tables, others)) * (edges_[e + 1] - edges_[e]);
  }
  return cost;
}

}  // namespace teiden
