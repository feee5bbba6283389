// Unslotted CSMA/CA with acknowledgements (IEEE 802.15.4-2006, 7.5.1.4 and 7.5.6.4), in the order of events that
// ns-3's lr-wpan has. Behaviours 4 to 6 of docs/engine.md.
#pragma once
#include "aggregation.h"
#include "tile.h"

namespace teiden {

// Take up the head of the queue, or go on with it, as soon as the radio and the pause between frames allow.
TEIDEN_FN void Tile::serve(int32_t node, int64_t tick) {
  Node& n = at(node);
  if (!n.alive || n.state != kIdle) return;
  if (n.asleep && n.queue >= 0) wake(node, tick);
  while (n.queue >= 0) {
    if (tick < n.ready_at) {
      n.state = kPause;
      set_timer(node, n.ready_at);
      return;
    }
    if (!n.serving) {
      n.next_hop = next_hop(node, copies_[n.queue].frame, tick);
      n.serving = 1;
      n.retries = 0;
      n.channel_retries = 0;
    }
    if (n.next_hop >= 0 || n.next_hop == kEverybody) {
      const int64_t from = allowed_from(node, tick);
      if (tick < from) {
        n.ready_at = from;
        continue;
      }
      start_csma(node, tick);
      return;
    }
    give_up(node, kNoRoute, tick);
  }
  if (n.sleeper) fall_asleep(node, tick);
}

TEIDEN_FN void Tile::start_csma(int32_t node, int64_t tick) {
  Node& n = at(node);
  n.state = kCsma;
  n.backoffs = 0;
  n.be = static_cast<uint8_t>(config().min_be);
  back_off(node, tick);
}

// Wait a random number of unit backoffs, then a CCA; the timer fires at the CCA's end.
TEIDEN_FN void Tile::back_off(int32_t node, int64_t tick) {
  const uint64_t draw = draw_keyed(world_->backoff_key, static_cast<uint32_t>(at(node).id), tick);
  const int64_t backoff = static_cast<int64_t>(below(draw, 1ULL << at(node).be)) * config().unit_backoff_us;
  const int64_t start = tick + backoff + config().cca_us + config().turnaround_us;
  set_timer(node, schedule_allows(node, start, backoff) - config().turnaround_us);
}

// Return when the head of the queue may go on air under the schedules of its receivers, if it could at `start`.
TEIDEN_FN int64_t Tile::schedule_allows(int32_t node, int64_t start, int64_t backoff) const {
  if (config().channels <= 1) return start;
  const Node& n = at(node);
  if (n.next_hop != kEverybody) return unicast_start(config(), pan_of(node), start, backoff);
  if (is_control(copies_[n.queue].frame)) return start;
  const int64_t ticks = airtime_us(config(), psdu_bytes(copies_[n.queue].frame));
  return broadcast_start(config(), pan_of(node), start, backoff, ticks);
}

// Return the channel on which the receivers of the head of the queue listen at a tick.
TEIDEN_FN int32_t Tile::sending_channel(int32_t node, int64_t start) const {
  if (config().channels <= 1) return 0;
  const Node& n = at(node);
  if (n.next_hop != kEverybody) return unicast_channel(config(), at(n.next_hop).id, start);
  if (is_control(copies_[n.queue].frame)) return n.channel_retries;  // on every channel in turn
  return listening_channel(config(), n.id, pan_of(node), start);
}

// Return the first tick, not before now, from which a CSMA for the head of the queue is within the regulation.
TEIDEN_FN int64_t Tile::allowed_from(int32_t node, int64_t tick) {
  if (!world_->air_accounts) return tick;
  AirAccount& account = world_->air_accounts[node];
  const Node& n = at(node);
  const int64_t lead = config().cca_us + config().turnaround_us;
  const int64_t sent = n.tx_to > 0 ? n.tx_to + config().pause_us - lead : tick;
  const int64_t rested = larger(tick, sent);
  const int64_t ticks = airtime_us(config(), load_riders(node, false));
  const int64_t from = config().airtime_limit_us ? hour_has_room(config(), account, rested + lead, ticks) - lead : rested;
  const int64_t known = larger(tick, account.held_until);  // waits that were counted before
  if (from > known) {
    counters.held_by_pause += tick < rested && account.held_until <= tick;
    counters.held_by_hour += rested < from && account.held_until <= tick;
    counters.held_by_pause_us += larger<int64_t>(rested - known, 0);
    counters.held_by_hour_us += from - larger(rested, known);
    account.held_until = from;
  }
  return from;
}

TEIDEN_FN void Tile::timer_fired(int32_t node, int64_t tick) {
  Node& n = at(node);
  switch (n.state) {
    case kCsma:
      assess_channel(node, tick);
      break;
    case kSending:
      if (wants_ack(n)) ack_missing(node, tick);
      else sent(node, tick);
      break;
    case kAcking:
    case kPause:
      n.state = kIdle;
      serve(node, tick);
      break;
    default:
      break;
  }
}

TEIDEN_FN void Tile::assess_channel(int32_t node, int64_t tick) {
  Node& n = at(node);
  const int32_t channel = sending_channel(node, tick + config().turnaround_us);
  if (!channel_busy(node, channel, tick)) {
    ++counters.cca_idle;
    send_data(node, tick, channel);
    return;
  }
  ++counters.cca_busy;
  n.be = static_cast<uint8_t>(smaller<int64_t>(n.be + 1, config().max_be));
  if (++n.backoffs <= config().max_csma_backoffs) {
    back_off(node, tick);
    return;
  }
  n.state = kIdle;  // a channel-access failure drops the frame at once: no retry
  change_channel(node, kChannelAccessFailure, tick);
  serve(node, tick);
}

// The MAC has failed with the head of the queue on this channel: start afresh on its receiver's next one, or give up.
TEIDEN_FN void Tile::change_channel(int32_t node, Outcome reason, int64_t tick) {
  Node& n = at(node);
  if (n.next_hop == kEverybody || n.channel_retries >= config().max_channel_retries) {
    const int32_t to = n.next_hop;
    give_up(node, reason, tick);
    if (living() && reason == kNoAck) count_failure(node, to, tick);
    return;
  }
  ++n.channel_retries;
  ++counters.channel_retries;
  n.retries = 0;
  if (config().channels > 1) n.ready_at = larger(n.ready_at, next_dwell(config(), at(n.next_hop).id, tick));
}

// Put a transmission on air one turnaround from now and return it with its times. The node is deaf from now until a
// turnaround after its end. If it is known to die before the end, the signal ends there and nobody receives it.
TEIDEN_FN Reception Tile::transmit(int32_t node, int64_t tick, Reception what, int64_t ticks) {
  Node& n = at(node);
  const int64_t start = tick + config().turnaround_us, end = start + ticks;
  settle(node, tick);
  n.tx_from = start;
  n.tx_to = end;
  n.tx_ticks = static_cast<int32_t>(ticks);
  const int64_t death = foresee_death(node, end);
  n.cut = death < end;
  if (n.cut) n.tx_to = larger(start, death);
  n.heard_until = end + config().turnaround_us;
  n.lock_id = -1;
  n.airtime += n.tx_to - start;
  (what.is_ack ? counters.on_air_ack_us : counters.on_air_data_us) += n.tx_to - start;
  ++(what.is_ack ? counters.tx_ack : is_control(what.frame) ? counters.control_sent : counters.tx_data);
  put_on_air(node, start, n.tx_to, what.channel);
  what.start = start;
  what.end = end;
  what.src = node;
  what.cut = n.cut;
  if (world_->air_accounts && !what.is_ack) count_airtime(config(), &world_->air_accounts[node], start, end);
  if (n.stored) plan_death(node, tick);
  return what;
}

TEIDEN_FN void Tile::send_data(int32_t node, int64_t tick, int32_t channel) {
  const Copy& copy = copies_[at(node).queue];
  Reception what{};
  what.frame = copy.frame;
  what.hops = static_cast<int16_t>(copy.hops + 1);
  what.channel = static_cast<int16_t>(channel);
  what = transmit(node, tick, what, airtime_us(config(), load_riders(node, true)));
  Node& n = at(node);
  note(kSent, what.frame, node, tick, announce(n.next_hop, what));
  if (config().aggregate_frames > 1) announce_riders(node, what);
  n.state = kSending;
  if (wants_ack(n)) {
    n.away_channel = what.channel;
    n.away_until = what.end + config().ack_wait_us;
  }
  set_timer(node, wants_ack(n) ? what.end + config().ack_wait_us : what.end);
}

// Return whether a node may listen on the channel of what is sent on every channel in turn: by its own schedule or its
// PAN's, if that is the sender's.
TEIDEN_FN bool Tile::may_listen(int32_t id, int32_t pan, const Reception& what) const {
  return unicast_channel(config(), static_cast<uint32_t>(id), what.start) == what.channel ||
         listening_channel(config(), static_cast<uint32_t>(id), pan, what.start) == what.channel;
}

// Plan the end of a transmission at its receiver, or at everybody within earshot; return how many.
TEIDEN_FN int32_t Tile::announce(int32_t dst, Reception what) {
  what.dst = dst;
  if (dst != kEverybody) {
    post(what);
    return 1;
  }
  int32_t count = 0;
  what.to_all = 1;
  const bool on_all = is_control(what.frame) && config().channels > 1;
  world_->earshot->visit(*world_->plane, at(what.src).id, [&](int32_t id) {
    if (on_all && !may_listen(id, pan_of(what.src), what)) return;
    what.dst = world_->place_of[id];
    post(what);
    ++count;
  });
  return count;
}

TEIDEN_FN void Tile::send_ack(int32_t node, int64_t tick, const Reception& data) {
  Reception what{};
  what.frame = data.frame;
  what.channel = data.channel;
  what.is_ack = 1;
  what = transmit(node, tick, what, airtime_us(config(), config().ack_bytes));
  announce(data.src, what);
  at(node).state = kAcking;
  set_timer(node, what.end + config().turnaround_us);
}

// Count a missing ACK; after the last retry the frame is given up, before it stays at the head of the queue.
TEIDEN_FN void Tile::count_missing_ack(int32_t node, int64_t tick) {
  Node& n = at(node);
  n.away_until = smaller(n.away_until, tick);
  unload_riders(node);
  if (living()) count_attempt(node, n.next_hop, false, tick);
  if (++n.retries > config().max_frame_retries) change_channel(node, kNoAck, tick);
}

TEIDEN_FN void Tile::ack_missing(int32_t node, int64_t tick) {
  at(node).state = kIdle;
  count_missing_ack(node, tick);
  serve(node, tick);  // restarts CSMA for the same frame, or takes up the next
}

// The head of the queue is done with: acknowledged, or sent where nobody acknowledges.
TEIDEN_FN void Tile::sent(int32_t node, int64_t tick) {
  Node& n = at(node);
  const bool acked = wants_ack(n);
  n.state = kIdle;
  n.away_until = smaller(n.away_until, tick);
  n.ready_at = tick + (acked ? config().lifs_us : larger(config().lifs_us, config().turnaround_us));
  if (is_control(copies_[n.queue].frame) && !acked && ++n.channel_retries < config().channels) {
    serve(node, tick);  // the next channel
    return;
  }
  const int32_t head = take_head(node);
  drop_riders(node, acked ? kAcked : kNoAck, tick);
  if (living() && acked) count_attempt(node, n.next_hop, true, tick);
  drop_copy(head, node, acked ? kAcked : kNoAck, tick);
  serve(node, tick);
}

TEIDEN_FN void Tile::receive_end(const Reception& what, int64_t tick) {
  if (what.is_ack) {
    receive_ack(what, tick);
    return;
  }
  if (what.rank) {
    receive_rider(what, tick);
    return;
  }
  if (!what.cut) receive_data(what, tick);
  note(kEnded, what.frame, what.dst, tick, kPending);  // the copy on air
}

// A data frame ends at its receiver. An acknowledgement goes before whatever the MAC was doing: a CSMA starts
// afresh after it, a wait for an ACK counts as one missed (as in ns-3).
TEIDEN_FN void Tile::receive_data(const Reception& what, int64_t tick) {
  Node& n = at(what.dst);
  if (!n.alive || !hears(what, tick)) return;
  ++(is_control(what.frame) ? counters.control_received : counters.received_data);
  if (what.to_all) {
    if (!is_control(what.frame)) take_broadcast(what, tick);
    else hear_control(what.dst, what, tick);
    if (n.state == kIdle) serve(what.dst, tick);
    return;
  }
  if (config().ack) {
    if (n.state == kSending) count_missing_ack(what.dst, tick);
    send_ack(what.dst, tick, what);
  }
  verdict_ = {tick, what.dst, what.src};
  if (is_control(what.frame)) take_control(what, tick);
  else take_over(what, tick);
  if (n.state == kIdle) serve(what.dst, tick);
}

TEIDEN_FN void Tile::receive_ack(const Reception& what, int64_t tick) {
  const Node& n = at(what.dst);
  if (!n.alive || n.state != kSending || copies_[n.queue].frame != what.frame) return;
  if (!hears(what, tick)) return;
  ++counters.received_ack;
  sent(what.dst, tick);
}

}  // namespace teiden
