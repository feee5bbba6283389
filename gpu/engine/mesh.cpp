// The event loop: one queue in the order (tick, node, type, sequence), whatever windows it is run in.
#include "mesh.h"

#include <algorithm>

namespace teiden {

void Mesh::start() {
  const size_t count = plane.x_mm.size();
  plane.shadow_key = draw_key(static_cast<uint64_t>(config().seed), kShadow);
  nodes.resize(count);
  parent.assign(count, -1);
  hops.assign(count, -1);
  sink_of.assign(count, -1);
  etx.assign(count, -1);
  is_sink.assign(count, 0);
  backed.assign(count, 0);
  if (config().pause_us || config().airtime_limit_us) air_accounts_.resize(count);
}

void Mesh::use_cells() {
  lock_ratio_ = linear_power(plane.tables(), config().lock_lu);
  cells_.lay(plane);
  for (int64_t number = air_.first_number(); number < air_.end_number(); ++number) cells_.add(air_.at(number), number);
}

void Mesh::schedule(int64_t tick, int32_t node, EventType type, uint64_t sequence, int64_t arg) {
  events_.push({tick, node, type, sequence, arg});
}

// Set the node's one MAC timer; the one before it is void.
void Mesh::set_timer(int32_t node, int64_t tick) {
  const int64_t number = ++nodes[node].timer;
  schedule(tick, node, kTimer, static_cast<uint64_t>(number), number);
}

void Mesh::inject(int64_t tick, Frame frame) {
  frame.injected = tick;
  frame.first_tx = frame.first_rx = -1;
  frame.sink = -1;
  frame.last_reason = kNoRoute;  // for a copy that was handed back to where it had been
  frames_.push_back(frame);
  schedule(tick, frame.src, kInject, frame_key(frame), end_frame() - 1);
}

void Mesh::power_off(int32_t node, int64_t tick, int64_t energy, bool sleeps) {
  const int64_t arg = energy << 1 | int64_t{sleeps};
  schedule(tick, node, kPowerOff, static_cast<uint64_t>(arg), arg);
}

void Mesh::find_earshot_again() {
  if (std::any_of(frames_.begin(), frames_.end(), [](const Frame& f) { return f.dst == kEverybody; })) find_earshot();
}

void Mesh::power_on(int32_t node, int64_t tick) { schedule(tick, node, kPowerOn, 0, 0); }

void Mesh::handle(const Event& event) {
  Node& n = nodes[event.node];
  switch (event.type) {
    case kPowerOn:
      regain_mains(event.node, event.tick);
      break;
    case kPowerOff:
      lose_mains(event.node, event.tick, event.arg >> 1, event.arg & 1);
      break;
    case kDeath:
      if (event.arg == n.death_timer) die(event.node, event.tick);
      break;
    case kReceiveEnd:
      receive_end(event.node, event.arg, event.tick);
      break;
    case kTimer:
      if (event.arg == n.timer) timer_fired(event.node, event.tick);
      break;
    case kOfferAgain:
      offer_again(event.node, event.arg, event.tick);
      break;
    default:
      take_injected(event.arg, event.tick);
      break;
  }
}

void Mesh::run_until(int64_t tick) {
  for (Event event; events_.pop_before(tick, &event);) {
    ++counters.events;
    if ((counters.events & 1023) == 0) forget_air(event.tick - config().lock_history_us - 2 * air_.longest());
    handle(event);
  }
  now = std::max(now, tick);
}

// Drop the transmissions that start before a tick and that no look can reach any more.
void Mesh::forget_air(int64_t tick) {
  if (air_.forget_before(tick) && cells_.laid()) cells_.forget_before(air_.first_number());
}

// Hash of a frame's content as injected: no ids, no order of calls.
uint64_t frame_key(const Frame& f) {
  uint64_t key = splitmix64(static_cast<uint64_t>(f.injected));
  for (const int64_t word : {int64_t{f.src}, int64_t{f.dst}, int64_t{f.psdu_bytes}, int64_t{f.priority},
                             int64_t{f.max_offers}, f.reoffer_min, f.reoffer_max})
    key = splitmix64(key ^ static_cast<uint64_t>(word));
  return key;
}

namespace {

uint64_t hash_words(uint64_t key, uint64_t lane, std::initializer_list<int64_t> words) {
  uint64_t h = splitmix64(key + lane);
  for (const int64_t word : words) h = splitmix64(h ^ static_cast<uint64_t>(word));
  return h;
}

uint64_t hash_frame(const Frame& f, uint64_t lane) {
  return hash_words(frame_key(f), lane,
                    {f.first_tx, f.first_rx, f.sink, f.offers, f.attempts, f.copies, f.hops, f.outcome, f.gave_up});
}

}  // namespace

void Mesh::forget_ended() {
  size_t gone = 0;
  for (; gone < frames_.size() && frames_[gone].outcome != kPending; ++gone)
    for (uint64_t lane = 0; lane < 2; ++lane) forgotten_[lane] += hash_frame(frames_[gone], lane);
  frames_.erase(frames_.begin(), frames_.begin() + static_cast<int64_t>(gone));
  first_frame_ += static_cast<int64_t>(gone);
}

// Hash the state by what it means: sums over frames, nodes and pending events, so that neither ids nor the
// order of calls nor memory layout count.
void Mesh::digest(uint64_t out[2]) const {
  for (uint64_t lane = 0; lane < 2; ++lane) {
    uint64_t sum = draw_u64(static_cast<uint64_t>(config().seed), kDigest, lane, static_cast<uint64_t>(now));
    const auto add = [&](uint64_t key, std::initializer_list<int64_t> words) { sum += hash_words(key, lane, words); };
    sum += forgotten_[lane];
    for (const Frame& f : frames_) sum += hash_frame(f, lane);
    for (size_t i = 0; i < nodes.size(); ++i) {
      const Node& n = nodes[i];
      const int64_t queued = static_cast<int64_t>(n.queue.size()), parked = static_cast<int64_t>(n.parked.size());
      add(i, {n.airtime, n.state, n.be, n.backoffs, n.retries, n.alive, n.stored, n.life, n.energy, n.spent_listening,
              n.spent_tx, n.spent_rx, n.spent_asleep, n.asleep, queued, parked, n.ready_at, parent[i]});
    }
    events_.each([&](const Event& e) { add(e.sequence, {e.tick, e.node, e.type}); });
    const int64_t* words = reinterpret_cast<const int64_t*>(&counters);
    for (size_t i = 0; i < sizeof(counters) / sizeof(int64_t); ++i) add(1000 + i, {words[i]});
    out[lane] = sum;
  }
}

}  // namespace teiden
