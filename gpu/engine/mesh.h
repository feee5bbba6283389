// The mesh: nodes on a plane in tiles, frames that all tiles share, windows and barriers.
//
// Two forms with the same results, bit for bit. In the plain one, the specification, there is one tile and every look
// at the channel scans the list of all transmissions; the fast one looks them up by grid cell.
// Files: tile.h (what a node does), mesh.cpp (windows, barriers, digest), route.cpp (trees), abi.cpp (C).
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "ahead.h"
#include "air.h"
#include "arena.h"
#include "cells.h"
#include "crew.h"
#include "plane.h"
#include "state.h"
#include "tile.h"
#include "tiles.h"
#include "window.h"
#include "windows.h"

namespace teiden {

// A frame as the caller gives it; nodes by id.
struct Given {
  int64_t tick, reoffer_min, reoffer_max;
  int32_t src, dst, psdu_bytes, priority, max_offers;
};

class Mesh {
 public:
  Plane plane;                                 // by id
  std::vector<int32_t> parent, hops, sink_of;  // (N,) by id, -1: none
  std::vector<int64_t> etx;                    // (N,) by id: cost to the sink, 128 = one transmission; -1: none
  std::vector<uint8_t> is_sink;                // (N,) by id
  std::vector<uint8_t> backed;                 // (N,) by id: has a battery; empty: nobody has
  bool routed = false;
  int64_t now = 0;
  std::vector<Delivery> deliveries;
  std::vector<End> ends;
  std::vector<Dead> deaths;
  std::vector<Joining> joinings;

  // Run windows by kernels instead of here: `launch` runs a grid until the windows pause and returns 0, or what failed; to be
  // set before anything is filled. `begins`: this is a run's first launch.
  using Launch = int32_t (*)(Heap* heap, Windows* windows, int32_t tiles, uint64_t turns, int32_t threads, int32_t begins);
  HostHeap* heap = nullptr;
  Launch launch = nullptr;
  int32_t failed = 0;  // what launch returned, -1: the heap was exhausted; the run is void
  const Windows& windows() const { return windows_; }

  // Once, after the plane is filled. Threads, tiles and the turns in which one thread takes them (0: in order) change
  // no result.
  void start(bool fast, int32_t threads, int32_t tiles, uint64_t turns);
  void inject(const Given& given);
  void expect_frames(int64_t count) {  // no more room than they need, if they are many
    if (count > frames_.size()) frames_.reserve(frames_.size() + count);
  }
  int64_t first_frame() const { return first_frame_; }
  int64_t end_frame() const { return first_frame_ + frames_.size(); }
  const Frame& frame_at(int64_t id) const { return frames_[id - first_frame_]; }
  const Kind& kind_of(const Frame& frame) const { return kinds_[frame.kind]; }
  void forget_ended();  // the frames before the first that has not ended
  // The mains go, with so much energy stored and to sleep when idle, or (energy_nj null) come back.
  void change_supply(int64_t count, const int32_t* ids, const int64_t* ticks, const int64_t* energy_nj,
                     const uint8_t* sleeps);
  void run_until(int64_t tick);  // every event before the tick
  void digest(uint64_t out[2]) const;
  Counters counters() const;
  const int64_t* outcome_counts() const { return outcome_counts_; }
  const Node& node(int32_t id) const { return nodes_[place_of_[id]]; }
  int32_t id_of(int32_t node) const { return node < 0 ? -1 : nodes_[node].id; }
  int64_t energy_nj(int32_t id, int64_t tick) const;  // left; -1: on the mains
  int64_t spent_listening(int32_t id, int64_t tick) const;
  int64_t spent_sending(int32_t id, int64_t tick) const;
  int64_t spent_asleep(int32_t id, int64_t tick) const;
  int64_t spent_receiving(int32_t id) const { return accounts_[place_of_[id]].spent_rx; }
  // The PAN whose broadcast schedule a node keeps, -1: none.
  int32_t pan_of(int32_t id) const {
    if (living()) return network(id).pan;
    return routed ? sink_of[id] : 0;
  }

  // living.cpp
  void live(bool formed);  // once, after route: from now on nodes choose their parents themselves
  bool living() const { return !networks_.empty(); }
  const Network& network(int32_t id) const { return networks_[place_of_[id]]; }
  void measure_living_tree();  // hops, sink_of, etx as they are now

  // route.cpp
  void route(const std::vector<int32_t>& sinks, const uint8_t* usable);
  void set_parents(const int32_t* given, const std::vector<int32_t>& sinks);

