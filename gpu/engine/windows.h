// Many windows in one launch: what the threads of a grid share about them, and what the host reads afterwards.
//
// A window has three phases, and the grid meets after each: tiles run for themselves (kRun), what they decided about frames
// is applied (kApply), frames end and the next event is looked for (kEnd). Each phase is each tile's own business but for
// frames, which are held one at a time while they change, and for what is handed to another tile, in its inbox. The last to
// come to a meeting decides what is next. A launch is left where the host has to do something, and taken up again there:
// every tile knows the last step it has done.
//
// windows_work.h has what the grid does, mesh.cpp what the host does.
#pragma once
#include "meeting.h"
#include "network_state.h"
#include "state.h"
#include "tile.h"
#include "window.h"

namespace teiden {

enum Phase : int32_t { kLook, kRun, kApply, kEnd };  // kLook, once a run: when is the first event?

enum Pause : int32_t {
  kGoesOn,
  kDone,      // no event is left before the tick
  kNoRoom,    // a tile waits for a region of the heap
  kLogsFull,  // this window may write more than fits
  kEnough     // so many windows were run; the host may want to stop
};

// Where a tile is.
struct Standing {
  int64_t next = 0;   // the tick of its next event
  int64_t done = -1;  // its latest step
  int32_t first = 0;  // its first node
  int32_t ran = 0;    // in this window
  int32_t mail = 0;   // somebody put something into its inbox
  int32_t lock = 0;   // of the inbox
};

// What all tiles write down for the caller, in no particular order; rows of one tile stay in their order.
template <class T>
struct Log {
  Array<T> rows;       // as many as fit: only the host makes room
  int64_t size = 0;    // those that are written
  int64_t wanted = 0;  // by this window, at most

  void want(int64_t count) {
    if (count > 0) add_atomic(&wanted, count);
  }
  bool is_full() const { return size + wanted > rows.size(); }
  void append(const T* from, int64_t count) {
    if (count == 0) return;
    const int64_t at = add_atomic(&size, count);
    for (int64_t i = 0; i < count; ++i) rows[at + i] = from[i];
  }
};

struct Windows {
  static constexpr int64_t kFrameLocks = 1 << 16;
  static constexpr int64_t kEnoughWindows = 1000;  // a launch: a second, where a window takes a millisecond

  // given by the host
  Tile* tiles = nullptr;
  Standing* standings = nullptr;   // (count,)
  Frame* frames = nullptr;         // from first_frame on
  int32_t* frame_locks = nullptr;  // (kFrameLocks,)
  Seat* seats = nullptr;           // (N,) where the tree is alive
  int64_t first_frame = 0, until = 0, turnaround = 0, history = 0, longest = 0;
  int32_t count = 0;

  // where it stands
  Phase phase = kLook;
  Pause pause = kGoesOn;
  int32_t stopped = 0;  // tiles that wait for room
  Window window;
  int64_t next = kNever;  // the first event of all tiles, as far as they have looked
  int64_t step = 0;       // a phase of a window; never twice the same
  int64_t left = 0;       // windows of this launch
  Meeting meeting;

  // what comes out
  Counters totals;  // of frames as wholes
  int64_t outcomes[kOutcomes] = {};
  Log<Delivery> deliveries;
  Log<End> ends;
  Log<Dead> deaths;
  Log<Joining> joinings;
  Log<Move> moves;
  int64_t windows = 0, launches = 0, stops = 0, full_logs = 0;  // so far

  template <class Visit>
  void each_log(Visit visit) {
    visit(deliveries), visit(ends), visit(deaths), visit(joinings), visit(moves);
  }

  // windows_work.h
  TEIDEN_CALL void work(int32_t worker, int32_t workers);  // a worker's share of a phase
  TEIDEN_CALL void decide();                               // once all have done theirs

 private:
  Frame& frame(const Delta& d) { return frames[d.frame - first_frame]; }
  int32_t* lock_of(const Delta& d) { return &frame_locks[(d.frame - first_frame) & (kFrameLocks - 1)]; }
  int32_t tile_of(int32_t node) const;
  void open_window();
  TEIDEN_CALL bool take_part(int32_t k);
  TEIDEN_CALL bool run(int32_t k);
  TEIDEN_CALL bool send(Tile& tile);
  TEIDEN_CALL bool receive(Tile& tile);
  TEIDEN_CALL void note_arrivals(Tile& tile);
  TEIDEN_CALL void change_frames(const Tile& tile);
  TEIDEN_CALL void end_frame(const Delta& d);
  TEIDEN_CALL void log_arrival(const Delta& d);
  TEIDEN_CALL void finish(int32_t k);
};

}  // namespace teiden
