// The mesh: nodes on a plane, one event queue, one list of transmissions.
//
// Two forms with the same results, bit for bit. In the plain one, the specification, every look at the channel
// scans the whole list of transmissions that can still matter; the fast one looks them up by grid cell.
// Files: hearing.cpp (what a node hears), hearing_cells.cpp and cells.h (the same by cells), mac.cpp (CSMA/CA,
// ACK), frames.cpp (queues, relays, outcomes), life.cpp (stored energy), route.cpp (trees), mesh.cpp (event loop,
// digest), abi.cpp (C).
#pragma once
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "air.h"
#include "cells.h"
#include "earshot.h"
#include "plane.h"
#include "queue.h"
#include "regulation.h"
#include "state.h"

namespace teiden {

uint64_t frame_key(const Frame& frame);

class Mesh {
 public:
  Plane plane;
  std::vector<Node> nodes;
  std::vector<int32_t> parent, hops, sink_of;  // (N,) -1: none
  std::vector<int64_t> etx;                    // (N,) cost to the sink, 128 = one transmission; -1: none
  std::vector<uint8_t> is_sink;                // (N,)
  std::vector<uint8_t> backed;                 // (N,) has a battery: power_off leaves it on
  bool routed = false;
  int64_t now = 0;
  Counters counters;
  int64_t outcome_counts[kOutcomes] = {};
  std::vector<Delivery> deliveries;
  std::vector<End> ends;
  std::vector<Dead> deaths;

  void start();      // once, after the plane is filled
  void use_cells();  // take the fast form; at any time, once the plane has its links
  void inject(int64_t tick, Frame frame);
  Frame& frame_at(int64_t id) { return frames_[id - first_frame_]; }
  const Frame& frame_at(int64_t id) const { return frames_[id - first_frame_]; }
  int64_t first_frame() const { return first_frame_; }
  int64_t end_frame() const { return first_frame_ + static_cast<int64_t>(frames_.size()); }
  void forget_ended();  // the frames before the first that has not ended
  void power_off(int32_t node, int64_t tick, int64_t energy_nj, bool sleeps);
  void power_on(int32_t node, int64_t tick);
  void run_until(int64_t tick);  // every event before the tick
  void digest(uint64_t out[2]) const;
  int64_t energy_nj(int32_t node, int64_t tick) const;  // left; -1: on the mains
  int64_t spent_listening(int32_t node, int64_t tick) const;
  int64_t spent_sending(int32_t node, int64_t tick) const;
  int64_t spent_receiving(int32_t node) const { return nodes[node].spent_rx; }
  int64_t spent_asleep(int32_t node, int64_t tick) const;
  // The PAN whose broadcast schedule a node keeps, -1: none.
  int32_t pan_of(int32_t node) const { return routed ? sink_of[node] : 0; }
  void find_earshot_again();  // after a load
  void find_earshot() { if (!earshot_.laid()) earshot_.lay(plane); }  // before the first broadcast

  // route.cpp
  void route(const std::vector<int32_t>& sinks, const uint8_t* usable);
  void set_parents(const int32_t* given, const std::vector<int32_t>& sinks);

  template <class Archive>
  void archive(Archive& a) {
    a(now), a(routed), a(counters), a(outcome_counts), a(parent), a(hops), a(sink_of), a(etx), a(is_sink);
    a(frames_), a(first_frame_), a(forgotten_), a(deliveries), a(ends), a(deaths), a(taken_);
    a(air_accounts_);
    events_.archive(a);
    air_.archive(a);
    a.each(nodes);
  }

 private:
  struct Heard {
    int64_t number, start, end;
    uint64_t power;
    int32_t channel;
  };

  // mesh.cpp
  void schedule(int64_t tick, int32_t node, EventType type, uint64_t sequence, int64_t arg);
  void set_timer(int32_t node, int64_t tick);
  void handle(const Event& event);
  void forget_air(int64_t tick);
  const Config& config() const { return plane.config; }

  // hearing.cpp
  void hear(int32_t node, int64_t after, int64_t before);
  void resolve_lock(int32_t node, int64_t upto);
  bool can_lock(int32_t node, const Heard& heard) const;
  bool wins_lock(size_t index) const;
  int32_t listening_on(int32_t node, int64_t start) const;
  bool channel_busy(int32_t node, int32_t channel, int64_t tick);
  bool decodes(int32_t node, int64_t number);
  int64_t reception_cost(const Transmission& wanted, uint64_t power, int64_t number) const;

