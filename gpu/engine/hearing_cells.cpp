// What a node hears, the fast form: the same answers as hearing.cpp, from the cells around the node (cells.h).
//
// An event's looks share what they gather, ring by ring from near to far and no further than an answer needs. Four facts
// keep that exact. Sums are integers, so a sum that is bounded on the right side of a threshold need not be finished. A
// frame that does not win the lock on an idle radio never matters for the lock, so only winners are followed back. A frame
// from further away than the rings gathered cannot win while something strong enough from those is on air. And the draw of
// a reception is known beforehand, so its cost only has to be bounded.
#include "tile.h"

namespace teiden {

constexpr uint64_t kNoise = 1ULL << kNoiseBits;
constexpr int32_t kFew = 48;  // signals in the nine fields around: up to so many, bounds cost more than they save

// Visit (record, power) of all that reaches a node on a channel from one ring, with start < before and
// after < end <= upto.
template <class Visit>
void Tile::each_audible(int32_t node, int32_t channel, int ring, int64_t after, int64_t upto, int64_t before,
                        Visit visit) const {
  const Spot& here = at(node).spot;
  const int32_t id = at(node).id;
  const int64_t oldest = after - world_->longest;
  cells_->each_slot(here.cell, channel, ring, since(after), [&](int64_t slot) {
    cells_->each_record(slot, oldest, before, [&](const Record& r) {
      const int64_t end = r.start + r.ticks;
      if (end <= after || end > upto || r.ticks <= 0 || r.id == id) return;
      const uint64_t power = cells_->power(*world_->plane, r, id, here);
      if (power) visit(r, power);
    });
  });
}

// Visit the same from all rings at once.
template <class Visit>
void Tile::each_audible_around(int32_t node, int32_t channel, int64_t after, int64_t upto, int64_t before,
                               Visit visit) const {
  const Spot& here = at(node).spot;
  const int32_t id = at(node).id;
  const int64_t oldest = after - world_->longest;
  cells_->each_slot_around(here.cell, channel, since(after), [&](int64_t slot) {
    cells_->each_record(slot, oldest, before, [&](const Record& r) {
      const int64_t end = r.start + r.ticks;
      if (end <= after || end > upto || r.ticks <= 0 || r.id == id) return;
      const uint64_t power = cells_->power(*world_->plane, r, id, here);
      if (power) visit(r, power);
    });
  });
}

bool Tile::few_around(int32_t node, int32_t channel) const {
  return cells_->signals_around(at(node).spot.cell, channel) <= kFew;
}

// Return among which signals all is that ends after a tick.
Since Tile::since(int64_t after) const {
  const int64_t ago = looks_from_ - after;
  if (ago <= world_->live) return kLive;
  return ago <= world_->longest ? kLate : ago <= 3 * world_->longest ? kRecent : kAll;
}

// ---------------------------------------------------------------- what an event gathers

// Begin to listen at a node: heard_ will hold what starts before `until` and ends after `near`, and when it is asked for
// (recall) what ended between `from` and `near`, too.
void Tile::open_ears(int32_t node, int64_t from, int64_t near, int64_t until) {
  heard_.clear();
  loudest_ = winner_ = {};
  past_from_ = kNever;
  ears_open_ = 0;
  ears_node_ = node;
  ears_from_ = smaller(from, near);
  ears_near_ = near;
  ears_until_ = until;
}

// Return what has been gathered on a channel.
Tile::Ear& Tile::ear(int32_t channel) {
  for (int64_t i = 0; i < ears_open_; ++i)
    if (ears_[i]->channel == channel) return *ears_[i];
  return open_ear(channel);
}

// Begin to listen on a channel.
Tile::Ear& Tile::open_ear(int32_t channel) {
  if (ears_open_ == ears_.size()) ears_.push(static_cast<Ear*>(grow_block(nullptr, 0, sizeof(Ear))));
  Ear& e = *ears_[ears_open_++];
  e.channel = channel;
  e.rings = e.past_rings = 0;
  e.bounded = e.past_bounded = false;
  e.at_once = few_around(ears_node_, channel);
  hear_background(ears_node_, channel, ears_near_, ears_until_);  // as signals of nobody
  if (e.at_once) hear_at_once(e);
  return e;
}

// Gather all rings on a channel, in one pass.
void Tile::hear_at_once(Ear& e) {
  each_audible_around(ears_node_, e.channel, ears_near_, kNever, ears_until_, [&](const Record& r, uint64_t power) {
    heard_.push({r.start, r.start + r.ticks, power, r.id, e.channel});
    if (power > loudest_.power) loudest_ = heard_.back();
  });
  e.rings = kRings;
  e.bound[kRings] = e.past_bound[kRings] = 0;
  e.bounded = e.past_bounded = true;
}

// Gather the next ring on a channel.
void Tile::hear_further(Ear& e) {
  each_audible(ears_node_, e.channel, e.rings++, ears_near_, kNever, ears_until_, [&](const Record& r, uint64_t power) {
    heard_.push({r.start, r.start + r.ticks, power, r.id, e.channel});
    if (power > loudest_.power) loudest_ = heard_.back();
  });
}

// Gather what ended between ears_from_ and ears_near_ in the next ring, or in all at once.
void Tile::recall_further(Ear& e) {
  const auto keep = [&](const Record& r, uint64_t power) {
    heard_.push({r.start, r.start + r.ticks, power, r.id, e.channel});
  };
  if (e.at_once && large_) cells_->fetch_around(at(ears_node_).spot.cell, e.channel, since(ears_from_));
  if (e.at_once) each_audible_around(ears_node_, e.channel, ears_from_, ears_near_, ears_until_, keep);
  else each_audible(ears_node_, e.channel, e.past_rings, ears_from_, ears_near_, ears_until_, keep);
  e.past_rings = e.at_once ? kRings : e.past_rings + 1;
}

// Gather the same in the nearest rings of all channels that have been listened to.
void Tile::recall(int rings) {
  for (int64_t i = 0; i < ears_open_; ++i)
    while (ears_[i]->past_rings < smaller(rings, ears_[i]->rings)) recall_further(*ears_[i]);
}

// Fill what the signals that end after a tick can add at most, from each ring but the nearest and those beyond.
void Tile::bound_rings(const Ear& e, int64_t after, uint64_t* bound) const {
  constexpr uint64_t kBeyond = 1ULL << 60;
  Wide power[kRings] = {};
  cells_->bound_rings(at(ears_node_).spot, e.channel, since(after), power);
  Wide sum = 0;
  bound[kRings] = 0;
  for (int ring = kRings; ring-- > kNearRings;) {
    sum += power[ring];
    bound[ring] = sum < kBeyond ? static_cast<uint64_t>(sum) : kBeyond;
  }
}

// Return what a channel's rings not yet gathered can add at most; 0: they are silent.
uint64_t Tile::bound_beyond(Ear& e) const {
  if (!e.bounded) bound_rings(e, ears_near_, e.bound);
  e.bounded = true;
  return e.bound[e.rings];
}

// Return the same where what ended between ears_from_ and ears_near_ counts too.
uint64_t Tile::past_bound_beyond(Ear& e) const {
  if (!e.past_bounded) bound_rings(e, ears_from_, e.past_bound);
  e.past_bounded = true;
  return e.past_bound[e.past_rings];
}

// ---------------------------------------------------------------- who wins the lock of an idle radio

// Return whether a signal is on air on a frame's channel when that starts, and goes before it.
TEIDEN_FN bool disturbs(const Heard& h, const Heard& wanted) {
  return h.end > wanted.start && h.channel == wanted.channel && starts_before(h, wanted);
}

// Return whether a frame of this power certainly fails to win the lock against `others` (noise included).
bool Tile::surely_loses(uint64_t power, uint64_t others) const {
  return (Wide{power} << kNoiseBits) < Wide{others} * sure_ratio_;
}

bool Tile::wins_against(uint64_t power, uint64_t others) const {
  const Tables tables = world_->plane->tables();
  return log2_lu(tables, power) - log2_lu(tables, others) > config().lock_lu;
}

// Return whether a frame that started at ears_from_ or later wins against all that is on air before it.
bool Tile::wins(const Heard& wanted) {
  if (disturbs(loudest_, wanted) && surely_loses(wanted.power, kNoise + loudest_.power)) return false;
  Ear& e = ear(wanted.channel);
  const bool past = wanted.start < ears_near_;
  uint64_t others = noise_at(ears_node_, wanted.channel, wanted.start);
  for (int64_t seen = 0;;) {
    for (; seen < heard_.size(); ++seen) {
      const Heard& h = heard_[seen];
      if (h.id < 0 || !disturbs(h, wanted)) continue;
      others += h.power;
      if (surely_loses(wanted.power, others)) return false;
    }
    if ((past ? e.past_rings : e.rings) >= kNearRings) {
      const uint64_t more = past ? past_bound_beyond(e) : bound_beyond(e);
      if (more == 0) return wins_against(wanted.power, others);
      if (!surely_loses(wanted.power, others + more) && wins_against(wanted.power, others + more)) return true;
    }
    if (past && e.past_rings < e.rings) recall_further(e);
    else hear_further(e);
  }
}

// Return whether a reception wins the lock of an idle radio: Tile::would_lock.
bool Tile::could_lock(const Reception& what, Heard* wanted, bool new_start) {
  const Spot& from = at(what.src).spot;
  const int32_t id = at(what.src).id;
  const Record r{what.start, static_cast<int32_t>(what.end - what.start), id, from.x_mm, from.y_mm, from.extra_lu, 0};
  const uint64_t power = cells_->power(*world_->plane, r, at(what.dst).id, at(what.dst).spot);
  *wanted = {what.start, what.end, power, id, what.channel};
  if (power == 0) return false;
  if (!new_start) return true;
  if (!can_lock(what.dst, *wanted) || !wins(*wanted)) return false;
  winner_ = *wanted;
  return true;
}

// Return whether at every instant from `first` to `upto` something in a list keeps any signal of this power from winning
// the lock.
bool Tile::drowns(const Array<Heard>& heard, uint64_t power, int64_t first, int64_t upto) const {
  if (config().channels > 1) return false;  // it would have to be on the right channel
  int64_t open = upto - 1;                  // the last instant not known to be drowned
  while (open >= first) {
    int64_t earlier = open;
    for (const Heard& h : heard)
      if (h.start < earlier && h.end > open && surely_loses(power, kNoise + h.power)) earlier = h.start;
    if (earlier == open) return false;
    open = earlier;
  }
  return true;
}

// List the channels a node listened on from `first` to `upto`, to lock on what starts there.
void Tile::list_channels(int32_t node, int64_t first, int64_t upto) {
  channels_.clear();
  if (config().channels <= 1) {
    channels_.push(0);
    return;
  }
  for (int64_t tick = first; tick < upto; tick = listens_until(node, tick)) {
    const int32_t channel = listening_on(node, tick);
    bool listed = false;
    for (const int32_t other : channels_) listed |= other == channel;
    if (!listed) channels_.push(channel);
  }
}

// Return a tick up to which a node certainly listens on the channel of an earlier one.
int64_t Tile::listens_until(int32_t node, int64_t tick) const {
  const Node& n = at(node);
  if (tick < n.away_until) return n.away_until;
  int64_t until = next_dwell(config(), static_cast<uint32_t>(n.id), tick);
  if (pan_of(node) < 0 || !has_broadcast_schedule(config())) return until;
  const BroadcastDwell dwell = broadcast_dwell(config(), static_cast<uint32_t>(pan_of(node)), tick);
  return smaller(until, tick < dwell.begin ? dwell.begin : dwell.end);
}

// ---------------------------------------------------------------- the lock

// Return whether what has been heard, with what has ended nearby, keeps anything from a ring and those beyond from winning
// at any instant from `first` to `tick`.
bool Tile::drowned(int ring, int64_t first, int64_t tick) {
  const uint64_t power = cells_->strongest(ring);
  if (config().channels > 1 || !surely_loses(power, kNoise + loudest_.power)) return false;
  if (drowns(heard_, power, first, tick)) return true;
  for (int rings = 1; rings <= kNearRings; ++rings) {
    const int64_t known = heard_.size();
    recall(rings);
    if (heard_.size() > known && drowns(heard_, power, first, tick)) return true;
  }
  return false;
}

// Gather what may be locked on at a tick: whatever started within one frame before it, from `floor` on. Return how many
// rings; nothing from beyond is strong enough to be locked on, or could win among what is nearer. What was on air when one
// of those started may have been locked on a frame earlier, on another channel.
int Tile::hear_lockable(int64_t floor, int64_t tick) {
  const uint64_t least = static_cast<uint64_t>(config().audible_power);
  const int64_t first = larger(floor, tick - world_->longest);
  list_channels(ears_node_, tick - 2 * world_->longest, tick);
  bool all = true;
  for (const int32_t channel : channels_) all &= ear(channel).rings == kRings;
  if (all) return kRings;
  int ring = 0;
  for (; ring < kRings && cells_->strongest(ring) >= least; ++ring) {
    if (ring >= kNearRings && drowned(ring, first, tick)) return ring;
    for (const int32_t channel : channels_)
      for (Ear& e = ear(channel); e.rings <= ring;) hear_further(e);
  }
  return ring;
}

// Find the first of the frames that started from `floor` on, before a tick, and lasted to it, and that would win the lock
// of an idle radio. If there is none the radio was not locked then.
bool Tile::first_winner(int64_t floor, int64_t tick, Heard* winner) {
  bool found = false;
  for (int64_t k = 0; k < heard_.size(); ++k) {
    const Heard h = heard_[k];
    if (h.end < tick || h.start < floor || h.start >= tick || h.id < 0 || (found && starts_before(*winner, h))) continue;
    const bool known = h.start == winner_.start && h.id == winner_.id && h.power == winner_.power;
    if (!known && (!can_lock(ears_node_, h) || !wins(h))) continue;
    *winner = h;
    found = true;
  }
  return found;
}

// Return whether, as far as is known, anything could have kept the radio locked when a winner started: something that
// could be locked on was on air, or started in the same tick and goes first. Only the nearest rings can matter.
bool Tile::may_be_locked(int64_t floor, const Heard& winner, int rings) {
  if (winner.start < ears_near_) recall(rings);
  const uint64_t least = static_cast<uint64_t>(config().audible_power);
  for (const Heard& h : heard_) {
    if (h.power < least || h.id < 0 || h.start < floor || h.end <= winner.start || !starts_before(h, winner)) continue;
    uint64_t others = kNoise;  // a part of what was on air when it started
    for (const Heard& o : heard_)
      if (disturbs(o, h)) others += o.power;
    if (!surely_loses(h.power, others)) return true;
  }
  return false;
}

// Bring a node's lock up to date: Tile::resolve_lock (hearing.cpp). Nearly always what is on air at the end tells; if
// winners follow each other without a gap they are replayed.
void Tile::resolve_lock_in_cells(int32_t node, int64_t upto) {
  Node& n = at(node);
  const int64_t floor = larger(n.heard_until, upto - config().lock_history_us);
  const bool was_locked = n.lock_id >= 0 && n.lock_end > n.heard_until;
  if (was_locked && n.lock_end >= upto) {
    n.heard_until = upto;
    return;
  }
  const int rings = hear_lockable(floor, upto);
  const bool all = cells_->strongest(rings) < static_cast<uint64_t>(config().audible_power);
  Heard winner{};
  if (!first_winner(floor, upto, &winner)) {
    n.lock_id = -1;
    n.heard_until = upto;
    return;
  }
  int64_t from = floor;  // an instant at which the radio was certainly not locked, or `floor`
  if (!was_locked || n.lock_end < winner.start) {
    const bool alone = !may_be_locked(all ? floor : winner.start, winner, rings);
    from = all && alone ? winner.start : last_unlocked(node, floor, winner.start);
    if (from == winner.start && alone) {
      n.lock_id = winner.id;
      n.lock_end = winner.end;
      n.heard_until = upto;
      return;
    }
  }
  replay_lock(node, from, upto);
  n.heard_until = upto;
}

// Collect in past_ what may decide the lock for starts from `first` to `upto`, ring by ring until nothing from further
// away can; return how many rings.
int Tile::gather_past(int32_t node, int64_t first, int64_t upto) {
  if (gather_past_at_once(node, first)) return kRings;
  past_.clear();
  past_from_ = kNever;
  list_channels(node, first, upto);
  for (int ring = 0; ring < kRings; ++ring) {
    if (cells_->strongest(ring) < static_cast<uint64_t>(config().audible_power)) return ring;
    if (ring > 0 && drowns(past_, cells_->strongest(ring), first, upto)) return ring;
    for (const int32_t channel : channels_)
      each_audible(node, channel, ring, first, kNever, upto, [&](const Record& r, uint64_t power) {
        past_.push({r.start, r.start + r.ticks, power, r.id, channel});
      });
  }
  return kRings;
}

// Collect in past_ all from a tick on, from all rings, if that is not much; return whether it is.
bool Tile::gather_past_at_once(int32_t node, int64_t first) {
  if (past_from_ <= first) return true;  // it is there
  list_channels(node, first, ears_until_);
  for (const int32_t channel : channels_)
    if (!few_around(node, channel)) return false;
  past_.clear();
  for (const int32_t channel : channels_) {
    if (large_) cells_->fetch_around(at(node).spot.cell, channel, since(first));
    each_audible_around(node, channel, first, kNever, ears_until_, [&](const Record& r, uint64_t power) {
      past_.push({r.start, r.start + r.ticks, power, r.id, channel});
    });
  }
  past_from_ = first;
  return true;
}

// Return whether past_[index], from the `rings` nearest rings, would win the lock of an idle radio.
bool Tile::won_in_past(int32_t node, int64_t index, int rings) const {
  const Heard& wanted = past_[index];
  uint64_t others = noise_at(node, wanted.channel, wanted.start);
  for (const Heard& h : past_) {
    if (!disturbs(h, wanted)) continue;
    others += h.power;
    if (surely_loses(wanted.power, others)) return false;
  }
  for (; rings < kRings && cells_->strongest(rings) > 0 && !surely_loses(wanted.power, others); ++rings)
    each_audible(node, wanted.channel, rings, wanted.start, kNever, wanted.start + 1,
                 [&](const Record& r, uint64_t power) {
                   if (r.start < wanted.start || r.id < wanted.id) others += power;
                 });
  return wins_against(wanted.power, others);
}

// Return the last instant before `upto` at which no winner was on air, or `floor`.
int64_t Tile::last_unlocked(int32_t node, int64_t floor, int64_t upto) {
  const Node& n = at(node);
  for (int64_t from = upto; from > floor;) {
    const int rings = gather_past(node, larger(floor, from - world_->longest - 1), from);
    int64_t earliest = from;
    for (int64_t k = 0; k < past_.size(); ++k) {
      const Heard& h = past_[k];
      if (h.end < from || h.start < floor || h.start >= earliest) continue;
      if (can_lock(node, h) && won_in_past(node, k, rings)) earliest = h.start;
    }
    if (n.lock_id >= 0 && n.lock_end >= earliest) return floor;
    if (earliest == from) return from;
    from = earliest;
  }
  return floor;
}

// Replay the starts from an instant on whose lock is known.
void Tile::replay_lock(int32_t node, int64_t from, int64_t upto) {
  Node& n = at(node);
  const int rings = gather_past(node, from, upto);
  put_in_order(past_.begin(), past_.end(), starts_before);
  if (from > n.heard_until) n.lock_id = -1;
  int64_t locked_until = n.lock_id >= 0 ? n.lock_end : 0;
  for (int64_t k = 0; k < past_.size(); ++k) {
    const Heard& h = past_[k];
    if (h.start < from || h.start >= upto || h.start < locked_until) continue;
    if (!can_lock(node, h) || !won_in_past(node, k, rings)) continue;
    n.lock_id = h.id;
    n.lock_end = locked_until = h.end;
  }
  if (locked_until < upto) n.lock_id = -1;
}

// ---------------------------------------------------------------- power and noise

// Return whether the power is at the CCA threshold now, or was at a start inside the window: Tile::loud.
bool Tile::loud_in_cells(int32_t channel, int64_t tick) {
  const int64_t from = tick - config().cca_us;
  const uint64_t threshold = static_cast<uint64_t>(config().cca_power);
  uint64_t now = 0, ended = 0;  // on air at the tick; ended inside the window
  int64_t seen = 0;
  for (Ear& e = ear(channel);; hear_further(e)) {
    for (; seen < heard_.size(); ++seen) {
      const Heard& h = heard_[seen];
      if (h.channel == channel && h.end > from) (h.end > tick ? now : ended) += h.power;
    }
    if (now >= threshold) return true;
    if (e.rings < kNearRings) continue;
    const uint64_t more = bound_beyond(e);
    if (now + ended + more < threshold) return false;
    if (more == 0) return loud_at_a_start(channel, tick, now, threshold);
  }
}

// Return whether the power reached the threshold at a start inside the window.
bool Tile::loud_at_a_start(int32_t channel, int64_t tick, uint64_t now, uint64_t threshold) const {
  for (const Heard& at : heard_) {
    if (at.channel != channel || at.start <= tick - config().cca_us) continue;
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

// Return what the error cost of a reception is at most: as if all that overlaps it, and `more`, were on air all along.
int64_t Tile::whole_cost(const Heard& wanted, uint64_t more) const {
  const Tables tables = world_->plane->tables();
  uint64_t others = kNoise + more;
  for (const Heard& h : heard_)
    if (h.channel == wanted.channel && h.end > wanted.start && h.start < wanted.end && h.id != wanted.id) others += h.power;
  return tick_cost(tables, log2_lu(tables, wanted.power) - log2_lu(tables, others)) * (wanted.end - wanted.start);
}

// Return the error cost of a reception as Tile::reception_cost does, with what is in heard_ and `more` on air all along;
// chunks end at ends too, if so asked.
int64_t Tile::swept_cost(const Heard& wanted, bool at_ends, uint64_t more) {
  const Tables tables = world_->plane->tables();
  const int64_t signal = log2_lu(tables, wanted.power);
  uint64_t others = kNoise + more;
  changes_.clear();
  edges_.clear();
  for (const Heard& h : heard_) {
    if (h.channel != wanted.channel || h.end <= wanted.start || h.start >= wanted.end || h.id == wanted.id) continue;
    changes_.push({h.start, h.power});
    if (h.end < wanted.end) changes_.push({h.end, 0 - h.power});
    if (h.start > wanted.start) edges_.push(h.start);
    if (at_ends && h.end < wanted.end) edges_.push(h.end);
  }
  if (changes_.empty()) return tick_cost(tables, signal - log2_lu(tables, others)) * (wanted.end - wanted.start);
  edges_.push(wanted.end);
  put_in_order(changes_.begin(), changes_.end(), Ascending());
  put_in_order(edges_.begin(), edges_.end(), Ascending());
  int64_t cost = 0, from = wanted.start;
  int64_t c = 0;
  for (const int64_t edge : edges_) {
    if (edge == from) continue;
    for (; c < changes_.size() && changes_[c].tick < edge; ++c) others += changes_[c].power;
    cost += tick_cost(tables, signal - log2_lu(tables, others)) * (edge - from);
    from = edge;
  }
  return cost;
}

// Return whether a frame the radio is locked on is decoded: Tile::survives.
bool Tile::survives_in_cells(const Heard& wanted, uint64_t draw) {
  const Tables tables = world_->plane->tables();
  const bool at_ends = config().chunks_end_at_ends, hard = config().hard_capture;
  const uint64_t audible = static_cast<uint64_t>(config().audible_power);
  int64_t seen = 0;
  Ear& e = ear(wanted.channel);
  while (e.rings < kNearRings) hear_further(e);
  for (;; hear_further(e)) {
    for (; hard && seen < heard_.size(); ++seen) {
      const Heard& h = heard_[seen];
      if (h.channel == wanted.channel && h.end > wanted.start && h.start < wanted.end && h.id != wanted.id &&
          h.power >= audible)
        return false;
    }
    const uint64_t more = bound_beyond(e);
    if (hard && more > 0 && cells_->strongest(e.rings) >= audible) continue;
    if (draw < success_threshold(tables, whole_cost(wanted, more))) return true;
    if (more == 0) return draw < success_threshold(tables, swept_cost(wanted, at_ends, 0));
    if (draw < success_threshold(tables, swept_cost(wanted, true, more))) return true;
    if (!(draw < success_threshold(tables, swept_cost(wanted, at_ends, 0)))) return false;
  }
}

}  // namespace teiden
