// Unslotted CSMA/CA with acknowledgements (IEEE 802.15.4-2006, 7.5.1.4 and 7.5.6.4), in the order of events that
// ns-3's lr-wpan has. Behaviours 4 to 6 of docs/engine.md.
#include <algorithm>

#include "mesh.h"

namespace teiden {

// Take up the head of the queue, or go on with it, as soon as the radio and the pause between frames allow.
void Mesh::serve(int32_t node, int64_t tick) {
  Node& n = nodes[node];
  if (!n.alive || n.state != kIdle) return;
  if (n.asleep && !n.queue.empty()) wake(node, tick);
  while (!n.queue.empty()) {
    if (tick < n.ready_at) {
      n.state = kPause;
      set_timer(node, n.ready_at);
      return;
    }
    if (!n.serving) {
      n.next_hop = next_hop(node, frame_at(n.queue.front().frame).dst);
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

void Mesh::start_csma(int32_t node, int64_t tick) {
  Node& n = nodes[node];
  n.state = kCsma;
  n.backoffs = 0;
  n.be = static_cast<uint8_t>(config().min_be);
  back_off(node, tick);
}

// Wait a random number of unit backoffs, then a CCA; the timer fires at the CCA's end.
void Mesh::back_off(int32_t node, int64_t tick) {
  const uint64_t draw = draw_u64(static_cast<uint64_t>(config().seed), kBackoff, node, tick);
  const int64_t backoff = static_cast<int64_t>(below(draw, 1ULL << nodes[node].be)) * config().unit_backoff_us;
  const int64_t start = tick + backoff + config().cca_us + config().turnaround_us;
  set_timer(node, schedule_allows(node, start, backoff) - config().turnaround_us);
}

// Return when the head of the queue may go on air under the schedules of its receivers, if it could at `start`.
int64_t Mesh::schedule_allows(int32_t node, int64_t start, int64_t backoff) const {
  if (config().channels <= 1) return start;
  const Node& n = nodes[node];
  if (n.next_hop != kEverybody) return unicast_start(config(), pan_of(node), start, backoff);
  const int64_t ticks = airtime_us(config(), frame_at(n.queue.front().frame).psdu_bytes);
  return broadcast_start(config(), pan_of(node), start, backoff, ticks);
}

// Return the channel on which the receivers of the head of the queue listen at a tick.
int32_t Mesh::sending_channel(int32_t node, int64_t start) const {
  if (nodes[node].next_hop != kEverybody) return unicast_channel(config(), nodes[node].next_hop, start);
  return listening_channel(config(), node, pan_of(node), start);
}

// Return the first tick, not before now, from which a CSMA for the head of the queue is within the regulation.
int64_t Mesh::allowed_from(int32_t node, int64_t tick) {
  if (air_accounts_.empty()) return tick;
  AirAccount& account = air_accounts_[node];
  const int64_t lead = config().cca_us + config().turnaround_us;
  const int64_t sent = nodes[node].tx_to > 0 ? nodes[node].tx_to + config().pause_us - lead : tick;
  const int64_t rested = std::max(tick, sent);
  const int64_t ticks = airtime_us(config(), frame_at(nodes[node].queue.front().frame).psdu_bytes);
  const int64_t from = config().airtime_limit_us ? hour_has_room(config(), account, rested + lead, ticks) - lead : rested;
  const int64_t known = std::max(tick, account.held_until);  // waits that were counted before
  if (from > known) {
    counters.held_by_pause += tick < rested && account.held_until <= tick;
    counters.held_by_hour += rested < from && account.held_until <= tick;
    counters.held_by_pause_us += std::max<int64_t>(rested - known, 0);
    counters.held_by_hour_us += from - std::max(rested, known);
    account.held_until = from;
  }
  return from;
}

void Mesh::timer_fired(int32_t node, int64_t tick) {
  Node& n = nodes[node];
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

void Mesh::assess_channel(int32_t node, int64_t tick) {
  Node& n = nodes[node];
  const int32_t channel = sending_channel(node, tick + config().turnaround_us);
  if (!channel_busy(node, channel, tick)) {
    ++counters.cca_idle;
    send_data(node, tick, channel);
    return;
  }
  ++counters.cca_busy;
  n.be = static_cast<uint8_t>(std::min<int64_t>(n.be + 1, config().max_be));
  if (++n.backoffs <= config().max_csma_backoffs) {
    back_off(node, tick);
    return;
  }
  n.state = kIdle;  // a channel-access failure drops the frame at once: no retry
  change_channel(node, kChannelAccessFailure, tick);
  serve(node, tick);
}

// The MAC has failed with the head of the queue on this channel: start afresh on its receiver's next one, or give up.
void Mesh::change_channel(int32_t node, Outcome reason, int64_t tick) {
  Node& n = nodes[node];
  if (n.next_hop == kEverybody || n.channel_retries >= config().max_channel_retries) {
    give_up(node, reason, tick);
    return;
  }
  ++n.channel_retries;
  ++counters.channel_retries;
  n.retries = 0;
  if (config().channels > 1) n.ready_at = std::max(n.ready_at, next_dwell(config(), n.next_hop, tick));
}

// Whether the head of the queue is to be acknowledged.
bool Mesh::wants_ack(const Node& n) const { return config().ack && n.next_hop != kEverybody; }

// Put a transmission on air one turnaround from now. The node is deaf from now until a turnaround after its end.
int64_t Mesh::transmit(int32_t node, int64_t tick, Transmission record, int64_t ticks) {
  Node& n = nodes[node];
  record.start = tick + config().turnaround_us;
  record.end = record.start + ticks;
  record.from = plane.place(node);
  record.src = node;
  n.heard_until = record.end + config().turnaround_us;
  n.lock = -1;
  n.airtime += ticks;
  (record.is_ack ? counters.on_air_ack_us : counters.on_air_data_us) += ticks;
  (record.is_ack ? counters.tx_ack : counters.tx_data) += 1;
  n.sending = air_.add(record);
  if (cells_.laid()) cells_.add(record, n.sending);
  if (!air_accounts_.empty() && !record.is_ack) count_airtime(config(), &air_accounts_[node], record.start, record.end);
  if (n.stored) settle(node, tick);
  n.tx_from = record.start;
  n.tx_to = record.end;
  if (n.stored) plan_death(node, tick);
  return record.end;
}

void Mesh::send_data(int32_t node, int64_t tick, int32_t channel) {
  Node& n = nodes[node];
  const Copy& copy = n.queue.front();
  Frame& f = frame_at(copy.frame);
  Transmission record{};
  record.frame = copy.frame;
  record.dst = n.next_hop;
  record.hops = copy.hops + 1;
  record.channel = static_cast<int16_t>(channel);
  const int64_t end = transmit(node, tick, record, airtime_us(config(), f.psdu_bytes));
  if (f.first_tx < 0) f.first_tx = tick + config().turnaround_us;
  ++f.attempts;
  f.copies += announce(node, n.next_hop, end);  // those on air
  n.state = kSending;
  if (wants_ack(n)) {
    n.away_channel = record.channel;
    n.away_until = end + config().ack_wait_us;
  }
  set_timer(node, wants_ack(n) ? end + config().ack_wait_us : end);
}

// Plan the end of a node's latest transmission at its receiver, or at everybody within earshot; return how many.
int32_t Mesh::announce(int32_t node, int32_t dst, int64_t end) {
  const int64_t number = nodes[node].sending;
  if (dst != kEverybody) {
    schedule(end, dst, kReceiveEnd, static_cast<uint64_t>(node), number);
    return 1;
  }
  int32_t count = 0;
  earshot_.visit(plane, node, [&](int32_t hearer) {
    schedule(end, hearer, kReceiveEnd, static_cast<uint64_t>(node), number);
    ++count;
  });
  return count;
}

void Mesh::send_ack(int32_t node, int64_t tick, int64_t data) {
  const Transmission heard = air_.at(data);
  Transmission record{};
  record.frame = heard.frame;
  record.dst = heard.src;
  record.channel = heard.channel;
  record.is_ack = 1;
  const int64_t end = transmit(node, tick, record, airtime_us(config(), config().ack_bytes));
  announce(node, record.dst, end);
  nodes[node].state = kAcking;
  set_timer(node, end + config().turnaround_us);
}

// Count a missing ACK; after the last retry the frame is given up, before it stays at the head of the queue.
void Mesh::count_missing_ack(int32_t node, int64_t tick) {
  Node& n = nodes[node];
  n.away_until = std::min(n.away_until, tick);
  if (++n.retries > config().max_frame_retries) change_channel(node, kNoAck, tick);
}

void Mesh::ack_missing(int32_t node, int64_t tick) {
  nodes[node].state = kIdle;
  count_missing_ack(node, tick);
  serve(node, tick);  // restarts CSMA for the same frame, or takes up the next
}

// The head of the queue is done with: acknowledged, or sent where nobody acknowledges.
void Mesh::sent(int32_t node, int64_t tick) {
  Node& n = nodes[node];
  const int64_t frame = n.queue.front().frame;
  const bool acked = wants_ack(n);
  n.queue.erase(n.queue.begin());
  n.serving = 0;
  n.state = kIdle;
  n.away_until = std::min(n.away_until, tick);
  n.ready_at = tick + (acked ? config().lifs_us : std::max(config().lifs_us, config().turnaround_us));
  end_copy(frame, node, acked ? kAcked : kNoAck, tick);
  serve(node, tick);
}

void Mesh::receive_end(int32_t node, int64_t number, int64_t tick) {
  const Transmission t = air_.at(number);
  if (t.cut) {
    if (t.dst == kEverybody) end_copy(t.frame, node, kPending, tick);
    return;
  }
  if (t.is_ack) {
    receive_ack(node, number, tick);
    return;
  }
  receive_data(node, number, tick);
  end_copy(t.frame, node, kPending, tick);  // the one on air
}

// A data frame ends at its receiver. An acknowledgement goes before whatever the MAC was doing: a CSMA starts
// afresh after it, a wait for an ACK counts as one missed (as in ns-3).
void Mesh::receive_data(int32_t node, int64_t number, int64_t tick) {
  const bool addressed = air_.at(number).dst == node;
  Node& n = nodes[node];
  if (!n.alive || !hears(node, number, tick)) return;
  ++counters.received_data;
  if (!addressed) {
    take_broadcast(node, number, tick);
    return;
  }
  if (config().ack) {
    if (n.state == kSending) count_missing_ack(node, tick);
    send_ack(node, tick, number);
  }
  take_over(number, tick);
  if (n.state == kIdle) serve(node, tick);
}

void Mesh::receive_ack(int32_t node, int64_t number, int64_t tick) {
  const Transmission t = air_.at(number);
  const Node& n = nodes[node];
  if (!n.alive || n.state != kSending || n.queue.front().frame != t.frame) return;
  if (!hears(node, number, tick)) return;
  ++counters.received_ack;
  sent(node, tick);
}

}  // namespace teiden
