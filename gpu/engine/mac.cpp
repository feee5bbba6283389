// Unslotted CSMA/CA with acknowledgements (IEEE 802.15.4-2006, 7.5.1.4 and 7.5.6.4), in the order of events that
// ns-3's lr-wpan has. Behaviours 4 to 6 of docs/engine.md.
#include <algorithm>

#include "mesh.h"

namespace teiden {

// Take up the head of the queue, or go on with it, as soon as the radio and the pause between frames allow.
void Mesh::serve(int32_t node, int64_t tick) {
  Node& n = nodes[node];
  if (!n.alive || n.state != kIdle) return;
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
    }
    if (n.next_hop >= 0) {
      start_csma(node, tick);
      return;
    }
    give_up(node, kNoRoute, tick);
  }
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
  const int64_t units = static_cast<int64_t>(below(draw, 1ULL << nodes[node].be));
  set_timer(node, tick + units * config().unit_backoff_us + config().cca_us);
}

void Mesh::timer_fired(int32_t node, int64_t tick) {
  Node& n = nodes[node];
  switch (n.state) {
    case kCsma:
      assess_channel(node, tick);
      break;
    case kSending:
      if (config().ack) ack_missing(node, tick);
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
  const int32_t channel = home_channel(config(), n.next_hop, tick + config().turnaround_us);
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
  give_up(node, kChannelAccessFailure, tick);
  serve(node, tick);
}

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
  schedule(record.end, record.dst, kReceiveEnd, static_cast<uint64_t>(node), n.sending);
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
  ++f.copies;  // the one on air
  n.state = kSending;
  if (config().ack) {
    n.away_channel = record.channel;
    n.away_until = end + config().ack_wait_us;
  }
  set_timer(node, config().ack ? end + config().ack_wait_us : end);
}

void Mesh::send_ack(int32_t node, int64_t tick, int64_t data) {
  const Transmission heard = air_.at(data);
  Transmission record{};
  record.frame = heard.frame;
  record.dst = heard.src;
  record.channel = heard.channel;
  record.is_ack = 1;
  const int64_t end = transmit(node, tick, record, airtime_us(config(), config().ack_bytes));
  nodes[node].state = kAcking;
  set_timer(node, end + config().turnaround_us);
}

// Count a missing ACK; after the last retry the frame is given up, before it stays at the head of the queue.
void Mesh::count_missing_ack(int32_t node, int64_t tick) {
  Node& n = nodes[node];
  n.away_until = std::min(n.away_until, tick);
  if (++n.retries > config().max_frame_retries) give_up(node, kNoAck, tick);
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
  n.queue.erase(n.queue.begin());
  n.serving = 0;
  n.state = kIdle;
  n.away_until = std::min(n.away_until, tick);
  n.ready_at = tick + (config().ack ? config().lifs_us : std::max(config().lifs_us, config().turnaround_us));
  end_copy(frame, node, config().ack ? kAcked : kNoAck, tick);
  serve(node, tick);
}

void Mesh::receive_end(int64_t number, int64_t tick) {
  const Transmission t = air_.at(number);
  if (t.cut) return;
  if (t.is_ack) {
    receive_ack(number, tick);
    return;
  }
  receive_data(number, tick);
  end_copy(t.frame, t.dst, kPending, tick);  // the one on air
}

// A data frame ends at its receiver. An acknowledgement goes before whatever the MAC was doing: a CSMA starts
// afresh after it, a wait for an ACK counts as one missed (as in ns-3).
void Mesh::receive_data(int64_t number, int64_t tick) {
  const Transmission t = air_.at(number);
  Node& n = nodes[t.dst];
  if (!n.alive || !decodes(t.dst, number)) return;
  ++counters.received_data;
  if (config().ack) {
    if (n.state == kSending) count_missing_ack(t.dst, tick);
    send_ack(t.dst, tick, number);
  }
  take_over(number, tick);
  if (n.state == kIdle) serve(t.dst, tick);
}

void Mesh::receive_ack(int64_t number, int64_t tick) {
  const Transmission t = air_.at(number);
  const Node& n = nodes[t.dst];
  if (!n.alive || n.state != kSending || n.queue.front().frame != t.frame) return;
  if (!decodes(t.dst, number)) return;
  ++counters.received_ack;
  sent(t.dst, tick);
}

}  // namespace teiden