  // hearing_cells.cpp
  bool crowded(int64_t tick) const;
  void gather(int32_t node, int64_t after, int64_t before, int32_t channel, size_t first, size_t last);
  bool surely_loses(uint64_t power, uint64_t others) const;
  uint64_t losing_sum(uint64_t power) const;
  bool makes_up(int32_t node, int64_t instant, int64_t before, int32_t channel, size_t first, uint64_t known,
                uint64_t limit);
  bool wins_lock_in_cells(int32_t node, size_t index, size_t cells);
  bool drowns(uint64_t power, int64_t first, int64_t upto) const;
  size_t gather_for_lock(int32_t node, int64_t first, int64_t upto);
  int64_t last_unlocked(int32_t node, int64_t from, int64_t upto, size_t cells);
  void resolve_lock_in_cells(int32_t node, int64_t upto);
  void replay_lock(int32_t node, int64_t from, int64_t upto, size_t cells);
  bool loud_in_cells(int32_t node, int32_t channel, int64_t tick);
  bool loud_at_a_start(int32_t channel, int64_t tick, uint64_t now, uint64_t threshold) const;
  int64_t reception_cost_swept(const Transmission& wanted, uint64_t power, int64_t number);

  // mac.cpp
  void serve(int32_t node, int64_t tick);
  void start_csma(int32_t node, int64_t tick);
  void back_off(int32_t node, int64_t tick);
  int64_t schedule_allows(int32_t node, int64_t start, int64_t backoff) const;
  int32_t sending_channel(int32_t node, int64_t start) const;
  int64_t allowed_from(int32_t node, int64_t tick);
  void timer_fired(int32_t node, int64_t tick);
  void assess_channel(int32_t node, int64_t tick);
  void send_data(int32_t node, int64_t tick, int32_t channel);
  void send_ack(int32_t node, int64_t tick, int64_t data);
  int64_t transmit(int32_t node, int64_t tick, Transmission record, int64_t ticks);
  int32_t announce(int32_t node, int32_t dst, int64_t end);
  void change_channel(int32_t node, Outcome reason, int64_t tick);
  bool wants_ack(const Node& n) const;
  void count_missing_ack(int32_t node, int64_t tick);
  void ack_missing(int32_t node, int64_t tick);
  void sent(int32_t node, int64_t tick);
  void receive_end(int32_t node, int64_t number, int64_t tick);
  void receive_data(int32_t node, int64_t number, int64_t tick);
  void receive_ack(int32_t node, int64_t number, int64_t tick);

  // frames.cpp
  void take_injected(int64_t frame, int64_t tick);
  void take_over(int64_t number, int64_t tick);
  void take_broadcast(int32_t node, int64_t number, int64_t tick);
  void arrive(int64_t frame, int32_t node, int64_t tick, int32_t hops);
  bool enqueue(int32_t node, const Copy& copy);
  void offer_again(int32_t node, int64_t frame, int64_t tick);
  void give_up(int32_t node, Outcome reason, int64_t tick);
  void fail_offer(int32_t node, Copy copy, Outcome reason, int64_t tick);
  void end_copy(int64_t frame, int32_t node, Outcome reason, int64_t tick);
  bool has_taken(int64_t frame, int32_t node);
  int32_t next_hop(int32_t node, int32_t dst) const;

  // life.cpp
  void lose_mains(int32_t node, int64_t tick, int64_t energy_nj, bool sleeps);
  void regain_mains(int32_t node, int64_t tick);
  void settle(int32_t node, int64_t tick);
  void plan_death(int32_t node, int64_t tick);
  void die(int32_t node, int64_t tick);
  void cut_transmission(int32_t node, int64_t tick);
  bool hears(int32_t node, int64_t number, int64_t tick);
  void fall_asleep(int32_t node, int64_t tick);
  void wake(int32_t node, int64_t tick);
  int64_t idle_mw(const Node& n) const { return n.asleep ? config().sleep_mw : config().listen_mw; }
  int64_t idle_nj(const Node& n, int64_t tick) const;
  int64_t transmitting_nj(const Node& n, int64_t tick) const;

  // route.cpp
  void start_tree();
  void measure_tree();

  Air air_;
  std::vector<Frame> frames_;  // by id from first_frame_ on
  int64_t first_frame_ = 0;
  uint64_t forgotten_[2] = {};  // what forgotten frames add to the digest
  EventQueue events_;
  std::vector<AirAccount> air_accounts_;  // (N,) where sending is regulated
  Earshot earshot_;                       // laid before the first broadcast
  std::unordered_map<int64_t, std::vector<Taken>> taken_;   // of frames with copies alive
  std::vector<Heard> heard_;                                // scratch
  std::vector<int64_t> edges_;                              // scratch

  struct Open {  // a cell still to be visited: its signals on air, and the strongest there may be
    const Signal *first, *last;
    uint64_t strongest;
  };
  Cells cells_;                                        // laid in the fast form only
  uint64_t lock_ratio_ = 0;                            // SINR to lock on, linear, 1 = 2^20
  std::vector<Open> open_;                             // scratch
  std::vector<std::pair<int64_t, uint64_t>> changes_;  // scratch
};

}  // namespace teiden
