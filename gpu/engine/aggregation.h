// Aggregation: what waits for the same parent rides along with the head of the queue, in one transmission with one
// header and one ACK. At the receiver the frames part again.
#pragma once
#include "frames.h"
#include "tile.h"

namespace teiden {

// Return what a frame adds to a transmission that others ride on: all but its headers.
TEIDEN_FN int32_t Tile::body_bytes(int64_t id) const {
  return larger<int32_t>(kind_of(id).psdu_bytes - static_cast<int32_t>(config().aggregate_overhead_bytes), 1);
}

TEIDEN_FN bool Tile::goes_up(int64_t id) const { return !is_control(id) && frame(id).dst == kNearestSink; }

// Return the size of the transmission that takes the head of the queue and, behind it, as many others as may ride along.
// With `take` they are marked.
TEIDEN_FN int32_t Tile::load_riders(int32_t node, bool take) {
  const Node& n = at(node);
  const int32_t alone = psdu_bytes(copies_[n.queue].frame);
  if (config().aggregate_frames <= 1 || !goes_up(copies_[n.queue].frame)) return alone;
  int32_t total = static_cast<int32_t>(config().aggregate_overhead_bytes) + body_bytes(copies_[n.queue].frame);
  int32_t count = 1;
  for (int32_t copy = copies_[n.queue].next; copy >= 0 && count < config().aggregate_frames; copy = copies_[copy].next) {
    if (!goes_up(copies_[copy].frame)) continue;
    const int32_t more = body_bytes(copies_[copy].frame);
    if (total + more > config().max_psdu_bytes) continue;
    total += more;
    ++count;
    if (take) copies_[copy].rides = 1;
  }
  return count > 1 ? total : alone;
}

// Announce the riders of a transmission to its receiver.
TEIDEN_FN void Tile::announce_riders(int32_t node, Reception what) {
  uint8_t rank = 0;
  for (int32_t copy = copies_[at(node).queue].next; copy >= 0; copy = copies_[copy].next) {
    if (!copies_[copy].rides) continue;
    what.frame = copies_[copy].frame;
    what.hops = static_cast<int16_t>(copies_[copy].hops + 1);
    what.rank = ++rank;
    ++counters.aggregated;
    note(kSent, what.frame, node, what.start - config().turnaround_us, announce(at(node).next_hop, what));
  }
}

// The transmission was not acknowledged: all stay where they are.
TEIDEN_FN void Tile::unload_riders(int32_t node) {
  if (config().aggregate_frames <= 1) return;
  for (int32_t copy = at(node).queue; copy >= 0; copy = copies_[copy].next) copies_[copy].rides = 0;
}

// The riders are done with, as the head they rode with.
TEIDEN_FN void Tile::drop_riders(int32_t node, Outcome reason, int64_t tick) {
  if (config().aggregate_frames <= 1) return;
  for (int32_t* place = &at(node).queue; *place >= 0;) {
    const int32_t copy = *place;
    if (!copies_[copy].rides) {
      place = &copies_[copy].next;
      continue;
    }
    *place = copies_[copy].next;
    --at(node).queued;
    copies_[copy].rides = 0;
    drop_copy(copy, node, reason, tick);
  }
}

// A rider ends at its receiver, right behind the head: it was received as the head was.
TEIDEN_FN void Tile::receive_rider(const Reception& what, int64_t tick) {
  if (at(what.dst).alive && verdict_.tick == tick && verdict_.node == what.dst && verdict_.src == what.src)
    take_over(what, tick);
  note(kEnded, what.frame, what.dst, tick, kPending);  // the copy on air
}

}  // namespace teiden
