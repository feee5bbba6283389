// Nodes on stored energy: what they spend, when it is gone, what dies with them.
//
// From power_off a node spends listen_mw (sleep_mw while it sleeps), tx_extra_mw more while it transmits, and pays
// rx_extra_mw for each frame to it. A tick is 1 us, so 1 mW is 1 nJ a tick and every account is an exact integer: given =
// spent listening + spent asleep + spent sending + spent receiving + left.
#pragma once
#include "tile.h"

namespace teiden {

TEIDEN_FN int64_t Tile::idle_nj(int32_t node, int64_t tick) const {
  const Account& a = account(node);
  return smaller(idle_mw(node) * (tick - a.energy_at), a.energy);
}

TEIDEN_FN int64_t Tile::transmitting_nj(int32_t node, int64_t tick) const {
  const Node& n = at(node);
  const Account& a = account(node);
  const int64_t on_air = smaller(tick, n.tx_to) - larger(a.energy_at, n.tx_from);
  const int64_t need = config().tx_extra_mw * larger<int64_t>(on_air, 0);
  return smaller(need, a.energy - idle_nj(node, tick));
}

TEIDEN_FN int64_t Tile::energy_nj(int32_t node, int64_t tick) const {
  if (!at(node).alive) return 0;
  if (!at(node).stored) return -1;
  return account(node).energy - idle_nj(node, tick) - transmitting_nj(node, tick);
}

TEIDEN_FN int64_t Tile::spent_listening(int32_t node, int64_t tick) const {
  const Node& n = at(node);
  return account(node).spent_listening + (n.stored && !n.asleep ? idle_nj(node, tick) : 0);
}

TEIDEN_FN int64_t Tile::spent_asleep(int32_t node, int64_t tick) const {
  const Node& n = at(node);
  return account(node).spent_asleep + (n.stored && n.asleep ? idle_nj(node, tick) : 0);
}

TEIDEN_FN int64_t Tile::spent_sending(int32_t node, int64_t tick) const {
  return account(node).spent_tx + (at(node).stored ? transmitting_nj(node, tick) : 0);
}

// Bring a node's account up to a tick, if it lives on one.
TEIDEN_FN void Tile::settle(int32_t node, int64_t tick) {
  if (!at(node).stored) return;
  Account& a = account(node);
  const int64_t idle = idle_nj(node, tick);
  const int64_t sending = transmitting_nj(node, tick);
  (at(node).asleep ? a.spent_asleep : a.spent_listening) += idle;
  a.spent_tx += sending;
  a.energy -= idle + sending;
  a.energy_at = tick;
}

// Return the tick at which so much energy, full at `from`, is spent; kNever if never.
TEIDEN_FN int64_t Tile::spent_by(int32_t node, int64_t from, int64_t energy) const {
  const Node& n = at(node);
  const int64_t idle = idle_mw(node);
  const int64_t send_from = larger(n.tx_from, from), send_to = larger(n.tx_to, from);
  const int64_t until[] = {send_from, send_to, kNever};
  const int64_t rate[] = {idle, idle + config().tx_extra_mw, idle};
  for (int phase = 0; phase < 3; ++phase) {
    const int64_t death = rate[phase] > 0 ? from + (energy + rate[phase] - 1) / rate[phase] : kNever;
    if (death <= until[phase]) return death;
    energy -= rate[phase] * (until[phase] - from);
    from = until[phase];
  }
  return kNever;
}

// Return when a node that sends until `before`, from where its account stands and with all that is planned for it, dies
// first before that; kNever if it does not. While it sends it neither sleeps nor pays for a reception.
TEIDEN_FN int64_t Tile::foresee_death(int32_t node, int64_t before) const {
  const Node& n = at(node);
  if (!n.stored && (n.planned < 0 || n.backed)) return kNever;
  bool stored = n.stored;
  int64_t energy = account(node).energy, from = account(node).energy_at;
  for (int32_t next = n.planned;; next = planned_[next].next) {
    const int64_t until = next < 0 ? before : smaller(planned_[next].tick, before);
    const int64_t death = stored ? spent_by(node, from, energy) : kNever;
    if (death < until) return death;
    if (next < 0 || planned_[next].tick >= before) return kNever;
    stored = planned_[next].what != kPowerOn;
    energy = planned_[next].what >> 1;
    from = until;
  }
}

// Set the one death that counts; the account must be settled at `tick`.
TEIDEN_FN void Tile::plan_death(int32_t node, int64_t tick) {
  Account& a = account(node);
  const int64_t death = spent_by(node, tick, a.energy);
  if (death == a.death_at) return;
  a.death_at = death;
  if (death < kNever) schedule({death, 0, node, kDeath});
}

// Put what the caller plans for a node's supply in order: by tick, power_on first, then by energy.
TEIDEN_FN void Tile::plan_supply(int32_t node, int64_t tick, int64_t what) {
  const int32_t plan = planned_.take();
  int32_t* place = &at(node).planned;
  while (*place >= 0 && (planned_[*place].tick < tick ||
                         (planned_[*place].tick == tick && planned_[*place].what <= what)))
    place = &planned_[*place].next;
  planned_[plan] = {tick, what, *place};
  *place = plan;
  schedule({tick, 0, node, kSupply});
}

// Change a node's supply as planned for this tick; return whether anything was.
TEIDEN_FN bool Tile::change_supply(int32_t node, int64_t tick) {
  const int32_t plan = at(node).planned;
  if (plan < 0 || planned_[plan].tick != tick) return false;
  at(node).planned = planned_[plan].next;
  const int64_t what = planned_[plan].what;
  planned_.give(plan);
  if (what == kPowerOn) regain_mains(node, tick);
  else lose_mains(node, tick, what >> 1, what & 1);
  return true;
}

TEIDEN_FN void Tile::lose_mains(int32_t node, int64_t tick, int64_t energy_nj, bool sleeps) {
  Node& n = at(node);
  Account& a = account(node);
  if (!n.alive) return;
  if (n.backed) {
    ++counters.kept_by_battery;
    return;
  }
  if (n.stored) {
    settle(node, tick);
    counters.energy_unused_nj += a.energy;
  }
  n.stored = 1;
  a.energy = energy_nj;
  a.energy_at = tick;
  counters.energy_given_nj += energy_nj;
  if (n.asleep && !sleeps) wake(node, tick);
  n.sleeper = sleeps;
  if (sleeps && n.state == kIdle) fall_asleep(node, tick);
  plan_death(node, tick);
}

// A node without anything to send sleeps until it has: it spends sleep_mw, and hears nothing, not even the rest of a
// frame under way.
TEIDEN_FN void Tile::fall_asleep(int32_t node, int64_t tick) {
  Node& n = at(node);
  if (n.asleep || !n.stored || n.queue >= 0) return;
  settle(node, tick);
  n.asleep = 1;
  n.lock_id = -1;
  n.heard_until = kNever;
  plan_death(node, tick);
}

TEIDEN_FN void Tile::wake(int32_t node, int64_t tick) {
  settle(node, tick);
  at(node).asleep = 0;
  at(node).heard_until = tick;
  plan_death(node, tick);
}

// Return whether a node decodes a transmission that ends now, and let it pay for the reception: for every frame to it
// that its radio was locked on, to the end, decoded or not. Other nodes' frames cost what listening does.
TEIDEN_FN bool Tile::hears(const Reception& what, int64_t tick) {
  const bool clean = decodes(what, tick);
  const Node& n = at(what.dst);
  if (config().rx_extra_mw == 0 || !n.stored || n.lock_id != at(what.src).id || n.lock_end != tick) return clean;
  settle(what.dst, tick);
  Account& a = account(what.dst);
  const int64_t cost = smaller(config().rx_extra_mw * (tick - what.start), a.energy);
  a.spent_rx += cost;
  a.energy -= cost;
  plan_death(what.dst, tick);
  return clean;
}

TEIDEN_FN void Tile::regain_mains(int32_t node, int64_t tick) {
  Node& n = at(node);
  Account& a = account(node);
  if (n.asleep) wake(node, tick);
  a.death_at = kNever;
  n.sleeper = 0;
  if (n.alive && n.stored) {
    settle(node, tick);
    counters.energy_unused_nj += a.energy;
  }
  const bool was_dead = !n.alive;
  if (was_dead) {
    n.alive = 1;
    n.heard_until = tick;
    n.lock_id = -1;
    n.ready_at = tick;
    n.away_until = 0;
  }
  n.stored = 0;
  a.energy = 0;
  if (was_dead && living()) network_on(node, tick);
}

// The caller has changed what is planned for a node: see what that means for its transmission under way.
TEIDEN_FN void Tile::reconsider(int32_t node, int64_t now, Array<Recut>* recut) {
  Node& n = at(node);
  const int64_t end = n.tx_from + n.tx_ticks;
  if (!n.alive || end <= now) return;
  const Recut was{n.tx_from, n.tx_to, n.tx_to, node, n.id, n.cut};
  n.tx_to = end;
  const int64_t death = foresee_death(node, end);
  n.cut = death < end;
  if (n.cut) n.tx_to = larger(n.tx_from, death);
  if (n.tx_to == was.old_end && n.cut == was.cut) return;
  n.airtime += n.tx_to - was.old_end;
  (n.state == kAcking ? counters.on_air_ack_us : counters.on_air_data_us) += n.tx_to - was.old_end;
  recut->push({was.start, was.old_end, n.tx_to, node, n.id, n.cut});
  if (n.stored) plan_death(node, account(node).energy_at);
}

// Let this tile know of transmissions whose ends were moved, sorted by (id, start): who is locked on one, and who is
// to receive one.
TEIDEN_FN void Tile::recut(const Recut* first, const Recut* last) {
  const auto find = [&](int32_t id) {
    const Recut* low = first;
    for (int64_t left = last - first; left > 0;) {
      const int64_t half = left / 2;
      if (low[half].id < id) low += half + 1, left -= half + 1;
      else left = half;
    }
    return low != last && low->id == id ? low : nullptr;
  };
  for (int32_t node = first_; node < last_; ++node) {
    Node& n = at(node);
    const Recut* moved = n.lock_id >= 0 ? find(n.lock_id) : nullptr;
    if (moved && n.lock_end == moved->old_end) n.lock_end = moved->new_end;
  }
  for (int32_t i = 0; i < receptions_.size(); ++i) {
    Reception& r = receptions_[i];
    const Recut* moved = r.start >= 0 ? find(at(r.src).id) : nullptr;
    if (moved && r.start == moved->start) r.cut = moved->cut;
  }
}

// The stored energy is gone: the node falls silent, its copies die with it, also the one on air.
TEIDEN_FN void Tile::die(int32_t node, int64_t tick) {
  settle(node, tick);
  Node& n = at(node);
  account(node).death_at = kNever;
  n.alive = 0;
  n.stored = 0;
  n.asleep = 0;
  n.sleeper = 0;
  ++n.life;
  n.timer_at = -1;
  ++counters.deaths;
  deaths.push({tick, n.id, 0});
  if (n.cut && n.tx_to >= tick) {
    ++counters.cut_by_death;
    if (n.state == kSending && n.next_hop != kEverybody) {
      note(kEnded, copies_[n.queue].frame, node, tick, kPending);
      for (int32_t copy = copies_[n.queue].next; copy >= 0; copy = copies_[copy].next)
        if (copies_[copy].rides) note(kEnded, copies_[copy].frame, node, tick, kPending);
    }
  }
  for (int32_t* list : {&n.queue, &n.parked})
    while (*list >= 0) {
      const int32_t copy = *list;
      *list = copies_[copy].next;
      drop_copy(copy, node, kDied, tick);
    }
  n.queued = 0;
  n.serving = 0;
  n.state = kIdle;
  if (living()) network_off(node, tick);
}

}  // namespace teiden