  template <class Archive>
  void archive(Archive& a) {
    a(now), a(routed), a(totals_), a(outcome_counts_), a(parent), a(hops), a(sink_of), a(etx), a(is_sink);
    a(frames_), a(kinds_), a(first_frame_), a(forgotten_), a(deliveries), a(ends), a(deaths), a(nodes_), a(accounts_), a(air_accounts_);
    a(networks_), a(seats_), a(auth_slots_), a(joinings);
    refresh_world();  // tiles that are read put their events in order and their signals into cells
    if (fast_) {
      std::vector<Signal> kept = signals();
      const bool reading = kept.empty();  // a mesh that is read is new
      a(kept);
      if (reading)
        for (const Signal& s : kept) tile_of(place_of_[s.id]).restore(s, nodes_[place_of_[s.id]].spot.cell);
    } else {
      air_.archive(a);
    }
    for (Tile& tile : tiles_) tile.archive(a);
  }
  void loaded();  // after reading an archive

 private:
  const Config& config() const { return plane.config; }
  size_t tile_number(int32_t node) const {
    return static_cast<size_t>(std::upper_bound(tile_first_.begin(), tile_first_.end(), node) - tile_first_.begin()) - 1;
  }
  const Tile& tile_of(int32_t node) const { return tiles_[tile_number(node)]; }
  Tile& tile_of(int32_t node) { return tiles_[tile_number(node)]; }
  void cut_into_tiles(int32_t wanted);
  bool next_window(int64_t tick);
  void run_tile(int32_t k);
  void run_by_kernels(int64_t tick);
  void refresh_windows(int64_t tick);
  void take_logs();
  void take_totals();
  void work(int member, int64_t tick);
  int64_t window_ticks();
  bool is_calm();
  void put_busy_tiles_first();
  void refresh_world();
  void refresh_tree();
  int32_t kind(const Given& given);
  void barrier();
  void take_arrivals(const Delta& d);
  void apply(const Delta& d);
  void end(int64_t id);
  void forget_air(int64_t before, size_t from, size_t to);
  void recount();
  std::vector<Signal> signals() const;

  void seat(const Move& move);
  void know_control_frames();
  uint64_t network_hash(int32_t place, uint64_t lane) const;

  // route.cpp
  void start_tree();
  void measure_tree();

  bool fast_ = false;
  std::vector<int32_t> tile_first_;  // first node of each tile
  std::vector<int32_t> turn_;        // tiles in the order they are taken
  Window window_;
  std::vector<int64_t> events_of_;   // each tile, up to this window
  std::vector<int64_t> busy_;        // each tile's events of late
  bool at_work_ = false;
  bool ahead_ = false;            // this window is one in which members run ahead
  int64_t calm_turnarounds_ = 1;  // as many as it had, if so
  int64_t shortest_ = INT64_MAX;  // no transmission lasts shorter
  int64_t events_before_ = 0;     // this window
  uint64_t turns_ = 0;
  int32_t threads_ = 1;
  Windows windows_;             // where kernels run the tiles
  Array<Standing> standings_;   // the same
  Array<int32_t> frame_locks_;  // the same
  std::atomic<int32_t> taken_tiles_{0};
  Array<Node> nodes_;             // in order of place
  Array<Account> accounts_;       // the same
  Array<AirAccount> air_accounts_;  // the same, where sending is regulated
  Array<Network> networks_;         // the same, where the tree is alive
  Array<Seat> seats_;               // the same
  Array<AuthSlot> auth_slots_;      // of all sinks
  Array<int32_t> place_of_;       // by id
  Array<int32_t> tree_;           // parents by place
  Array<uint8_t> sinks_;          // by place
  Array<int32_t> pans_;           // by place
  Array<Frame> frames_;           // by id from first_frame_ on
  Array<Kind> kinds_;
  using KindKey = std::tuple<int64_t, int64_t, int32_t, int32_t, int32_t>;
  std::map<KindKey, int32_t> kind_of_;
  int64_t first_frame_ = 0;
  uint64_t forgotten_[2] = {};  // what forgotten frames add to the digest
  Counters totals_;             // of frames as wholes
  int64_t outcome_counts_[kOutcomes] = {};
  int64_t first_new_delivery_ = 0;

  World world_;
  Earshot earshot_;  // laid before the first broadcast
  Air air_;
  Cells cells_;  // laid in the fast form only
  Tiles tiles_;
  std::unique_ptr<Crew> crew_;  // where there is more than one thread
  std::unique_ptr<RunAhead> run_ahead_;  // the same
};

}  // namespace teiden
