// What the threads of a grid do in the phases of a window (windows.h). No phase depends on the order in which tiles take
// part: changes to frames commute, what comes from other tiles is put in order first, logs are put in order by the host.
#pragma once
#include "events.h"
#include "frame_changes.h"
#include "windows.h"

namespace teiden {

TEIDEN_FN void Windows::work(int32_t worker, int32_t workers) {
  int64_t soonest = kNever;
  int32_t waiting = 0;
  for (int32_t k = worker; k < count; k += workers) {
    Standing& standing = standings[k];
    if (standing.done < step) {
      if (take_part(k)) standing.done = step;
      else ++waiting;
    }
    if (phase == kLook || phase == kEnd) soonest = smaller(soonest, standing.next);
  }
  if (waiting > 0) add_atomic(&stopped, waiting);
  if (soonest < kNever) min_atomic(&next, soonest);
}

TEIDEN_FN void Windows::decide() {
  if (stopped > 0) {
    stops += stopped;
    stopped = 0;
    pause = kNoRoom;
    return;
  }
  ++step;
  if (phase == kRun) {
    phase = kApply;
    each_log([this](const auto& log) {
      if (log.is_full()) pause = kLogsFull;
    });
  } else if (phase == kApply) {
    phase = kEnd;
  } else {
    if (phase == kEnd) {
      ++windows;
      if (--left == 0) pause = kEnough;
    }
    open_window();
  }
}

TEIDEN_FN void Windows::open_window() {
  each_log([](auto& log) { log.wanted = 0; });
  if (next >= until) {
    pause = kDone;
  } else {
    window.open(next, smaller(until, next + turnaround), history, longest);
    phase = kRun;
  }
  next = kNever;
}

// Do a tile's part of the phase; false: it waits for room, and the rest is still to be done.
TEIDEN_FN bool Windows::take_part(int32_t k) {
  Standing& standing = standings[k];
  switch (phase) {
    case kLook:
      standing.next = tiles[k].next_tick();
      return true;
    case kRun:
      return standing.next >= window.end || run(k);
    case kApply:
      if (standing.mail && !receive(tiles[k])) return false;
      if (standing.ran) change_frames(tiles[k]);
      return true;
    default:
      if (window.sweeps()) tiles[k].sweep(window.sweep_before);
      if (standing.ran || standing.mail) finish(k);
      return true;
  }
}

// Run a tile through the window. What the first two steps leave undone they go on with when they are called again.
TEIDEN_FN bool Windows::run(int32_t k) {
  Tile& tile = tiles[k];
  tile.begin_window(window.start);
  if (!tile.run_until(window.end) || !send(tile)) return false;
  standings[k].ran = 1;
  note_arrivals(tile);
  return true;
}

// Put what is meant for other tiles into their inboxes.
TEIDEN_FN bool Windows::send(Tile& tile) {
  for (; !tile.outbox.empty(); tile.outbox.pop()) {
    if (kernel_heap->is_low()) return false;
    const int32_t to = tile_of(tile.outbox.back().dst);
    const Hold hold(&standings[to].lock);
    tiles[to].inbox.push(tile.outbox.back());
    standings[to].mail = 1;
  }
  return true;
}

// Return which tile a node is of.
TEIDEN_FN int32_t Windows::tile_of(int32_t node) const {
  const Standing* after =
      first_not(standings, standings + count, [node](const Standing& standing) { return standing.first <= node; });
  return static_cast<int32_t>(after - standings) - 1;
}

// Post what other tiles have sent, in the order of what it is: whoever came first does not matter.
TEIDEN_FN bool Windows::receive(Tile& tile) {
  put_in_order(tile.inbox.begin(), tile.inbox.end(), [](const Reception& a, const Reception& b) {  // latest first
    if (a.end != b.end) return a.end > b.end;
    if (a.dst != b.dst) return a.dst > b.dst;
    return a.src != b.src ? a.src > b.src : a.rank > b.rank;
  });
  for (; !tile.inbox.empty(); tile.inbox.pop()) {
    if (kernel_heap->is_low()) return false;
    tile.post(tile.inbox.back());
  }
  return true;
}

// Note what has arrived, and how many rows this tile is going to log at most.
TEIDEN_FN void Windows::note_arrivals(Tile& tile) {
  int64_t arrived = 0, ended = 0;
  for (const Delta& d : tile.deltas) {
    ended += d.change == kEnded;
    if (d.change != kArrived) continue;
    ++arrived;
    const Hold hold(lock_of(d));
    if (note_arrival(frame(d), d) == kFirst) add_atomic(&totals.delivered, 1);
  }
  deliveries.want(arrived), ends.want(ended);
  deaths.want(tile.deaths.size()), joinings.want(tile.joinings.size()), moves.want(tile.moves.size());
}

TEIDEN_FN void Windows::change_frames(const Tile& tile) {
  for (const Delta& d : tile.deltas) {
    const Hold hold(lock_of(d));
    if (change_frame(frame(d), d, turnaround))
      add_atomic(d.value == kNoAck ? &totals.no_ack_verdicts : &totals.access_verdicts, 1);
  }
}

// End the frames whose last copy is gone, log, and be ready for the next window.
TEIDEN_FN void Windows::finish(int32_t k) {
  Tile& tile = tiles[k];
  for (const Delta& d : tile.deltas) {
    if (d.change == kEnded) end_frame(d);
    if (d.change == kArrived) log_arrival(d);
  }
  for (const Move& move : tile.moves) seats[move.node].take(move);
  deaths.append(tile.deaths.begin(), tile.deaths.size());
  joinings.append(tile.joinings.begin(), tile.joinings.size());
  moves.append(tile.moves.begin(), tile.moves.size());
  tile.deltas.clear(), tile.deaths.clear(), tile.joinings.clear(), tile.moves.clear();
  standings[k].next = tile.next_tick();
  standings[k].ran = standings[k].mail = 0;
}

TEIDEN_FN void Windows::end_frame(const Delta& d) {
  const Hold hold(lock_of(d));
  Frame& f = frame(d);
  if (!end_if_gone(f)) return;
  add_atomic(&totals.resolved, 1);
  add_atomic(&outcomes[f.outcome], 1);
  const End end{d.frame, f.ended, f.ended_at, f.outcome};
  ends.append(&end, 1);
}

// A frame's first arrival is a row, and each arrival of a broadcast.
TEIDEN_FN void Windows::log_arrival(const Delta& d) {
  const Frame& f = frame(d);
  if (f.dst != kEverybody && (f.first_rx != d.tick || f.sink != d.id)) return;
  const Delivery delivery{d.frame, d.tick, d.id, d.value, f.attempts_rx, 0};
  deliveries.append(&delivery, 1);
}

}  // namespace teiden
