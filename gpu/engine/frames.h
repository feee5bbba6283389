// The life of a frame at a node: queues, relays, duplicates, offers. What happens to the frame as a whole is noted as
// changes that commute and are applied at barriers (frame_changes.h), so that no node waits for another.
#pragma once
#include "tile.h"

namespace teiden {

// Return where a frame goes to in the end: a node, kNearestSink, kEverybody.
TEIDEN_FN int32_t Tile::destination(int64_t id) const {
  if (!is_control(id)) return frame(id).dst;
  if (control_kind(id) == kAuthReply) return auth_joiner(id);
  if (control_kind(id) == kAnswer) return answer_child(id);
  return control_kind(id) == kAuthRequest || control_kind(id) == kProbe ? kNearestSink : kEverybody;
}

TEIDEN_FN int32_t Tile::psdu_bytes(int64_t id) const {
  if (!is_control(id)) return kind_of(id).psdu_bytes;
  const bool authenticates = control_kind(id) == kAuthRequest || control_kind(id) == kAuthReply;
  return static_cast<int32_t>(authenticates ? config().auth_bytes : config().advert_bytes);
}

// Return where a node sends a frame next: -1 if nowhere.
TEIDEN_FN int32_t Tile::next_hop(int32_t node, int64_t id, int64_t tick) const {
  const int32_t dst = destination(id);
  if (!world_->routed || dst == kEverybody || (is_control(id) && control_kind(id) == kAnswer)) return dst;
  if (dst >= 0)
    for (int32_t below = dst, above; (above = parent_seen(below, tick)) >= 0; below = above)
      if (above == node) return below;  // a descendant: the child towards it
  if (!living()) return world_->parent[node];
  return network(node).membership == kJoined || is_control(id) ? network(node).parent : -1;
}

TEIDEN_FN void Tile::note(Change change, int64_t frame, int32_t node, int64_t tick, int32_t value) {
  if (!is_control(frame)) deltas.push({frame, tick, at(node).id, value, change});
}

// Put a copy behind its equals in the queue, before lower priorities, never before the one being sent.
TEIDEN_FN bool Tile::enqueue(int32_t node, int32_t copy) {
  Node& n = at(node);
  if (n.queued >= config().queue_frames) return false;
  int32_t* place = &n.queue;
  if (n.serving) place = &copies_[*place].next;
  while (*place >= 0 && copies_[*place].priority >= copies_[copy].priority) place = &copies_[*place].next;
  copies_[copy].next = *place;
  *place = copy;
  ++n.queued;
  return true;
}

// Take the head off the queue; the MAC is done with it.
TEIDEN_FN int32_t Tile::take_head(int32_t node) {
  Node& n = at(node);
  const int32_t head = n.queue;
  n.queue = copies_[head].next;
  --n.queued;
  n.serving = 0;
  return head;
}

TEIDEN_FN int32_t Tile::new_copy(int64_t frame, int32_t hops) {
  const int32_t copy = copies_.take();
  const int32_t priority = is_control(frame) ? kControlPriority : kind_of(frame).priority;
  copies_[copy] = {frame, 0, 1, -1, priority, static_cast<int16_t>(hops), 0};
  return copy;
}

TEIDEN_FN bool Tile::has_taken(int64_t frame, int32_t node) const {
  return taken_.has(TakenSet::key(frame, node - first_, at(node).life));
}

TEIDEN_FN void Tile::take(int64_t frame, int32_t node) {
  taken_.add(TakenSet::key(frame, node - first_, at(node).life),
             [this](uint32_t low_bits) { return world_->has_ended(low_bits); },
             [this](uint32_t low_bits) { world_->fetch_outcome(low_bits); });
}

TEIDEN_FN void Tile::take_injected(int64_t id, int64_t tick) {
  const Frame& f = frame(id);
  ++counters.injected;
  note(kHeld, id, f.src, tick, 0);
  if (!at(f.src).alive) {
    note(kEnded, id, f.src, tick, kDied);
    return;
  }
  if (f.dst == kNearestSink && world_->is_sink[f.src]) {
    note(kArrived, id, f.src, tick, 0);
    note(kEnded, id, f.src, tick, kAcked);
    return;
  }
  take(id, f.src);
  const int32_t copy = new_copy(id, 0);
  note(kOffered, id, f.src, tick, 0);
  ++counters.offers;
  if (enqueue(f.src, copy)) {
    serve(f.src, tick);
    return;
  }
  ++counters.queue_drops;
  fail_offer(f.src, copy, kDroppedQueue, tick);
}

// Take over a frame that was received: arrived, already known, to be relayed, or dropped for want of room.
TEIDEN_FN void Tile::take_over(const Reception& what, int64_t tick) {
  const int32_t node = what.dst;
  const Frame& f = frame(what.frame);
  if (has_taken(what.frame, node)) {
    ++counters.duplicates;
    return;
  }
  if (f.dst == node || (f.dst < 0 && world_->is_sink[node])) {
    take(what.frame, node);
    note(kArrived, what.frame, node, tick, what.hops);
    return;
  }
  const int32_t copy = new_copy(what.frame, what.hops);
  if (config().aggregate_wait_us && at(node).queue < 0)  // others may ride along
    at(node).ready_at = larger(at(node).ready_at, tick + config().aggregate_wait_us);
  if (!enqueue(node, copy)) {
    copies_.give(copy);
    ++counters.queue_drops;
    note(kRefused, what.frame, node, tick, kDroppedQueue);
    return;
  }
  take(what.frame, node);
  note(kHeld, what.frame, node, tick, 0);
  note(kOffered, what.frame, node, tick, 0);
  ++counters.offers;
}

// A broadcast was heard by one more node.
TEIDEN_FN void Tile::take_broadcast(const Reception& what, int64_t tick) {
  ++counters.broadcast_received;
  note(kArrived, what.frame, what.dst, tick, what.hops);
}

// The MAC gives up on the head of its queue.
TEIDEN_FN void Tile::give_up(int32_t node, Outcome reason, int64_t tick) {
  fail_offer(node, take_head(node), reason, tick);
}

// An offer failed: park the copy for the next one, or let it end.
TEIDEN_FN void Tile::fail_offer(int32_t node, int32_t copy, Outcome reason, int64_t tick) {
  Copy& c = copies_[copy];
  if (is_control(c.frame)) {
    copies_.give(copy);
    return;
  }
  const Kind& kind = kind_of(c.frame);
  if (c.offers < kind.max_offers) {
    const uint64_t draw = draw_keyed(world_->reoffer_key, static_cast<uint32_t>(at(node).id), tick);
    const uint64_t span = static_cast<uint64_t>(kind.reoffer_max - kind.reoffer_min + 1);
    c.due = tick + kind.reoffer_min + static_cast<int64_t>(below(draw, span));
    c.next = at(node).parked;
    at(node).parked = copy;
    schedule({c.due, c.frame, node, kOfferAgain});
    return;
  }
  if (reason == kChannelAccessFailure || reason == kNoAck) note(kVerdict, c.frame, node, tick, reason);
  drop_copy(copy, node, reason, tick);
}

// Return whether a copy was due; one that died with the node is not there any more.
TEIDEN_FN bool Tile::offer_again(int32_t node, int64_t id, int64_t tick) {
  int32_t* place = &at(node).parked;
  while (*place >= 0 && (copies_[*place].frame != id || copies_[*place].due != tick)) place = &copies_[*place].next;
  const int32_t copy = *place;
  if (copy < 0) return false;
  *place = copies_[copy].next;
  ++copies_[copy].offers;
  note(kOffered, id, node, tick, 0);
  ++counters.offers;
  if (enqueue(node, copy)) {
    serve(node, tick);
    return true;
  }
  ++counters.queue_drops;
  fail_offer(node, copy, kDroppedQueue, tick);
  return true;
}

// A copy is gone from this node (kAcked: handed on).
TEIDEN_FN void Tile::drop_copy(int32_t copy, int32_t node, Outcome reason, int64_t tick) {
  note(kEnded, copies_[copy].frame, node, tick, reason);
  copies_.give(copy);
}

}  // namespace teiden
