// What a node hears, the fast form: the same answers as hearing.cpp, from the cells around the node (cells.h).
//
// Four facts make it fast and keep it exact. Sums are integers, so a sum that is bounded on the right side of a
// threshold need not be finished. A frame that does not win the lock on an idle radio never matters for the lock, so only
// winners have to be followed back. A frame from further away than the cells gathered cannot win while something strong
// enough from those is on air. And the draw of a reception is known beforehand, so its cost only has to be bounded.
#include <algorithm>

#include "tile.h"

namespace teiden {

using Wide = unsigned __int128;

// Visit (record, power) of all that reaches a node on a channel from one ring, with start < before and end > after, until
// a visit returns false.
template <class Visit>
bool Tile::each_audible(int32_t node, int32_t channel, int ring, int64_t after, int64_t before, Visit visit) const {
  const Spot& here = world_->spots[node];
  const int32_t id = at(node).id;
  const int64_t longest = world_->longest;
  return cells_->each_slot(here.cell, channel, ring, is_recent(after), [&](int64_t slot) {
    return cells_->each_record(slot, after - longest, before, [&](const Record& r) {
      if (r.start + r.ticks <= after || r.ticks <= 0 || r.id == id) return true;
      const uint64_t power = cells_->power(*world_->plane, r, id, here);
      return power == 0 || visit(r, power);
    });
  });
}

// Return whether all that ends after a tick is among the recent signals.
bool Tile::is_recent(int64_t after) const { return after >= world_->window_start - world_->longest; }

// Return what the signals of a ring and all beyond it can add at most, if what ends after a tick counts.
uint64_t Tile::bound_from(int32_t node, int32_t channel, int ring, int64_t after) const {
  if (ring >= kRings || cells_->strongest(ring) == 0) return 0;
  constexpr uint64_t kBeyond = 1ULL << 60;
  if (!is_recent(after)) return kBeyond;
  Wide bound = 0;
  for (; ring < kRings && cells_->strongest(ring) > 0; ++ring)
    bound += Wide(cells_->recent_in(world_->spots[node].cell, channel, ring)) * cells_->strongest(ring);
  return bound < kBeyond ? static_cast<uint64_t>(bound) : kBeyond;
}

// Return whether a frame of this power certainly fails to win the lock against `others` (noise included).
bool Tile::surely_loses(uint64_t power, uint64_t others) const {
  return (Wide{power} << kNoiseBits) < Wide{others} * sure_ratio_;
}

bool Tile::wins_against(uint64_t power, uint64_t others) const {
  const Tables tables = world_->plane->tables();
  return log2_lu(tables, power) - log2_lu(tables, others) > config().lock_lu;
}

// Return whether a frame wins the lock on an idle radio against `others`, which are known, and all before it on air from
// the rings from `ring` on.
bool Tile::beats_rings(int32_t node, const Heard& wanted, int ring, uint64_t others) const {
  for (; ring < kRings && cells_->strongest(ring) > 0; ++ring) {
    if (surely_loses(wanted.power, others)) return false;
    if (ring > 0 && wins_against(wanted.power, others + bound_from(node, wanted.channel, ring, wanted.start))) return true;
    each_audible(node, wanted.channel, ring, wanted.start, wanted.start + 1, [&](const Record& r, uint64_t power) {
      if (r.start < wanted.start || r.id < wanted.id) others += power;
      return !surely_loses(wanted.power, others);
    });
  }
  return wins_against(wanted.power, others);
}

// Return whether a reception wins the lock of an idle radio: Tile::would_lock.
bool Tile::could_lock(const Reception& what, Heard* wanted, bool new_start) const {
  const Spot& from = world_->spots[what.src];
  const int32_t id = at(what.src).id;
  const Record r{what.start, static_cast<int32_t>(what.end - what.start), id, from.x_mm, from.y_mm, from.extra_lu, 0};
  const uint64_t power = cells_->power(*world_->plane, r, at(what.dst).id, world_->spots[what.dst]);
  *wanted = {what.start, what.end, power, id, what.channel};
  if (power == 0) return false;
  return !new_start || (can_lock(what.dst, *wanted) && beats_rings(what.dst, *wanted, 0, noise_at(what.dst, what.channel, what.start)));
}

// Return whether at every instant from `first` to `upto` something in heard_ keeps any signal of this power from
// winning the lock.
bool Tile::drowns(uint64_t power, int64_t first, int64_t upto) const {
  if (config().channels > 1) return false;  // it would have to be on the right channel
  int64_t open = upto - 1;                  // the last instant not known to be drowned
  while (open >= first) {
    int64_t earlier = open;
    for (const Heard& h : heard_)
      if (h.start < earlier && h.end > open && surely_loses(power, (1ULL << kNoiseBits) + h.power)) earlier = h.start;
    if (earlier == open) return false;
    open = earlier;
  }
  return true;
}

// List the channels a node listened on from `first` to `upto`, to lock on what starts there.
void Tile::list_channels(int32_t node, int64_t first, int64_t upto) {
  channels_.clear();
  if (config().channels <= 1) {
    channels_.push_back(0);
    return;
  }
  for (int64_t tick = first; tick < upto; tick = listens_until(node, tick)) {
    const int32_t channel = listening_on(node, tick);
    if (std::find(channels_.begin(), channels_.end(), channel) == channels_.end()) channels_.push_back(channel);
  }
}

// Return a tick up to which a node certainly listens on the channel of an earlier one.
int64_t Tile::listens_until(int32_t node, int64_t tick) const {
  const Node& n = at(node);
  if (tick < n.away_until) return n.away_until;
  int64_t until = next_dwell(config(), static_cast<uint32_t>(n.id), tick);
  if (pan_of(node) < 0 || !has_broadcast_schedule(config())) return until;
  const BroadcastDwell dwell = broadcast_dwell(config(), static_cast<uint32_t>(pan_of(node)), tick);
  return std::min(until, tick < dwell.begin ? dwell.begin : dwell.end);
}

// Collect in heard_ what may decide the lock for starts from `first` to `upto`, ring by ring until nothing from further
// away can; return how many rings.
int Tile::gather_for_lock(int32_t node, int64_t first, int64_t upto) {
  heard_.clear();
  list_channels(node, first, upto);
  for (int ring = 0; ring < kRings; ++ring) {
    if (cells_->strongest(ring) < static_cast<uint64_t>(config().audible_power)) return ring;
    if (ring > 0 && drowns(cells_->strongest(ring), first, upto)) return ring;
    for (const int32_t channel : channels_)
      each_audible(node, channel, ring, first, upto, [&](const Record& r, uint64_t power) {
        heard_.push_back({r.start, r.start + r.ticks, power, r.id, channel});
        return true;
      });
  }
  return kRings;
}

// Return whether anything that ends at a tick or later could have been locked on before it.
bool Tile::hears_at(int32_t node, int64_t tick) {
  const uint64_t least = static_cast<uint64_t>(config().audible_power);
  list_channels(node, tick - world_->longest, tick);
  for (int ring = 0; ring < kRings && cells_->strongest(ring) >= least; ++ring)
    for (const int32_t channel : channels_)
      if (!each_audible(node, channel, ring, tick - 1, tick,
                        [&](const Record&, uint64_t power) { return power < least; }))
        return true;
  return false;
}

// Return whether heard_[index], from the `rings` nearest rings, would win the lock of an idle radio.
bool Tile::wins_in_cells(int32_t node, size_t index, int rings) const {
  const Heard& wanted = heard_[index];
  uint64_t others = noise_at(node, wanted.channel, wanted.start);
  for (const Heard& h : heard_) {
    if (h.end <= wanted.start || h.channel != wanted.channel || !starts_before(h, wanted)) continue;
    others += h.power;
    if (surely_loses(wanted.power, others)) return false;
  }
  return beats_rings(node, wanted, rings, others);
}

// Find the first of the frames that started from `floor` on, before a tick, and lasted to it, and that would win the
// lock of an idle radio. If there is none the radio was not locked then.
bool Tile::first_winner(int32_t node, int64_t floor, int64_t tick, Heard* winner, bool* alone) {
  if (!hears_at(node, tick)) return false;
  const int rings = gather_for_lock(node, tick - world_->longest - 1, tick);
  bool found = false;
  for (size_t k = 0; k < heard_.size(); ++k) {
    const Heard& h = heard_[k];
    if (h.end < tick || h.start < floor || (found && starts_before(*winner, h))) continue;
    if (!can_lock(node, h) || !wins_in_cells(node, k, rings)) continue;
    *winner = h;
    found = true;
  }
  *alone = true;
  if (found)
    for (const Heard& h : heard_) *alone &= h.start != winner->start || h.id >= winner->id;
  return found;
}

// Bring a node's lock up to date: Tile::resolve_lock (hearing.cpp).
void Tile::resolve_lock_in_cells(int32_t node, int64_t upto) {
  Node& n = at(node);
  if (n.lock_id >= 0 && n.lock_end >= upto) {
    n.heard_until = upto;
    return;
  }
  const int64_t floor = std::max(n.heard_until, upto - config().lock_history_us);
  int64_t from = upto;  // an instant at which the radio was certainly not locked, or `floor`
  Heard winner{};
  bool alone = true;
  int winners = 0;
  for (bool all_alone = true; from > floor && first_winner(node, floor, from, &winner, &alone); ++winners) {
    from = n.lock_id >= 0 && n.lock_end >= winner.start ? floor : winner.start;
    all_alone &= alone;
    if (winners == 0 && from == winner.start && alone && from > floor) {
      Heard before{};
      if (!first_winner(node, floor, from, &before, &alone)) {
        n.lock_id = winner.id;
        n.lock_end = winner.end;
        n.heard_until = upto;
        return;
      }
      from = n.lock_id >= 0 && n.lock_end >= before.start ? floor : before.start;
      ++winners;
    }
  }
  if (winners > 0) {
    replay_lock(node, from, upto);
    return;
  }
  n.lock_id = -1;
  n.heard_until = upto;
}

// Replay the starts from an instant on whose lock is known.
void Tile::replay_lock(int32_t node, int64_t from, int64_t upto) {
  Node& n = at(node);
  const int rings = gather_for_lock(node, from, upto);
  std::sort(heard_.begin(), heard_.end(), starts_before);
  if (from > n.heard_until) n.lock_id = -1;
  int64_t locked_until = n.lock_id >= 0 ? n.lock_end : 0;
  for (size_t k = 0; k < heard_.size(); ++k) {
    const Heard& h = heard_[k];
    if (h.start < from || h.start < locked_until) continue;
    if (!can_lock(node, h) || !wins_in_cells(node, k, rings)) continue;
    n.lock_id = h.id;
    n.lock_end = locked_until = h.end;
  }
  n.heard_until = upto;
  if (locked_until < upto) n.lock_id = -1;
}

// Return whether the power is at the CCA threshold now, or was at a start inside the window: Tile::loud.
bool Tile::loud_in_cells(int32_t node, int32_t channel, int64_t tick) {
  const int64_t from = tick - config().cca_us;
  const uint64_t threshold = static_cast<uint64_t>(config().cca_power);
  uint64_t now = 0, ended = 0;  // on air at the tick; ended inside the window
  heard_.clear();               // what starts or ends inside the window
  hear_background(node, channel, from, tick);
  size_t kept = 0;
  for (const Heard& h : heard_) {
    (h.end > tick ? now : ended) += h.power;
    if (h.start > from || h.end <= tick) heard_[kept++] = h;
  }
  heard_.resize(kept);
  if (now >= threshold) return true;
  for (int ring = 0; ring < kRings && cells_->strongest(ring) > 0; ++ring) {
    if (ring > 0 && now + ended + bound_from(node, channel, ring, from) < threshold) return false;
    each_audible(node, channel, ring, from, tick, [&](const Record& r, uint64_t power) {
      const int64_t end = r.start + r.ticks;
      (end > tick ? now : ended) += power;
      if (r.start > from || end <= tick) heard_.push_back({r.start, end, power, r.id, channel});
      return now < threshold;
    });
    if (now >= threshold) return true;
  }
  return now + ended >= threshold && loud_at_a_start(tick, now, threshold);
}

// Return whether the power reached the threshold at a start in heard_, which holds all that changed inside the window.
bool Tile::loud_at_a_start(int64_t tick, uint64_t now, uint64_t threshold) const {
  for (const Heard& at : heard_) {
    if (at.start <= tick - config().cca_us) continue;
    uint64_t power = now;
    for (const Heard& h : heard_) {
      if (h.end > tick && h.start > at.start) power -= h.power;
      if (h.end <= tick && h.start <= at.start && h.end > at.start) power += h.power;
    }
    if (power >= threshold) return true;
  }
  return false;
}

// Return the error cost of a reception as Tile::reception_cost does, with what is in heard_ and `more` on air all along;
// chunks end at ends too, if so asked.
int64_t Tile::swept_cost(const Heard& wanted, bool at_ends, uint64_t more) {
  const Tables tables = world_->plane->tables();
  const int64_t signal = log2_lu(tables, wanted.power);
  uint64_t others = (1ULL << kNoiseBits) + more;
  if (heard_.empty()) return tick_cost(tables, signal - log2_lu(tables, others)) * (wanted.end - wanted.start);
  changes_.clear();
  edges_.assign({wanted.end});
  for (const Heard& h : heard_) {
    changes_.push_back({h.start, h.power});
    if (h.end < wanted.end) changes_.push_back({h.end, 0 - h.power});
    if (h.start > wanted.start) edges_.push_back(h.start);
    if (at_ends && h.end < wanted.end) edges_.push_back(h.end);
  }
  std::sort(changes_.begin(), changes_.end());
  std::sort(edges_.begin(), edges_.end());
  int64_t cost = 0, from = wanted.start;
  size_t c = 0;
  for (const int64_t edge : edges_) {
    if (edge == from) continue;
    for (; c < changes_.size() && changes_[c].first < edge; ++c) others += changes_[c].second;
    cost += tick_cost(tables, signal - log2_lu(tables, others)) * (edge - from);
    from = edge;
  }
  return cost;
}

// Return whether a frame the radio is locked on is decoded: the second half of Tile::decodes.
bool Tile::survives_in_cells(const Reception& what, const Heard& wanted, uint64_t draw) {
  const Tables tables = world_->plane->tables();
  const bool at_ends = config().chunks_end_at_ends, hard = config().hard_capture;
  const uint64_t audible = static_cast<uint64_t>(config().audible_power);
  heard_.clear();
  hear_background(what.dst, what.channel, what.start, what.end);
  for (const Heard& h : heard_)
    if (hard && h.power >= audible) return false;
  for (int ring = 0; ring < kRings && cells_->strongest(ring) > 0; ++ring) {
    const bool clear = each_audible(what.dst, what.channel, ring, what.start, what.end,
                                    [&](const Record& r, uint64_t power) {
      if (r.id == wanted.id && r.start == wanted.start) return true;
      heard_.push_back({r.start, r.start + r.ticks, power, r.id, wanted.channel});
      return !hard || power < audible;
    });
    if (!clear) return false;
    const uint64_t more = bound_from(what.dst, what.channel, ring + 1, what.start);
    if (more == 0) break;
    if (hard && cells_->strongest(ring + 1) >= audible) continue;
    if (draw < success_threshold(tables, swept_cost(wanted, true, more))) return true;
    if (!(draw < success_threshold(tables, swept_cost(wanted, at_ends, 0)))) return false;
  }
  return draw < success_threshold(tables, swept_cost(wanted, at_ends, 0));
}

}  // namespace teiden
