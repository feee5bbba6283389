// What a node hears, asked only when it matters: is the channel busy, was the radio locked on this frame,
// was it decoded. Behaviours 1 to 4 of docs/engine.md.
#include "tile.h"

namespace teiden {

// Collect into heard_, in order of start, all that reaches a node with start < before and end > after.
void Tile::hear(int32_t node, int64_t after, int64_t before) {
  const Plane& plane = *world_->plane;
  const Node& n = at(node);
  heard_.clear();
  for (int64_t i = air_->starts_before(before); i-- > 0 && (*air_)[i].start > after - world_->longest;) {
    const Signal& s = (*air_)[i];
    if (s.end <= after || s.end <= s.start || s.id == n.id) continue;
    const uint64_t power = plane.power(s, n.id);
    if (power) heard_.push({s.start, s.end, power, s.id, s.channel});
  }
  put_in_order(heard_.begin(), heard_.end(), starts_before);
}

// Return the power of thermal noise and other systems at a node, 2^20 for the noise.
uint64_t Tile::noise_at(int32_t node, int32_t channel, int64_t tick) const {
  const uint64_t noise = 1ULL << kNoiseBits;
  if (!has_background(config())) return noise;
  const Place here = world_->plane->place(at(node).id);
  const Background others = background_at(config(), here.x_mm, here.y_mm, channel);
  return noise + others.power(config(), world_->plane->tables(), others.burst(config(), tick));
}

// Add to heard_ the bursts of other systems on a channel with start < before and end > after.
void Tile::hear_background(int32_t node, int32_t channel, int64_t after, int64_t before) {
  if (!has_background(config())) return;
  const Place here = world_->plane->place(at(node).id);
  const Background others = background_at(config(), here.x_mm, here.y_mm, channel);
  for (int64_t burst = others.burst(config(), after); others.begin(config(), burst) < before; ++burst) {
    const uint64_t power = others.power(config(), world_->plane->tables(), burst);
    const int64_t begin = others.begin(config(), burst), end = others.begin(config(), burst + 1);
    if (power && end > after) heard_.push({begin, end, power, -1, channel});
  }
}

// Return the channel a node would lock on for a frame that starts at this tick.
int32_t Tile::listening_on(int32_t node, int64_t start) const {
  const Node& n = at(node);
  return start < n.away_until ? n.away_channel : listening_channel(config(), n.id, pan_of(node), start);
}

// Return whether a frame is on the node's channel and strong enough to lock on with nothing else on air.
bool Tile::can_lock(int32_t node, const Heard& heard) const {
  if (heard.power < static_cast<uint64_t>(config().audible_power)) return false;
  return config().channels <= 1 || heard.channel == listening_on(node, heard.start);
}

// Return whether the SINR at the first bit of heard_[index] allows a lock; of equal starts the first sees no other.
bool Tile::wins_lock(int32_t node, int64_t index) const {
  const Heard& wanted = heard_[index];
  uint64_t others = noise_at(node, wanted.channel, wanted.start);
  for (int64_t j = 0; j < index; ++j)
    if (heard_[j].end > wanted.start && heard_[j].channel == wanted.channel) others += heard_[j].power;
  const Tables tables = world_->plane->tables();
  return log2_lu(tables, wanted.power) - log2_lu(tables, others) > config().lock_lu;
}

// Return from when on a start may matter for a node's lock at a tick.
int64_t Tile::unresolved_from(int32_t node, int64_t tick) const {
  return larger(at(node).heard_until, tick - world_->longest);
}

// Bring a node's lock up to date for every frame that starts before `upto`.
//
// Walk back over the frames that could have been locked on, to an instant when none was on air (or to where
// this node's lock is known), then replay their starts in order: the first that wins the lock keeps it to its
// end, whatever comes later.
void Tile::resolve_lock(int32_t node, int64_t upto) {
  Node& n = at(node);
  if (n.heard_until >= upto) return;
  if (fast()) {
    const int64_t from = unresolved_from(node, upto);
    if (ears_node_ != node || ears_until_ < upto || ears_from_ > from) open_ears(node, from, upto - 1, upto);
    resolve_lock_in_cells(node, upto);
    return;
  }
  const Plane& plane = *world_->plane;
  const int64_t floor = larger(n.heard_until, upto - config().lock_history_us);
  int64_t chain = upto;  // from here on some lockable frame is on air without a break
  heard_.clear();
  // what ends at `upto` was still on air in the tick before
  for (int64_t i = air_->starts_before(upto); i-- > 0 && (*air_)[i].start > chain - 1 - world_->longest;) {
    const Signal& s = (*air_)[i];
    if (s.id == n.id || s.end <= s.start) continue;
    const uint64_t power = plane.power(s, n.id);
    if (!power) continue;
    heard_.push({s.start, s.end, power, s.id, s.channel});
    const bool locked = s.id == n.lock_id && s.end == n.lock_end;
    if (s.end < chain || s.start >= chain || (!locked && !can_lock(node, heard_.back()))) continue;
    chain = larger(floor, s.start);
  }
  put_in_order(heard_.begin(), heard_.end(), starts_before);

  if (chain > n.heard_until) n.lock_id = -1;
  int64_t locked_until = n.lock_id >= 0 ? n.lock_end : 0;
  for (int64_t k = 0; k < heard_.size(); ++k) {
    const Heard& h = heard_[k];
    if (h.start < chain || h.start < locked_until) continue;
    if (!can_lock(node, h) || !wins_lock(node, k)) continue;
    n.lock_id = h.id;
    n.lock_end = locked_until = h.end;
  }
  n.heard_until = upto;
  if (locked_until < upto) n.lock_id = -1;
}

// Assess the channel at the end of a CCA: busy if the power is at or above the threshold in its last instant, if it was
// when a signal started inside the window (one that ends inside is not seen), or if the radio is locked on a frame.
// What starts in the tick in which the window ends comes too late: ns-3 decides first.
bool Tile::channel_busy(int32_t node, int32_t channel, int64_t tick) {
  if (fast()) open_ears(node, unresolved_from(node, tick), tick - config().cca_us, tick);
  if (fast() ? loud_in_cells(channel, tick) : loud(node, channel, tick)) return true;
  resolve_lock(node, tick);
  return at(node).lock_id >= 0 && at(node).lock_end > tick;
}

bool Tile::loud(int32_t node, int32_t channel, int64_t tick) {
  const int64_t from = tick - config().cca_us;
  hear(node, from, tick);
  hear_background(node, channel, from, tick);
  put_in_order(heard_.begin(), heard_.end(), starts_before);
  for (int64_t k = 0; k <= heard_.size(); ++k) {
    const int64_t instant = k < heard_.size() ? heard_[k].start : tick;
    if (instant <= from || (k < heard_.size() && heard_[k].channel != channel)) continue;
    uint64_t power = 0;
    for (int64_t j = 0; j < heard_.size() && heard_[j].start <= instant; ++j)
      if (heard_[j].end > instant && heard_[j].channel == channel) power += heard_[j].power;
    if (power >= static_cast<uint64_t>(config().cca_power)) return true;
  }
  return false;
}

// Return the error cost of a reception: SINR by chunks of time between edges_, with what is on air at a chunk's end
// (heard_ holds what overlaps).
int64_t Tile::reception_cost(const Heard& wanted) const {
  const Tables tables = world_->plane->tables();
  const int64_t signal = log2_lu(tables, wanted.power);
  int64_t cost = 0;
  for (int64_t e = 0; e + 1 < edges_.size(); ++e) {
    if (edges_[e] == edges_[e + 1]) continue;
    const int64_t until = edges_[e + 1];
    uint64_t others = 1ULL << kNoiseBits;
    for (const Heard& h : heard_)
      if (h.id != wanted.id && h.channel == wanted.channel && h.start < until && h.end >= until) others += h.power;
    cost += tick_cost(tables, signal - log2_lu(tables, others)) * (edges_[e + 1] - edges_[e]);
  }
  return cost;
}

// Return whether a node decodes a transmission that ends now: its radio locked on it, and it survives the noise.
bool Tile::decodes(const Reception& what, int64_t tick) {
  Node& n = at(what.dst);
  Heard wanted{};
  const bool new_start = what.start >= n.heard_until;
  if (fast()) open_ears(what.dst, unresolved_from(what.dst, what.start), what.start, tick);
  bool locked = fast() ? could_lock(what, &wanted, new_start) : would_lock(what, &wanted, new_start);
  if (locked) {
    resolve_lock(what.dst, what.start + 1);
    locked = n.lock_id == wanted.id && n.lock_end == tick;
  }
  if (!locked) {
    ++counters.missed_lock;
    return false;
  }
  const uint64_t draw = draw_keyed(world_->decode_key, static_cast<uint32_t>(n.id), static_cast<uint64_t>(tick));
  const bool clean = fast() ? survives_in_cells(wanted, draw) : survives(what, wanted, draw);
  if (!clean) ++counters.missed_noise;
  return clean;
}

// Return whether a reception wins the lock of an idle radio; what started before heard_until is resolved already.
bool Tile::would_lock(const Reception& what, Heard* wanted, bool new_start) {
  const int32_t id = at(what.src).id;
  hear(what.dst, what.start, what.start + 1);
  for (int64_t k = 0; k < heard_.size(); ++k) {
    if (heard_[k].id != id || heard_[k].start != what.start) continue;
    *wanted = heard_[k];
    return !new_start || (can_lock(what.dst, *wanted) && wins_lock(what.dst, k));
  }
  return false;
}

// Return whether a frame the radio is locked on is decoded. Chunks end where a signal starts or, unless the radio
// is to be as ns-3's, ends: ns-3 closes no chunk when an interferer ends, and so overlooks it.
bool Tile::survives(const Reception& what, const Heard& wanted, uint64_t draw) {
  hear(what.dst, what.start, what.end);
  hear_background(what.dst, what.channel, what.start, what.end);
  edges_.clear();
  edges_.push(what.start), edges_.push(what.end);
  bool overlapped = false;
  for (const Heard& h : heard_) {
    if (h.id == wanted.id || h.channel != wanted.channel) continue;
    if (h.start > what.start) edges_.push(h.start);
    if (h.end < what.end && config().chunks_end_at_ends) edges_.push(h.end);
    overlapped |= h.power >= static_cast<uint64_t>(config().audible_power);
  }
  put_in_order(edges_.begin(), edges_.end(), Ascending());
  if (config().hard_capture && overlapped) return false;
  return draw < success_threshold(world_->plane->tables(), reception_cost(wanted));
}

}  // namespace teiden
