// Nodes on stored energy: what they spend, when it is gone, what dies with them.
//
// From power_off a node spends listen_mw (sleep_mw while it sleeps), tx_extra_mw more while it transmits, and pays
// rx_extra_mw for each frame to it. A tick is 1 us, so 1 mW is 1 nJ a tick and every account is an exact integer: given =
// spent listening + spent asleep + spent sending + spent receiving + left.
#include <algorithm>

#include "mesh.h"

namespace teiden {

constexpr int64_t kNever = INT64_MAX;

int64_t Mesh::idle_nj(const Node& n, int64_t tick) const {
  const int64_t need = idle_mw(n) * (tick - n.energy_at);
  return std::min(need, n.energy);
}

int64_t Mesh::transmitting_nj(const Node& n, int64_t tick) const {
  const int64_t on_air = std::min(tick, n.tx_to) - std::max(n.energy_at, n.tx_from);
  const int64_t need = config().tx_extra_mw * std::max<int64_t>(on_air, 0);
  return std::min(need, n.energy - idle_nj(n, tick));
}

int64_t Mesh::energy_nj(int32_t node, int64_t tick) const {
  const Node& n = nodes[node];
  if (!n.alive) return 0;
  if (!n.stored) return -1;
  return n.energy - idle_nj(n, tick) - transmitting_nj(n, tick);
}

int64_t Mesh::spent_listening(int32_t node, int64_t tick) const {
  const Node& n = nodes[node];
  return n.spent_listening + (n.stored && !n.asleep ? idle_nj(n, tick) : 0);
}

int64_t Mesh::spent_asleep(int32_t node, int64_t tick) const {
  const Node& n = nodes[node];
  return n.spent_asleep + (n.stored && n.asleep ? idle_nj(n, tick) : 0);
}

int64_t Mesh::spent_sending(int32_t node, int64_t tick) const {
  const Node& n = nodes[node];
  return n.spent_tx + (n.stored ? transmitting_nj(n, tick) : 0);
}

// Bring a node's account up to a tick.
void Mesh::settle(int32_t node, int64_t tick) {
  Node& n = nodes[node];
  const int64_t idle = idle_nj(n, tick);
  const int64_t sending = transmitting_nj(n, tick);
  (n.asleep ? n.spent_asleep : n.spent_listening) += idle;
  n.spent_tx += sending;
  n.energy -= idle + sending;
  n.energy_at = tick;
}

// Return the first tick at which `energy` is spent at `rate` from a tick on.
static int64_t spent_at(int64_t from, int64_t energy, int64_t rate) {
  return rate > 0 ? from + (energy + rate - 1) / rate : kNever;
}

// Set the one death timer that counts; the account must be settled at `tick`.
void Mesh::plan_death(int32_t node, int64_t tick) {
  Node& n = nodes[node];
  const int64_t idle = idle_mw(n);
  int64_t energy = n.energy, from = tick, death = kNever;
  const int64_t send_from = std::max(n.tx_from, tick), send_to = std::max(n.tx_to, tick);
  const struct { int64_t to, rate; } phases[] = {
      {send_from, idle}, {send_to, idle + config().tx_extra_mw}, {kNever, idle}};
  for (const auto& phase : phases) {
    death = spent_at(from, energy, phase.rate);
    if (death <= phase.to) break;
    energy -= phase.rate * (phase.to - from);
    from = phase.to;
  }
  ++n.death_timer;
  if (death < kNever) schedule(death, node, kDeath, static_cast<uint64_t>(n.death_timer), n.death_timer);
}

void Mesh::lose_mains(int32_t node, int64_t tick, int64_t energy_nj, bool sleeps) {
  Node& n = nodes[node];
  if (!n.alive) return;
  if (backed[node]) {
    ++counters.kept_by_battery;
    return;
  }
  if (n.stored) {
    settle(node, tick);
    counters.energy_unused_nj += n.energy;
  }
  n.stored = 1;
  n.energy = energy_nj;
  n.energy_at = tick;
  counters.energy_given_nj += energy_nj;
  if (n.asleep && !sleeps) wake(node, tick);
  n.sleeper = sleeps;
  if (sleeps && n.state == kIdle) fall_asleep(node, tick);
  plan_death(node, tick);
}

// A node without anything to send sleeps until it has: it spends sleep_mw, and hears nothing, not even the rest of a
// frame under way.
void Mesh::fall_asleep(int32_t node, int64_t tick) {
  Node& n = nodes[node];
  if (n.asleep || !n.stored || !n.queue.empty()) return;
  settle(node, tick);
  n.asleep = 1;
  n.lock = -1;
  n.heard_until = kNever;
  plan_death(node, tick);
}

void Mesh::wake(int32_t node, int64_t tick) {
  Node& n = nodes[node];
  settle(node, tick);
  n.asleep = 0;
  n.heard_until = tick;
  plan_death(node, tick);
}

// Return whether a node decodes a transmission that ends now, and let it pay for the reception: for every frame to it
// that its radio was locked on, to the end, decoded or not. Other nodes' frames cost what listening does.
bool Mesh::hears(int32_t node, int64_t number, int64_t tick) {
  const bool clean = decodes(node, number);
  Node& n = nodes[node];
  if (config().rx_extra_mw == 0 || !n.stored || n.lock != number) return clean;
  settle(node, tick);
  const int64_t cost = std::min(config().rx_extra_mw * (tick - air_.at(number).start), n.energy);
  n.spent_rx += cost;
  n.energy -= cost;
  plan_death(node, tick);
  return clean;
}

void Mesh::regain_mains(int32_t node, int64_t tick) {
  Node& n = nodes[node];
  if (n.asleep) wake(node, tick);
  ++n.death_timer;
  n.sleeper = 0;
  if (n.alive && n.stored) {
    settle(node, tick);
    counters.energy_unused_nj += n.energy;
  }
  if (!n.alive) {
    n.alive = 1;
    n.heard_until = tick;
    n.lock = -1;
    n.ready_at = tick;
    n.away_until = 0;
  }
  n.stored = 0;
  n.energy = 0;
}

// The stored energy is gone: the node falls silent and its copies die with it.
void Mesh::die(int32_t node, int64_t tick) {
  Node& n = nodes[node];
  settle(node, tick);
  n.alive = 0;
  n.stored = 0;
  n.asleep = 0;
  n.sleeper = 0;
  ++n.life;
  ++n.timer;
  ++n.death_timer;
  ++counters.deaths;
  deaths.push_back({tick, node, 0});
  cut_transmission(node, tick);
  std::vector<Copy> lost;
  lost.swap(n.queue);
  lost.insert(lost.end(), n.parked.begin(), n.parked.end());
  n.parked.clear();
  n.serving = 0;
  n.state = kIdle;
  for (const Copy& copy : lost) end_copy(copy.frame, node, kDied, tick);
}

// A transmission cut by death interferes until then and cannot be decoded.
void Mesh::cut_transmission(int32_t node, int64_t tick) {
  Node& n = nodes[node];
  if (!air_.holds(n.sending)) return;
  Transmission& t = air_.at(n.sending);
  if (t.end <= tick) return;
  const int64_t end = std::max(t.start, tick);
  n.airtime -= t.end - end;
  (t.is_ack ? counters.on_air_ack_us : counters.on_air_data_us) -= t.end - end;
  t.end = end;
  t.cut = 1;
  if (cells_.laid()) cells_.cut(t, n.sending);
  n.tx_to = end;
  ++counters.cut_by_death;
  if (!t.is_ack && t.dst != kEverybody) end_copy(t.frame, node, kPending, tick);
}

}  // namespace teiden
