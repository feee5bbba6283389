// The living tree: advertisements by trickle (RFC 6206), choice of parents, orphans, discovery, authentication.
//
// A node decides from what it has heard itself. Others learn of its choice by its advertisements; the routes down, which
// follow other nodes' parents, see a change one turnaround after it was made.
#pragma once
#include "frames.h"
#include "network_state.h"
#include "tile.h"

namespace teiden {

TEIDEN_FN int32_t whole_seconds(int64_t tick) { return static_cast<int32_t>(tick / 1000000); }

// ---------------------------------------------------------------- trickle

// Set the one network timer that counts. A sink also wakes where its PAN's next version begins, who searches where it
// selects a parent.
TEIDEN_FN void Tile::set_network_timer(int32_t node, int64_t tick, int64_t due) {
  Network& net = network(node);
  net.due = due;
  net.timer_at = world_->is_sink[node] ? smaller(due, next_version_at(node, tick)) : due;
  if (selects_at(net) > tick) net.timer_at = smaller(net.timer_at, selects_at(net));
  schedule({net.timer_at, 0, node, kNetwork});
}

// Return when a node that searches selects a parent of those it heard: one shortest interval after it began to search,
// and after each interval of its solicitations (FAN 1.1v08, 6.3.4.6.3.2.1, as wisun-br-linux has it); never for others.
TEIDEN_FN int64_t Tile::selects_at(const Network& net) const {
  return net.membership == kSearching ? net.interval_from + config().discovery_min_us : INT64_MIN;
}

TEIDEN_FN int64_t Tile::trickle_us(const Network& net) const {
  return smaller(config().discovery_min_us << net.doublings, config().discovery_max_us);
}

TEIDEN_FN uint64_t Tile::network_draw(int32_t node, int64_t tick, uint64_t n) const {
  return below(draw_keyed(world_->network_key, static_cast<uint32_t>(at(node).id), static_cast<uint64_t>(tick)), n);
}

// Begin a trickle interval: its message is due at a random tick of the second half.
TEIDEN_FN void Tile::begin_interval(int32_t node, int64_t tick) {
  Network& net = network(node);
  net.interval_from = tick;
  net.heard = 0;
  net.sent = 0;
  const int64_t half = trickle_us(net) / 2;
  const int64_t wait = static_cast<int64_t>(network_draw(node, tick, static_cast<uint64_t>(half)));
  set_network_timer(node, tick, tick + half + wait);
}

TEIDEN_FN void Tile::reset_trickle(int32_t node, int64_t tick) {
  network(node).doublings = 0;
  begin_interval(node, tick);
}

TEIDEN_FN void Tile::network_timer(int32_t node, int64_t tick) {
  Network& net = network(node);
  if (world_->is_sink[node] && renew_version(node, tick)) {
    reset_trickle(node, tick);
  } else if (tick == selects_at(net) && adopt_best(node, tick, -1)) {
    // it has its parent
  } else if (tick < net.due) {
    set_network_timer(node, tick, net.due);
  } else if (net.membership == kAuthenticating) {
    authenticate(node, tick);
  } else if (!net.sent) {
    net.sent = 1;
    if (at(node).sleeper) {
      // says nothing: it could not relay
    } else if (net.heard < config().trickle_redundancy) {
      if (net.membership == kJoined) advertise(node);
      else send_control(node, control_number(kSolicit, 0));
    } else {
      ++counters.trickle_suppressed;
    }
    if (net.membership == kJoined && !world_->is_sink[node]) probe(node, tick);
    set_network_timer(node, tick, net.interval_from + trickle_us(net));
  } else {
    end_interval(node, tick);
  }
  if (at(node).state == kIdle) serve(node, tick);
}

TEIDEN_FN void Tile::end_interval(int32_t node, int64_t tick) {
  Network& net = network(node);
  if (net.membership == kJoined && !world_->is_sink[node]) {
    const int64_t silent_s = int64_t{whole_seconds(tick)} - net.news_s;
    if (silent_s * 1000000 > config().pan_timeout_us) orphan(node, tick);
    else choose_parent(node, tick);  // some may have grown too old
    if (net.membership == kJoined) probe(node, tick);
    if (net.membership != kJoined) return;
  }
  if (trickle_us(net) < config().discovery_max_us) ++net.doublings;
  begin_interval(node, tick);
}

// ---------------------------------------------------------------- versions

// The version of a PAN's information is a count of intervals on its sink's clock.
TEIDEN_FN int64_t Tile::version_phase(int32_t node) const {
  const uint64_t draw = draw_keyed(world_->network_key, static_cast<uint32_t>(at(node).id), ~0ULL);
  return static_cast<int64_t>(below(draw, static_cast<uint64_t>(config().version_interval_us)));
}

TEIDEN_FN int64_t Tile::next_version_at(int32_t node, int64_t tick) const {
  const int64_t phase = version_phase(node), interval = config().version_interval_us;
  return ((tick + phase) / interval + 1) * interval - phase;
}

TEIDEN_FN bool Tile::renew_version(int32_t node, int64_t tick) {
  Network& net = network(node);
  const uint16_t version = static_cast<uint16_t>((tick + version_phase(node)) / config().version_interval_us);
  if (version == net.version) return false;
  net.version = net.best_version = version;
  return true;
}

// ---------------------------------------------------------------- what is heard and said

TEIDEN_FN bool Tile::send_control(int32_t node, int64_t number) {
  const Node& n = at(node);
  for (int32_t copy = n.queue; copy >= 0; copy = copies_[copy].next)
    if (copies_[copy].frame == number) return true;  // it waits already
  const int32_t copy = new_copy(number, 0);
  if (enqueue(node, copy)) return true;
  copies_.give(copy);
  ++counters.queue_drops;
  return false;
}

TEIDEN_FN void Tile::advertise(int32_t node) {
  const Network& net = network(node);
  send_control(node, advert_number(net.version, net.cost, net.pan < 0 ? 0 : net.pan));
}

// A neighbour of this PAN or another is known better: act on it. A newer version is passed on soon.
TEIDEN_FN void Tile::news_from(int32_t node, int32_t pan, uint16_t version, int64_t tick) {
  Network& net = network(node);
  if (pan == net.pan && newer(version, net.news)) {
    net.news = version;
    net.news_s = whole_seconds(tick);
  }
  const uint16_t before = net.version;
  choose_parent(node, tick);
  if (net.membership == kJoined && newer(net.version, before)) reset_trickle(node, tick);
}

// A broadcast control frame was heard.
TEIDEN_FN void Tile::hear_control(int32_t node, const Reception& what, int64_t tick) {
  Network& net = network(node);
  if (control_kind(what.frame) == kSolicit) {
    if (net.membership == kSearching && net.heard < 255) ++net.heard;
    if (net.membership == kJoined && net.doublings > 0) reset_trickle(node, tick);
    return;
  }
  const uint16_t version = advert_version(what.frame), cost = advert_cost(what.frame);
  const int32_t pan = advert_pan(what.frame);
  if (net.membership == kJoined && pan == net.pan && version == net.version && cost != kNoWay && net.heard < 255)
    ++net.heard;
  if (world_->is_sink[node]) return;
  remember(node, what.src, version, cost, pan, tick);
  if (net.membership == kJoined) {
    news_from(node, pan, version, tick);
  } else if (net.membership == kSearching && !net.rebooted && net.key_pan >= 0) {
    adopt_best(node, tick, net.key_pan);
  }
}

// Keep what a neighbour advertises, in place of the worst candidate if need be.
TEIDEN_FN void Tile::remember(int32_t node, int32_t src, uint16_t version, uint16_t cost, int32_t pan, int64_t tick) {
  Network& net = network(node);
  int32_t place = 0;
  while (place < net.count && net.candidates[place].node != src) ++place;
  if (place == net.count) {
    const int64_t link = world_->plane->link_etx(at(node).id, at(src).id);
    if (cost == kNoWay || link == 0 || link > config().max_link_etx) return;
    const Candidate candidate{src, pan, version, cost, static_cast<uint16_t>(link), 0, whole_seconds(tick)};
    if (net.count < config().max_parents) {
      net.candidates[net.count++] = candidate;
      return;
    }
    int32_t worst = -1;
    for (int32_t i = 0; i < net.count; ++i)
      if (net.candidates[i].node != net.parent &&
          (worst < 0 || is_better(node, net.candidates[worst], net.candidates[i], tick)))
        worst = i;
    if (worst >= 0 && is_better(node, candidate, net.candidates[worst], tick)) net.candidates[worst] = candidate;
    return;
  }
  Candidate& known = net.candidates[place];
  known.version = version, known.cost = cost, known.pan = pan, known.heard_s = whole_seconds(tick);
}

// ---------------------------------------------------------------- choice of a parent

TEIDEN_FN int64_t total_cost(const Candidate& c) { return int64_t{c.cost} + c.link; }

// Return whether a neighbour can be used at all: heard of late, a good link, a way that is not too long.
TEIDEN_FN bool Tile::is_usable(const Candidate& c, int64_t tick) const {
  return c.cost != kNoWay && c.link <= config().max_link_etx && total_cost(c) <= kMaxPathCost &&
         (int64_t{whole_seconds(tick)} - c.heard_s) * 1000000 <= config().neighbour_timeout_us;
}

// Return whether a is the better candidate; ties go to the lower id.
TEIDEN_FN bool Tile::is_better(int32_t node, const Candidate& a, const Candidate& b, int64_t tick) const {
  const Network& net = network(node);
  const bool a_good = is_usable(a, tick) && is_feasible(net, a.version, a.cost);
  const bool b_good = is_usable(b, tick) && is_feasible(net, b.version, b.cost);
  if (a_good != b_good) return a_good;
  if (total_cost(a) != total_cost(b)) return total_cost(a) < total_cost(b);
  return at(a.node).id < at(b.node).id;
}

TEIDEN_FN int32_t Tile::place_of_parent(const Network& net) const {
  for (int32_t i = 0; i < net.count; ++i)
    if (net.candidates[i].node == net.parent) return i;
  return -1;
}

// Return the best feasible candidate of a PAN (-1: of any), or -1.
TEIDEN_FN int32_t Tile::best_candidate(int32_t node, int64_t tick, int32_t pan) const {
  const Network& net = network(node);
  int32_t best = -1;
  for (int32_t i = 0; i < net.count; ++i) {
    const Candidate& c = net.candidates[i];
    if ((pan >= 0 && c.pan != pan) || !is_usable(c, tick) || !is_feasible(net, c.version, c.cost)) continue;
    if (best < 0 || is_better(node, c, net.candidates[best], tick)) best = i;
  }
  return best;
}

// Take what a parent advertises as the basis of what this node does.
TEIDEN_FN void Tile::follow(int32_t node, const Candidate& parent) {
  Network& net = network(node);
  net.version = parent.version;
  net.cost = static_cast<uint16_t>(total_cost(parent));
  if (newer(net.version, net.best_version) || (net.version == net.best_version && net.cost < net.best_cost)) {
    net.best_version = net.version;
    net.best_cost = net.cost;
  }
}

TEIDEN_FN void Tile::move_to(int32_t node, int32_t parent, int64_t tick) {
  Network& net = network(node);
  net.parent = parent;
  net.moved_at = tick;
  net.failures = net.tries = net.acks = 0;
  net.epoch_s = whole_seconds(tick);
  moves.push({tick, node, parent});
}

// Stay with the parent, switch to a better one (by the threshold of MRHOF), or be an orphan.
TEIDEN_FN void Tile::choose_parent(int32_t node, int64_t tick) {
  Network& net = network(node);
  const int32_t place = place_of_parent(net);
  const bool stays = place >= 0 && is_usable(net.candidates[place], tick) && net.candidates[place].pan == net.pan;
  const int32_t best = best_candidate(node, tick, net.pan);
  const bool may_move = tick >= net.moved_at + config().turnaround_us;
  if (best >= 0 && best != place && may_move &&
      (!stays || total_cost(net.candidates[best]) + config().switch_threshold < total_cost(net.candidates[place]))) {
    ++counters.parent_switches;
    move_to(node, net.candidates[best].node, tick);
    follow(node, net.candidates[best]);
    log_joining(node, tick);
  } else if (stays) {
    follow(node, net.candidates[place]);
  } else {
    orphan(node, tick);
  }
}

// No parent is left: tell the children, and look for one.
TEIDEN_FN void Tile::orphan(int32_t node, int64_t tick) {
  Network& net = network(node);
  const bool joined = net.membership == kJoined;
  counters.orphaned += joined;
  net.cost = kNoWay;
  if (joined) advertise(node);
  search(node, tick, false);
}

TEIDEN_FN void Tile::search(int32_t node, int64_t tick, bool rebooted) {
  Network& net = network(node);
  leave_pan(node, tick);
  if (net.parent >= 0) move_to(node, -1, tick);
  net.membership = kSearching;
  net.rebooted = rebooted;
  net.cost = kNoWay;
  net.since = tick;
  log_joining(node, tick);
  reset_trickle(node, tick);
}

// The schedule of channels changes with the PAN: what was on air before has to be heard under the old one.
TEIDEN_FN void Tile::leave_pan(int32_t node, int64_t tick) {
  if (config().channels > 1 && at(node).alive) resolve_lock(node, tick);
  network(node).pan = -1;
}

// Take the best candidate of a PAN (-1: of any) for a parent; return whether there was one.
TEIDEN_FN bool Tile::adopt_best(int32_t node, int64_t tick, int32_t pan) {
  Network& net = network(node);
  if (tick < net.moved_at + config().turnaround_us) return false;
  const int32_t best = best_candidate(node, tick, pan);
  if (best < 0) return false;
  const Candidate& parent = net.candidates[best];
  leave_pan(node, tick);
  net.pan = parent.pan;
  move_to(node, parent.node, tick);
  follow(node, parent);
  net.news = net.version;
  net.news_s = whole_seconds(tick);
  if (net.pan == net.key_pan) {
    join(node, tick);
    return true;
  }
  net.membership = kAuthenticating;
  net.since = tick;
  net.step = 0;
  log_joining(node, tick);
  const int64_t half = config().auth_first_us / 2;
  const int64_t wait = half + static_cast<int64_t>(network_draw(node, tick, static_cast<uint64_t>(half)));
  set_network_timer(node, tick, tick + wait);
  net.since = tick + wait;  // the authentication itself begins with its first message
  return true;
}

TEIDEN_FN void Tile::join(int32_t node, int64_t tick) {
  Network& net = network(node);
  net.membership = kJoined;
  net.rebooted = 0;
  net.key_pan = net.pan;
  net.since = tick;
  ++counters.joined;
  log_joining(node, tick);
  reset_trickle(node, tick);
}

// ---------------------------------------------------------------- what links are worth

// An attempt to the parent was acknowledged, or not.
TEIDEN_FN void Tile::count_attempt(int32_t node, int32_t to, bool acked, int64_t tick) {
  Network& net = network(node);
  if (to != net.parent || net.parent < 0) return;
  const int32_t place = place_of_parent(net);
  if (place < 0) return;
  Candidate& parent = net.candidates[place];
  if (net.tries < 255) ++net.tries;
  if (acked) {
    ++net.acks;
    net.failures = 0;
    parent.heard_s = whole_seconds(tick);
  }
  if (net.tries < kEtxTries || int64_t{whole_seconds(tick)} - net.epoch_s < kEtxSeconds) return;
  const int32_t etx = net.acks ? net.tries * 128 / net.acks : kMaxEtx;
  parent.link = static_cast<uint16_t>(parent.link + ((etx < kMaxEtx ? etx : kMaxEtx) - parent.link) / 8);
  net.tries = net.acks = 0;
  net.epoch_s = whole_seconds(tick);
  if (net.membership == kJoined) choose_parent(node, tick);
}

// A frame to the parent was given up for want of an ACK: after some in a row it is a neighbour no more.
TEIDEN_FN void Tile::count_failure(int32_t node, int32_t to, int64_t tick) {
  Network& net = network(node);
  if (to != net.parent || net.parent < 0) return;
  if (++net.failures < config().parent_failures) return;
  const int32_t place = place_of_parent(net);
  if (place >= 0) net.candidates[place].cost = kNoWay;  // until it is heard again
  if (net.membership == kJoined) choose_parent(node, tick);
  else if (net.membership == kAuthenticating) search(node, tick, net.rebooted);
}

// Ask the parent for an ACK if nothing else may be heard of it in time, or for what others of the PAN know already.
TEIDEN_FN void Tile::probe(int32_t node, int64_t tick) {
  const Network& net = network(node);
  const int32_t place = place_of_parent(net);
  const int64_t age_s = place < 0 ? 0 : int64_t{whole_seconds(tick)} - net.candidates[place].heard_s;
  if (age_s * 1000000 + 2 * trickle_us(net) < config().refresh_us && !newer(net.news, net.version)) return;
  send_control(node, control_number(kProbe, 0));
}

// Tell a child what it asked for; all of them if it may not know the PAN, which a node changes only by leaving it.
TEIDEN_FN void Tile::answer(int32_t node, int32_t child, int64_t tick) {
  const Network& net = network(node);
  if (net.membership != kJoined) return;
  if (tick - net.since > config().neighbour_timeout_us || net.since == 0) {
    send_control(node, answer_number(net.version, net.cost, child));
  } else {
    advertise(node);
  }
}

TEIDEN_FN void Tile::take_answer(int32_t node, const Reception& what, int64_t tick) {
  Network& net = network(node);
  const int32_t place = place_of_parent(net);
  if (net.membership != kJoined || place < 0 || what.src != net.parent) return;
  remember(node, what.src, advert_version(what.frame), advert_cost(what.frame), net.candidates[place].pan, tick);
  news_from(node, net.candidates[place].pan, advert_version(what.frame), tick);
}

// ---------------------------------------------------------------- authentication

// Send the next request, or give up after auth_total_us.
TEIDEN_FN void Tile::authenticate(int32_t node, int64_t tick) {
  Network& net = network(node);
  if (tick - net.since > config().auth_total_us) {
    ++counters.auth_timeouts;
    search(node, tick, true);
    return;
  }
  ++counters.auth_requests;
  send_control(node, auth_number(kAuthRequest, node, net.step));
  const int64_t span = config().auth_retry_max_us - config().auth_retry_min_us + 1;
  const int64_t wait = static_cast<int64_t>(network_draw(node, tick, static_cast<uint64_t>(span)));
  set_network_timer(node, tick, tick + config().auth_retry_min_us + wait);
}

// A unicast control frame was received and acknowledged: it is at its end, or to be passed on.
TEIDEN_FN void Tile::take_control(const Reception& what, int64_t tick) {
  const int32_t node = what.dst;
  if (control_kind(what.frame) == kProbe) {
    answer(node, what.src, tick);
    return;
  }
  if (control_kind(what.frame) == kAnswer) {
    take_answer(node, what, tick);
    return;
  }
  const bool request = control_kind(what.frame) == kAuthRequest;
  const int32_t joiner = auth_joiner(what.frame);
  if (request && world_->is_sink[node]) {
    if (admit(node, joiner, auth_step(what.frame), tick))
      send_control(node, auth_number(kAuthReply, joiner, auth_step(what.frame)));
  } else if (!request && joiner == node) {
    take_reply(node, auth_step(what.frame), tick);
  } else {
    send_control(node, what.frame);
  }
}

// Return whether a sink answers: at the first step only if one of its slots is free. The last step frees it.
TEIDEN_FN bool Tile::admit(int32_t sink, int32_t joiner, uint8_t step, int64_t tick) {
  AuthSlot* slots = world_->auth_slots + network(sink).slots;
  AuthSlot* found = nullptr;
  for (int64_t i = 0; i < config().auth_limit && (!found || found->joiner != joiner); ++i)
    if ((slots[i].joiner == joiner && slots[i].until > tick) || (!found && slots[i].until <= tick)) found = &slots[i];
  const bool last = step + 1 >= config().auth_exchanges;
  if (!found || (found->joiner != joiner && step > 0 && !last)) {
    ++counters.auth_refused;
    return false;
  }
  found->joiner = joiner;
  found->until = last ? tick : tick + config().auth_total_us;
  return true;
}

TEIDEN_FN void Tile::take_reply(int32_t node, uint8_t step, int64_t tick) {
  Network& net = network(node);
  if (net.membership != kAuthenticating || step != net.step) return;
  if (++net.step >= config().auth_exchanges) join(node, tick);
  else authenticate(node, tick);
}

// ---------------------------------------------------------------- power

TEIDEN_FN void Tile::network_off(int32_t node, int64_t tick) {
  Network& net = network(node);
  if (net.parent >= 0) move_to(node, -1, tick);
  net.membership = kOff;
  net.timer_at = -1;
  net.since = tick;
  net.pan = -1;
  net.cost = kNoWay;
  net.count = 0;
  if (!config().keys_kept) net.key_pan = -1;
  log_joining(node, tick);
}

TEIDEN_FN void Tile::network_on(int32_t node, int64_t tick) {
  Network& net = network(node);
  if (!world_->is_sink[node]) {
    search(node, tick, true);
    return;
  }
  for (int64_t i = 0; i < config().auth_limit; ++i) world_->auth_slots[net.slots + i] = AuthSlot{};
  net.pan = at(node).id;
  net.cost = 0;
  net.membership = kJoined;
  net.since = tick;
  renew_version(node, tick);
  log_joining(node, tick);
  reset_trickle(node, tick);
}

// Take up the life of a network at tick 0: a member of one that has long been formed is somewhere in a long trickle
// interval, others are switched on now.
TEIDEN_FN void Tile::network_start(int32_t node) {
  Network& net = network(node);
  if (net.membership != kJoined) {
    network_on(node, 0);
    return;
  }
  if (world_->is_sink[node]) renew_version(node, 0);
  while (trickle_us(net) < config().discovery_max_us) ++net.doublings;
  const int64_t whole = trickle_us(net), half = whole / 2;
  net.interval_from = -static_cast<int64_t>(network_draw(node, -1, static_cast<uint64_t>(whole)));
  int64_t due = net.interval_from + half + static_cast<int64_t>(network_draw(node, -2, static_cast<uint64_t>(half)));
  net.sent = due <= 0;
  if (net.sent) due = net.interval_from + whole;
  set_network_timer(node, 0, due);
}

// ---------------------------------------------------------------- routes

// Return the parent of a node as another one sees it at a tick.
TEIDEN_FN int32_t Tile::parent_seen(int32_t node, int64_t tick) const {
  if (!world_->seats) return world_->parent[node];
  const Seat& seat = world_->seats[node];
  if (tick >= seat.since + config().turnaround_us) return seat.parent;
  return tick >= seat.before_since + config().turnaround_us ? seat.before : seat.earlier;
}

TEIDEN_FN void Tile::log_joining(int32_t node, int64_t tick) {
  const Network& net = network(node);
  const int32_t parent = net.parent < 0 ? -1 : at(net.parent).id;
  joinings.push({tick, at(node).id, parent, net.pan, net.membership, {}});
}

}  // namespace teiden
