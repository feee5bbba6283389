// What a node hears, asked only when it matters: is the channel busy, was the radio locked on this frame,
// was it decoded. Behaviours 1 to 4 of docs/engine.md.
#include <algorithm>

#include "mesh.h"

namespace teiden {

// Collect into heard_, in order of start, all that reaches a node with start < before and end > after.
void Mesh::hear(int32_t node, int64_t after, int64_t before) {
  const Place here = plane.place(node);
  heard_.clear();
  const int64_t first = air_.first_after(after);
  const Spot spot = spot_of(here);
  int64_t i = air_.last_before(before);
  while ((i = air_.last_near(i, first, spot, plane.spot_reach())) >= first) {
    const int64_t number = i--;
    const Transmission& t = air_.at(number);
    if (t.end <= after || t.end <= t.start || t.src == node) continue;
    const uint64_t power = plane.power(t.src, t.from, node, here);
    if (power) heard_.push_back({number, t.start, t.end, power, t.channel});
  }
  std::reverse(heard_.begin(), heard_.end());
}

// Return the channel a node would lock on for a frame that starts at this tick.
int32_t Mesh::listening_on(int32_t node, int64_t start) const {
  const Node& n = nodes[node];
  return start < n.away_until ? n.away_channel : listening_channel(config(), node, pan_of(node), start);
}

// Return whether a frame is on the node's channel and strong enough to lock on with nothing else on air.
bool Mesh::can_lock(int32_t node, const Heard& heard) const {
  if (heard.power < static_cast<uint64_t>(config().audible_power)) return false;
  return config().channels <= 1 || heard.channel == listening_on(node, heard.start);
}

// Return whether the SINR at the first bit of heard_[index] allows a lock; of equal starts the first sees no other.
bool Mesh::wins_lock(size_t index) const {
  const Heard& wanted = heard_[index];
  uint64_t others = 1ULL << kNoiseBits;
  for (size_t j = 0; j < index; ++j)
    if (heard_[j].end > wanted.start && heard_[j].channel == wanted.channel) others += heard_[j].power;
  const Tables tables = plane.tables();
  return log2_lu(tables, wanted.power) - log2_lu(tables, others) > config().lock_lu;
}

// Bring a node's lock up to date for every frame that starts before `upto`.
//
// Walk back over the frames that could have been locked on, to an instant when none was on air (or to where
// this node's lock is known), then replay their starts in order: the first that wins the lock keeps it to its
// end, whatever comes later.
void Mesh::resolve_lock(int32_t node, int64_t upto) {
  Node& n = nodes[node];
  if (n.heard_until >= upto) return;
  if (crowded(upto)) {
    resolve_lock_in_cells(node, upto);
    return;
  }
  const int64_t floor = std::max(n.heard_until, upto - config().lock_history_us);
  int64_t chain = upto;  // from here on some lockable frame is on air without a break
  const Place here = plane.place(node);
  heard_.clear();
  int64_t first = air_.first_after(chain - 1);  // what ends at `upto` was still on air in the tick before
  const Spot spot = spot_of(here);
  int64_t i = air_.last_before(upto);
  while ((i = air_.last_near(i, first, spot, plane.spot_reach())) >= first) {
    const int64_t number = i--;
    const Transmission& t = air_.at(number);
    if (t.src == node || t.end <= t.start) continue;
    const uint64_t power = plane.power(t.src, t.from, node, here);
    if (!power) continue;
    heard_.push_back({number, t.start, t.end, power, t.channel});
    if (t.end < chain || t.start >= chain || (number != n.lock && !can_lock(node, heard_.back()))) continue;
    chain = std::max(floor, t.start);
    first = air_.first_after(chain - 1);
  }
  std::reverse(heard_.begin(), heard_.end());

  int64_t lock = chain <= n.heard_until && air_.holds(n.lock) ? n.lock : -1;
  int64_t locked_until = lock >= 0 ? air_.at(lock).end : 0;
  for (size_t k = 0; k < heard_.size(); ++k) {
    const Heard& h = heard_[k];
    if (h.start < chain || h.start < locked_until) continue;
    if (!can_lock(node, h) || !wins_lock(k)) continue;
    lock = h.number;
    locked_until = h.end;
  }
  n.heard_until = upto;
  n.lock = locked_until >= upto ? lock : -1;
}

// Assess the channel at the end of a CCA: busy if the radio is locked on a frame, if the power is at or above
// the threshold now, or if it was when a signal started inside the window. A signal that ends inside is not seen.
bool Mesh::channel_busy(int32_t node, int32_t channel, int64_t tick) {
  resolve_lock(node, tick + 1);
  const Node& n = nodes[node];
  if (n.lock >= 0 && air_.holds(n.lock) && air_.at(n.lock).end > tick) return true;
  if (crowded(tick)) return loud_in_cells(node, channel, tick);
  const int64_t from = tick - config().cca_us;
  hear(node, from, tick + 1);
  for (size_t k = 0; k <= heard_.size(); ++k) {
    const int64_t instant = k < heard_.size() ? heard_[k].start : tick;
    if (instant <= from) continue;
    uint64_t power = 0;
    for (size_t j = 0; j < heard_.size() && heard_[j].start <= instant; ++j)
      if (heard_[j].end > instant && heard_[j].channel == channel) power += heard_[j].power;
    if (power >= static_cast<uint64_t>(config().cca_power)) return true;
  }
  return false;
}

// Return the error cost of a reception: SINR by chunks of time between edges_, with what is on air at a chunk's end
// (heard_ holds what overlaps).
int64_t Mesh::reception_cost(const Transmission& wanted, uint64_t power, int64_t number) const {
  const Tables tables = plane.tables();
  const int64_t signal = log2_lu(tables, power);
  int64_t cost = 0;
  for (size_t e = 0; e + 1 < edges_.size(); ++e) {
    if (edges_[e] == edges_[e + 1]) continue;
    const int64_t until = edges_[e + 1];
    uint64_t others = 1ULL << kNoiseBits;
    for (const Heard& h : heard_)
      if (h.number != number && h.channel == wanted.channel && h.start < until && h.end >= until) others += h.power;
    cost += tick_cost(tables, signal - log2_lu(tables, others)) * (edges_[e + 1] - edges_[e]);
  }
  return cost;
}

// Return whether a node decodes a transmission that ends now. Chunks end where a signal starts or, unless the radio
// is to be as ns-3's, ends: ns-3 closes no chunk when an interferer ends, and so overlooks it.
bool Mesh::decodes(int32_t node, int64_t number) {
  const Transmission& wanted = air_.at(number);
  if (wanted.start >= nodes[node].heard_until) resolve_lock(node, wanted.start + 1);
  if (nodes[node].lock != number) {
    ++counters.missed_lock;
    return false;
  }
  const bool many = crowded(wanted.end);
  if (many) {
    heard_.clear();
    gather(node, wanted.start, wanted.end, wanted.channel, 0, cells_.count());
  } else {
    hear(node, wanted.start, wanted.end);
  }
  edges_.assign({wanted.start, wanted.end});
  bool overlapped = false;
  uint64_t power = 0;
  for (const Heard& h : heard_) {
    if (h.number == number) power = h.power;
    else if (h.channel == wanted.channel) {
      if (h.start > wanted.start) edges_.push_back(h.start);
      if (h.end < wanted.end && config().chunks_end_at_ends) edges_.push_back(h.end);
      overlapped |= h.power >= static_cast<uint64_t>(config().audible_power);
    }
  }
  std::sort(edges_.begin(), edges_.end());
  const int64_t cost =
      many ? reception_cost_swept(wanted, power, number) : reception_cost(wanted, power, number);
  const uint64_t draw = draw_u64(static_cast<uint64_t>(config().seed), kDecode, node, wanted.end);
  const bool clean = !(config().hard_capture && overlapped) && draw < success_threshold(plane.tables(), cost);
  if (!clean) ++counters.missed_noise;
  return clean;
}

}  // namespace teiden
