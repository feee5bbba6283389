// The life of a frame: queues, relays, duplicates, offers, and the one outcome it ends with.
#include <algorithm>

#include "mesh.h"

namespace teiden {

// Return where a node sends a frame for dst next: -1 if nowhere.
int32_t Mesh::next_hop(int32_t node, int32_t dst) const {
  if (!routed || dst == kEverybody) return dst;
  if (dst >= 0)
    for (int32_t below = dst; parent[below] >= 0; below = parent[below])
      if (parent[below] == node) return below;  // a descendant: the child towards it
  return parent[node];
}

// Put a copy behind its equals in the queue, before lower priorities, never before the one being sent.
bool Mesh::enqueue(int32_t node, const Copy& copy) {
  std::vector<Copy>& queue = nodes[node].queue;
  if (static_cast<int64_t>(queue.size()) >= config().queue_frames) return false;
  auto place = queue.begin() + nodes[node].serving;
  while (place != queue.end() && frame_at(place->frame).priority >= frame_at(copy.frame).priority) ++place;
  queue.insert(place, copy);
  return true;
}

bool Mesh::has_taken(int64_t frame, int32_t node) {
  const auto found = taken_.find(frame);
  if (found == taken_.end()) return false;
  for (const Taken& t : found->second)
    if (t.node == node && t.life == nodes[node].life) return true;
  return false;
}

void Mesh::take_injected(int64_t frame, int64_t tick) {
  Frame& f = frame_at(frame);
  ++counters.injected;
  ++f.copies;
  if (!nodes[f.src].alive) {
    end_copy(frame, f.src, kDied, tick);
    return;
  }
  if (f.dst == kNearestSink && is_sink[f.src]) {
    arrive(frame, f.src, tick, 0);
    end_copy(frame, f.src, kAcked, tick);
    return;
  }
  taken_[frame].push_back({f.src, nodes[f.src].life});
  Copy copy{frame, 0, 1, 0};
  ++f.offers;
  ++counters.offers;
  if (enqueue(f.src, copy)) {
    serve(f.src, tick);
    return;
  }
  ++counters.queue_drops;
  fail_offer(f.src, copy, kDroppedQueue, tick);
}

// Take over a frame that was received: arrived, already known, to be relayed, or dropped for want of room.
void Mesh::take_over(int64_t number, int64_t tick) {
  const Transmission t = air_.at(number);
  Frame& f = frame_at(t.frame);
  const bool final = f.dst == t.dst || (f.dst < 0 && is_sink[t.dst]);
  if (final ? f.first_rx >= 0 : has_taken(t.frame, t.dst)) {
    ++counters.duplicates;
    return;
  }
  if (final) {
    arrive(t.frame, t.dst, tick, t.hops);
    return;
  }
  if (!enqueue(t.dst, {t.frame, 0, 1, t.hops})) {
    ++counters.queue_drops;
    f.last_reason = kDroppedQueue;
    f.gave_up = 1;
    return;
  }
  taken_[t.frame].push_back({t.dst, nodes[t.dst].life});
  ++f.copies;
  ++f.offers;
  ++counters.offers;
}

void Mesh::arrive(int64_t frame, int32_t node, int64_t tick, int32_t hops_done) {
  Frame& f = frame_at(frame);
  f.first_rx = tick;
  f.sink = node;
  f.hops = static_cast<int16_t>(hops_done);
  ++counters.delivered;
  deliveries.push_back({frame, tick, node, hops_done, f.attempts, 0});
}

// A broadcast was heard by one more node.
void Mesh::take_broadcast(int32_t node, int64_t number, int64_t tick) {
  const Transmission t = air_.at(number);
  Frame& f = frame_at(t.frame);
  ++counters.broadcast_received;
  if (f.first_rx < 0) {
    arrive(t.frame, node, tick, t.hops);
    return;
  }
  deliveries.push_back({t.frame, tick, node, t.hops, f.attempts, 0});
}

// The MAC gives up on the head of its queue.
void Mesh::give_up(int32_t node, Outcome reason, int64_t tick) {
  Node& n = nodes[node];
  const Copy copy = n.queue.front();
  n.queue.erase(n.queue.begin());
  n.serving = 0;
  fail_offer(node, copy, reason, tick);
}

// An offer failed: park the copy for the next one, or let it end.
void Mesh::fail_offer(int32_t node, Copy copy, Outcome reason, int64_t tick) {
  Frame& f = frame_at(copy.frame);
  if (copy.offers < f.max_offers) {
    const uint64_t draw = draw_u64(static_cast<uint64_t>(config().seed), kReoffer, node, tick);
    const uint64_t span = static_cast<uint64_t>(f.reoffer_max - f.reoffer_min + 1);
    copy.due = tick + f.reoffer_min + static_cast<int64_t>(below(draw, span));
    nodes[node].parked.push_back(copy);
    schedule(copy.due, node, kOfferAgain, frame_key(f), copy.frame);
    return;
  }
  if (reason == kChannelAccessFailure && !f.access_verdict) {
    f.access_verdict = 1;
    ++counters.access_verdicts;
  }
  if (reason == kNoAck && !f.ack_verdict) {
    f.ack_verdict = 1;
    ++counters.no_ack_verdicts;
  }
  end_copy(copy.frame, node, reason, tick);
}

void Mesh::offer_again(int32_t node, int64_t frame, int64_t tick) {
  std::vector<Copy>& parked = nodes[node].parked;
  const auto found = std::find_if(parked.begin(), parked.end(),
                                  [&](const Copy& c) { return c.frame == frame && c.due == tick; });
  if (found == parked.end()) return;  // died with the node
  Copy copy = *found;
  parked.erase(found);
  ++copy.offers;
  ++frame_at(frame).offers;
  ++counters.offers;
  if (enqueue(node, copy)) {
    serve(node, tick);
    return;
  }
  ++counters.queue_drops;
  fail_offer(node, copy, kDroppedQueue, tick);
}

// One copy is gone (kAcked: handed on; kPending: it was on air). With the last one the frame has its outcome.
void Mesh::end_copy(int64_t frame, int32_t node, Outcome reason, int64_t tick) {
  Frame& f = frame_at(frame);
  if (reason != kAcked && reason != kPending) {
    f.gave_up = 1;
    f.last_reason = reason;
  }
  if (--f.copies > 0) return;
  f.outcome = f.first_rx < 0 ? f.last_reason : uint8_t{f.gave_up ? kUnackedDelivered : kAcked};
  ++outcome_counts[f.outcome];
  ++counters.resolved;
  ends.push_back({frame, tick, node, f.outcome});
  taken_.erase(frame);
}

}  // namespace teiden
