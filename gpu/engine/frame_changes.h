// What the changes that nodes decided do to a frame. They commute, so no result depends on which tile's come first; that
// is for one change at a time: whoever makes it has the frame to himself.
#pragma once
#include "state.h"

namespace teiden {

enum Arrival { kFirst, kEarlier, kLater };  // of all so far; than all so far; or neither

// Note an arrival at a destination: the first by (tick, id) counts.
TEIDEN_FN Arrival note_arrival(Frame& f, const Delta& d) {
  const Arrival arrival = f.first_rx < 0 ? kFirst : kEarlier;
  if (arrival == kEarlier && (f.first_rx < d.tick || (f.first_rx == d.tick && f.sink <= d.id))) return kLater;
  f.first_rx = d.tick;
  f.sink = d.id;
  f.hops = static_cast<int16_t>(d.value);
  return arrival;
}

// Return whether (tick, id) is not before what is kept, and keep it then.
TEIDEN_FN bool latest(const Delta& d, int64_t* tick, int32_t* id) {
  if (d.tick < *tick || (d.tick == *tick && d.id < *id)) return false;
  *tick = d.tick;
  *id = d.id;
  return true;
}

// Make a change, all arrivals of the window being known. Return whether it is the first verdict of its kind on the frame.
TEIDEN_FN bool change_frame(Frame& f, const Delta& d, int64_t turnaround) {
  const int64_t start = d.tick + turnaround;
  switch (d.change) {
    case kHeld:
      ++f.copies;
      break;
    case kOffered:
      ++f.offers;
      break;
    case kSent:
      if (f.first_tx < 0 || start < f.first_tx) f.first_tx = start;
      ++f.attempts;
      f.attempts_rx += f.first_rx < 0 || d.tick <= f.first_rx;
      f.copies += d.value;
      break;
    case kEnded:
      --f.copies;
      latest(d, &f.ended, &f.ended_at);
      if (d.value == kAcked || d.value == kPending) break;
      [[fallthrough]];
    case kRefused:
      f.gave_up = 1;
      if (latest(d, &f.failed, &f.failed_at)) f.last_reason = static_cast<uint8_t>(d.value);
      break;
    case kVerdict: {
      uint8_t& verdict = d.value == kNoAck ? f.ack_verdict : f.access_verdict;
      const bool is_first = !verdict;
      verdict = 1;
      return is_first;
    }
    default:
      break;
  }
  return false;
}

// With its last copy a frame has its outcome; return whether it has just got it. What is gone at a barrier never comes
// back: copies are made of copies.
TEIDEN_FN bool end_if_gone(Frame& f) {
  if (f.copies > 0 || f.outcome != kPending) return false;
  f.outcome = f.first_rx < 0 ? f.last_reason : uint8_t{f.gave_up ? kUnackedDelivered : kAcked};
  return true;
}

}  // namespace teiden
