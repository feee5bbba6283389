// A tile: some of the nodes with all that is theirs, and the rules they live by.
//
// An event at a node changes that node only. What one node does reaches another one turnaround later at the earliest:
// a transmission decided at t is on air from t + turnaround on, and whoever looks at t' sees only what started by t'.
// So within a window of one turnaround the order of nodes cannot matter. What else must get out of a tile waits for the
// barrier at the window's end: changes to frames (deltas), receptions at nodes of other tiles (outbox), deaths.
//
// Files: mac.h (CSMA/CA, ACK), frames.h (queues, relays, offers), life.h (stored energy), hearing.cpp and
// hearing_cells.cpp (what a node hears, plainly and by cells), events.h (what is next), fetch_ahead.h (what comes after
// that), mesh.cpp (windows, barriers), windows_work.h (the same where kernels run the tiles).
#pragma once
#include "air.h"
#include "arena.h"
#include "background.h"
#include "cells.h"
#include "earshot.h"
#include "network_state.h"
#include "plane.h"
#if !defined(TEIDEN_DEVICE)
#include "queue.h"
#endif
#include "regulation.h"
#include "state.h"
#include "taken.h"
#include "wheel.h"

namespace teiden {

// What all tiles read and only barriers change.
struct World {
  const Plane* plane = nullptr;
  Node* nodes = nullptr;          // (N,) a tile touches its own only; spots and ids never change
  Account* accounts = nullptr;    // (N,)
  const Frame* frames = nullptr;  // from first_frame on
  const Kind* kinds = nullptr;
  const int32_t* parent = nullptr;  // (N,) node; -1: none
  const uint8_t* is_sink = nullptr; // (N,)
  const int32_t* pan = nullptr;     // (N,) whose broadcast schedule a node keeps; -1: none
  const int32_t* place_of = nullptr;   // (N,) node by id
  const Earshot* earshot = nullptr;    // laid before the first broadcast
  AirAccount* air_accounts = nullptr;  // (N,) where sending is regulated
  Network* networks = nullptr;         // (N,) where the tree is alive
  const Seat* seats = nullptr;         // (N,) the same: parents as others see them
  AuthSlot* auth_slots = nullptr;      // of all sinks
  int64_t first_frame = 0, end_frame = 0;
  int64_t longest = 0;  // no transmission lasts longer
  int64_t live = 0;     // what ended so long before a look still counts as live in it: a CCA or an ACK may have seen it
  uint64_t backoff_key = 0, decode_key = 0, reoffer_key = 0, network_key = 0;
  bool routed = false;

  const Frame& frame(int64_t id) const { return frames[id - first_frame]; }
  uint64_t content_key(const Frame& frame) const;
  // Return whether a frame, known by its low 32 bits, has ended or is forgotten.
  bool has_ended(uint32_t low_bits) const {
    const uint32_t offset = low_bits - static_cast<uint32_t>(first_frame);
    return offset >= end_frame - first_frame || frames[offset].outcome != kPending;
  }
  void fetch_outcome(uint32_t low_bits) const { prefetch(&frames[low_bits - static_cast<uint32_t>(first_frame)].outcome); }
};

struct Heard {
  int64_t start, end;
  uint64_t power;
  int32_t id, channel;
};

inline bool starts_before(const Heard& a, const Heard& b) { return a.start != b.start ? a.start < b.start : a.id < b.id; }

// A transmission under way whose end the caller has moved by a change of its sender's supply.
struct Recut {
  int64_t start, old_end, new_end;
  int32_t src, id;
  uint8_t cut;
};

class EventQueue;

// Some of the nodes, a bit each, so that a million of them fit into a cache.
class NodeSet {
 public:
  void make(int32_t nodes) { words_.fill(nodes / 64 + 1, 0); }
  void put(int32_t node) { words_[node >> 6] |= 1ULL << (node & 63); }
  bool has(int32_t node) const { return words_[node >> 6] >> (node & 63) & 1; }

 private:
  Array<uint64_t> words_;
};

// Which events others have to be told of: those before a tick at some nodes.
struct Watch {
  const NodeSet* nodes = nullptr;
  int64_t until = INT64_MIN;
  Array<Event> events;             // that were scheduled since they were last told
};

class alignas(64) Tile {  // no line in common with the next one, which another thread may run
 public:
  Tile() = default;
  Tile(const Tile&) = delete;
  Tile& operator=(const Tile&) = delete;
  ~Tile();

  Counters counters;
  Array<Delta> deltas;
  Array<Dead> deaths;
  Array<Move> moves;        // of parents
  Array<Joining> joinings;
  Array<Reception> outbox;  // at nodes of other tiles
  Array<Reception> inbox;   // from other tiles, where kernels run them

  void start(World* world, Air* air, Cells* cells, int32_t first, int32_t last) {
    world_ = world, air_ = air, cells_ = cells, first_ = first, last_ = last;
    large_ = last - first >= kLarge;
    if (large_) coming_.resize(kComing);
    start_events();
    const uint64_t ratio = linear_power(world->plane->tables(), config().lock_lu);
    sure_ratio_ = ratio - (ratio >> 8);  // the logarithms in between are far more exact than that
  }
  TEIDEN_CALL void network_start(int32_t node);
  bool owns(int32_t node) const { return node >= first_ && node < last_; }
  void inject(int64_t frame_id) {
    const Frame& f = frame(frame_id);
    schedule({f.injected, frame_id, f.src, kInject});
  }
  TEIDEN_CALL void plan_supply(int32_t node, int64_t tick, int64_t what);
  TEIDEN_CALL void post(const Reception& what);
  TEIDEN_CALL bool run_until(int64_t tick);  // every event before the tick
  template <class Before, class After>
  void run_ahead(int64_t tick, Before before, After after);  // the same; before(event) and after() each
  void watch(Watch* watch) { watch_ = watch; }
  template <class Visit>
  void each_in_page(int64_t start, Visit visit) const {  // (tick, node) of the events in a page of the wheel
    wheel_.each_in_page(start, visit);
  }
  TEIDEN_CALL int64_t next_tick();
  TEIDEN_CALL int64_t energy_nj(int32_t node, int64_t tick) const;  // left; -1: on the mains
  TEIDEN_CALL int64_t spent_listening(int32_t node, int64_t tick) const;
  TEIDEN_CALL int64_t spent_sending(int32_t node, int64_t tick) const;
  TEIDEN_CALL int64_t spent_asleep(int32_t node, int64_t tick) const;
  TEIDEN_CALL void reconsider(int32_t node, int64_t now, Array<Recut>* recut);
  TEIDEN_CALL void recut(const Recut* first, const Recut* last);
  TEIDEN_CALL void begin_window(int64_t start);
  TEIDEN_CALL void grow_old(int64_t tick);
  TEIDEN_CALL void sweep(int64_t before);
  TEIDEN_CALL void recount();
  TEIDEN_CALL void restore(const Signal& signal, int32_t cell);
  template <class Visit>
  TEIDEN_CALL void each_pending(Visit visit) const;

  template <class Archive>
  void archive(Archive& a) {
    a(counters), a(deaths), a(joinings);
    copies_.archive(a), planned_.archive(a), receptions_.archive(a), taken_.archive(a);
    Array<Event> all;
    each_event([&](const Event& e) { all.push(e); });
    a(all);
    clear_events();
    for (const Event& e : all) schedule(e);
  }

 private:
  Node& at(int32_t node) { return world_->nodes[node]; }
  const Node& at(int32_t node) const { return world_->nodes[node]; }
  Account& account(int32_t node) { return world_->accounts[node]; }
  const Account& account(int32_t node) const { return world_->accounts[node]; }
  const Config& config() const { return world_->plane->config; }
  const Frame& frame(int64_t id) const { return world_->frame(id); }
  const Kind& kind_of(int64_t frame_id) const { return world_->kinds[frame(frame_id).kind]; }
  bool living() const { return world_->networks != nullptr; }
  Network& network(int32_t node) { return world_->networks[node]; }
  const Network& network(int32_t node) const { return world_->networks[node]; }
  int32_t pan_of(int32_t node) const { return living() ? network(node).pan : world_->pan[node]; }

  // events.h
#if defined(TEIDEN_DEVICE)
  static constexpr bool fast() { return true; }
#else
  bool fast() const { return cells_->laid(); }
#endif
#if !defined(TEIDEN_DEVICE)
  template <class Visit>
  void each_event(Visit visit) const {
    if (fast()) wheel_.each(visit);
    else events_->each(visit);
  }
#endif
  TEIDEN_CALL void start_events();
  TEIDEN_CALL void clear_events();
  TEIDEN_CALL void age(Since since, int64_t before);
  template <class Visit>
  TEIDEN_CALL void each_own_slot(Visit visit);
  TEIDEN_CALL void schedule(const Event& event);
  void set_timer(int32_t node, int64_t tick) {
    at(node).timer_at = tick;
    schedule({tick, 0, node, kTimer});
  }
  TEIDEN_CALL bool handle(const Event& event);
  TEIDEN_CALL void put_on_air(int32_t node, int64_t start, int64_t end, int32_t channel);

  // fetch_ahead.h
  static constexpr int32_t kLarge = 20'000;  // nodes: fewer stay in a cache
  static constexpr int32_t kComing = 64;  // events that are listed ahead
  static constexpr int32_t kComingSlots = 20;
  static constexpr int kComingSteps = 3;  // after an event is listed
  struct Coming {
    Event event;
    int64_t after;  // signals that start earlier do not matter
    int32_t count;
    int32_t slots[kComingSlots];  // with signals, around its node
  };
  Coming& coming(int64_t i) { return coming_[i % kComing]; }
  TEIDEN_CALL void fetch_ahead(int64_t tick);
  TEIDEN_CALL void fetch_records(const Event& event) const;
  TEIDEN_CALL void fetch_further(const Event& event) const;
  TEIDEN_CALL bool looks(const Event& event) const;
  TEIDEN_CALL void fetch_cells(Coming& coming) const;
  TEIDEN_CALL void fetch_signals(const Coming& coming) const;
  TEIDEN_CALL uint64_t sequence(const Event& event) const;

  // hearing.cpp
  TEIDEN_CALL uint64_t noise_at(int32_t node, int32_t channel, int64_t tick) const;
  TEIDEN_CALL void hear_background(int32_t node, int32_t channel, int64_t after, int64_t before);
  TEIDEN_CALL void hear(int32_t node, int64_t after, int64_t before);
  TEIDEN_CALL int64_t unresolved_from(int32_t node, int64_t tick) const;
  TEIDEN_CALL void resolve_lock(int32_t node, int64_t upto);
  TEIDEN_CALL bool can_lock(int32_t node, const Heard& heard) const;
  TEIDEN_CALL bool wins_lock(int32_t node, int64_t index) const;
  TEIDEN_CALL int32_t listening_on(int32_t node, int64_t start) const;
  TEIDEN_CALL bool channel_busy(int32_t node, int32_t channel, int64_t tick);
  TEIDEN_CALL bool decodes(const Reception& what, int64_t tick);
  TEIDEN_CALL bool loud(int32_t node, int32_t channel, int64_t tick);
  TEIDEN_CALL bool would_lock(const Reception& what, Heard* wanted, bool new_start);
  TEIDEN_CALL bool survives(const Reception& what, const Heard& wanted, uint64_t draw);
  TEIDEN_CALL int64_t reception_cost(const Heard& wanted) const;

  // hearing_cells.cpp
  struct Ear {  // what an event has gathered on a channel
    int32_t channel;
    bool at_once;                // all rings together: there is little
    int rings;                   // so many of the nearest, of what ends after ears_near_
    int past_rings;              // so many of those, of what ended between ears_from_ and ears_near_
    bool bounded, past_bounded;  // whether these are known:
    uint64_t bound[kRings + 1];       // what ends after ears_near_ adds at most, from a ring and those beyond
    uint64_t past_bound[kRings + 1];  // what ends after ears_from_ does
  };
  template <class Visit>
  TEIDEN_CALL void each_audible(int32_t node, int32_t channel, int ring, int64_t after, int64_t upto, int64_t before,
                                Visit visit) const;
  TEIDEN_CALL Since since(int64_t after) const;
  TEIDEN_CALL void open_ears(int32_t node, int64_t from, int64_t near, int64_t until);
  template <class Visit>
  TEIDEN_CALL void each_audible_around(int32_t node, int32_t channel, int64_t after, int64_t upto, int64_t before,
                                       Visit visit) const;
  TEIDEN_CALL bool few_around(int32_t node, int32_t channel) const;
  TEIDEN_CALL Ear& ear(int32_t channel);
  TEIDEN_CALL Ear& open_ear(int32_t channel);
  TEIDEN_CALL void hear_at_once(Ear& e);
  TEIDEN_CALL void hear_further(Ear& e);
  TEIDEN_CALL void recall_further(Ear& e);
  TEIDEN_CALL void recall(int rings);
  TEIDEN_CALL void bound_rings(const Ear& e, int64_t after, uint64_t* bound) const;
  TEIDEN_CALL uint64_t bound_beyond(Ear& e) const;
  TEIDEN_CALL uint64_t past_bound_beyond(Ear& e) const;
  TEIDEN_CALL bool surely_loses(uint64_t power, uint64_t others) const;
  TEIDEN_CALL bool wins_against(uint64_t power, uint64_t others) const;
  TEIDEN_CALL bool wins(const Heard& wanted);
  TEIDEN_CALL bool could_lock(const Reception& what, Heard* wanted, bool new_start);
  TEIDEN_CALL bool drowns(const Array<Heard>& heard, uint64_t power, int64_t first, int64_t upto) const;
  TEIDEN_CALL void list_channels(int32_t node, int64_t first, int64_t upto);
  TEIDEN_CALL int64_t listens_until(int32_t node, int64_t tick) const;
  TEIDEN_CALL bool drowned(int ring, int64_t first, int64_t tick);
  TEIDEN_CALL int hear_lockable(int64_t floor, int64_t tick);
  TEIDEN_CALL bool first_winner(int64_t floor, int64_t tick, Heard* winner);
  TEIDEN_CALL bool may_be_locked(int64_t floor, const Heard& winner, int rings);
  TEIDEN_CALL void resolve_lock_in_cells(int32_t node, int64_t upto);
  TEIDEN_CALL int gather_past(int32_t node, int64_t first, int64_t upto);
  TEIDEN_CALL bool gather_past_at_once(int32_t node, int64_t first);
  TEIDEN_CALL bool won_in_past(int32_t node, int64_t index, int rings) const;
  TEIDEN_CALL int64_t last_unlocked(int32_t node, int64_t floor, int64_t upto);
  TEIDEN_CALL void replay_lock(int32_t node, int64_t from, int64_t upto);
  TEIDEN_CALL bool loud_in_cells(int32_t channel, int64_t tick);
  TEIDEN_CALL bool loud_at_a_start(int32_t channel, int64_t tick, uint64_t now, uint64_t threshold) const;
  TEIDEN_CALL int64_t whole_cost(const Heard& wanted, uint64_t more) const;
  TEIDEN_CALL int64_t swept_cost(const Heard& wanted, bool at_ends, uint64_t more);
  TEIDEN_CALL bool survives_in_cells(const Heard& wanted, uint64_t draw);

  // mac.h
  TEIDEN_CALL void serve(int32_t node, int64_t tick);
  TEIDEN_CALL void start_csma(int32_t node, int64_t tick);
  TEIDEN_CALL void back_off(int32_t node, int64_t tick);
  TEIDEN_CALL int64_t schedule_allows(int32_t node, int64_t start, int64_t backoff) const;
  TEIDEN_CALL int32_t sending_channel(int32_t node, int64_t start) const;
  TEIDEN_CALL int64_t allowed_from(int32_t node, int64_t tick);
  TEIDEN_CALL void timer_fired(int32_t node, int64_t tick);
  TEIDEN_CALL void assess_channel(int32_t node, int64_t tick);
  TEIDEN_CALL void send_data(int32_t node, int64_t tick, int32_t channel);
  TEIDEN_CALL void send_ack(int32_t node, int64_t tick, const Reception& data);
  TEIDEN_CALL Reception transmit(int32_t node, int64_t tick, Reception what, int64_t ticks);
  TEIDEN_CALL bool may_listen(int32_t id, int32_t pan, const Reception& what) const;
  TEIDEN_CALL int32_t announce(int32_t dst, Reception what);
  TEIDEN_CALL void change_channel(int32_t node, Outcome reason, int64_t tick);
  bool wants_ack(const Node& n) const { return config().ack && n.next_hop != kEverybody; }
  TEIDEN_CALL void count_missing_ack(int32_t node, int64_t tick);
  TEIDEN_CALL void ack_missing(int32_t node, int64_t tick);
  TEIDEN_CALL void sent(int32_t node, int64_t tick);
  TEIDEN_CALL void receive_end(const Reception& what, int64_t tick);
  TEIDEN_CALL void receive_data(const Reception& what, int64_t tick);
  TEIDEN_CALL void receive_ack(const Reception& what, int64_t tick);

  // frames.h
  TEIDEN_CALL int32_t next_hop(int32_t node, int64_t id, int64_t tick) const;
  TEIDEN_CALL int32_t psdu_bytes(int64_t id) const;
  TEIDEN_CALL int32_t destination(int64_t id) const;
  TEIDEN_CALL void note(Change change, int64_t frame, int32_t node, int64_t tick, int32_t value);
  TEIDEN_CALL bool enqueue(int32_t node, int32_t copy);
  TEIDEN_CALL int32_t take_head(int32_t node);
  TEIDEN_CALL int32_t new_copy(int64_t frame, int32_t hops);
  TEIDEN_CALL bool has_taken(int64_t frame, int32_t node) const;
  TEIDEN_CALL void take(int64_t frame, int32_t node);
  TEIDEN_CALL void take_injected(int64_t id, int64_t tick);
  TEIDEN_CALL void take_over(const Reception& what, int64_t tick);
  TEIDEN_CALL void take_broadcast(const Reception& what, int64_t tick);
  TEIDEN_CALL void give_up(int32_t node, Outcome reason, int64_t tick);
  TEIDEN_CALL void fail_offer(int32_t node, int32_t copy, Outcome reason, int64_t tick);
  TEIDEN_CALL bool offer_again(int32_t node, int64_t id, int64_t tick);
  TEIDEN_CALL void drop_copy(int32_t copy, int32_t node, Outcome reason, int64_t tick);

  // aggregation.h
  TEIDEN_CALL int32_t body_bytes(int64_t id) const;
  TEIDEN_CALL bool goes_up(int64_t id) const;
  TEIDEN_CALL int32_t load_riders(int32_t node, bool take);
  TEIDEN_CALL void announce_riders(int32_t node, Reception what);
  TEIDEN_CALL void unload_riders(int32_t node);
  TEIDEN_CALL void drop_riders(int32_t node, Outcome reason, int64_t tick);
  TEIDEN_CALL void receive_rider(const Reception& what, int64_t tick);

  // life.h
  int64_t idle_mw(int32_t node) const { return at(node).asleep ? config().sleep_mw : config().listen_mw; }
  TEIDEN_CALL int64_t idle_nj(int32_t node, int64_t tick) const;
  TEIDEN_CALL int64_t transmitting_nj(int32_t node, int64_t tick) const;
  TEIDEN_CALL void settle(int32_t node, int64_t tick);
  TEIDEN_CALL int64_t spent_by(int32_t node, int64_t from, int64_t energy) const;
  TEIDEN_CALL int64_t foresee_death(int32_t node, int64_t before) const;
  TEIDEN_CALL void plan_death(int32_t node, int64_t tick);
  TEIDEN_CALL bool change_supply(int32_t node, int64_t tick);
  TEIDEN_CALL void lose_mains(int32_t node, int64_t tick, int64_t energy_nj, bool sleeps);
  TEIDEN_CALL void fall_asleep(int32_t node, int64_t tick);
  TEIDEN_CALL void wake(int32_t node, int64_t tick);
  TEIDEN_CALL bool hears(const Reception& what, int64_t tick);
  TEIDEN_CALL void regain_mains(int32_t node, int64_t tick);
  TEIDEN_CALL void die(int32_t node, int64_t tick);

  // network.h
  TEIDEN_CALL void set_network_timer(int32_t node, int64_t tick, int64_t due);
  TEIDEN_CALL int64_t selects_at(const Network& net) const;
  TEIDEN_CALL int64_t trickle_us(const Network& net) const;
  TEIDEN_CALL uint64_t network_draw(int32_t node, int64_t tick, uint64_t n) const;
  TEIDEN_CALL void begin_interval(int32_t node, int64_t tick);
  TEIDEN_CALL void reset_trickle(int32_t node, int64_t tick);
  TEIDEN_CALL void network_timer(int32_t node, int64_t tick);
  TEIDEN_CALL void end_interval(int32_t node, int64_t tick);
  TEIDEN_CALL int64_t version_phase(int32_t node) const;
  TEIDEN_CALL int64_t next_version_at(int32_t node, int64_t tick) const;
  TEIDEN_CALL bool renew_version(int32_t node, int64_t tick);
  TEIDEN_CALL bool send_control(int32_t node, int64_t number);
  TEIDEN_CALL void advertise(int32_t node);
  TEIDEN_CALL void answer(int32_t node, int32_t child, int64_t tick);
  TEIDEN_CALL void take_answer(int32_t node, const Reception& what, int64_t tick);
  TEIDEN_CALL void news_from(int32_t node, int32_t pan, uint16_t version, int64_t tick);
  TEIDEN_CALL void hear_control(int32_t node, const Reception& what, int64_t tick);
  TEIDEN_CALL void remember(int32_t node, int32_t src, uint16_t version, uint16_t cost, int32_t pan, int64_t tick);
  TEIDEN_CALL bool is_usable(const Candidate& c, int64_t tick) const;
  TEIDEN_CALL bool is_better(int32_t node, const Candidate& a, const Candidate& b, int64_t tick) const;
  TEIDEN_CALL int32_t place_of_parent(const Network& net) const;
  TEIDEN_CALL int32_t best_candidate(int32_t node, int64_t tick, int32_t pan) const;
  TEIDEN_CALL void follow(int32_t node, const Candidate& parent);
  TEIDEN_CALL void move_to(int32_t node, int32_t parent, int64_t tick);
  TEIDEN_CALL void choose_parent(int32_t node, int64_t tick);
  TEIDEN_CALL void orphan(int32_t node, int64_t tick);
  TEIDEN_CALL void search(int32_t node, int64_t tick, bool rebooted);
  TEIDEN_CALL void leave_pan(int32_t node, int64_t tick);
  TEIDEN_CALL bool adopt_best(int32_t node, int64_t tick, int32_t pan);
  TEIDEN_CALL void join(int32_t node, int64_t tick);
  TEIDEN_CALL void count_attempt(int32_t node, int32_t to, bool acked, int64_t tick);
  TEIDEN_CALL void count_failure(int32_t node, int32_t to, int64_t tick);
  TEIDEN_CALL void probe(int32_t node, int64_t tick);
  TEIDEN_CALL void authenticate(int32_t node, int64_t tick);
  TEIDEN_CALL void take_control(const Reception& what, int64_t tick);
  TEIDEN_CALL bool admit(int32_t sink, int32_t joiner, uint8_t step, int64_t tick);
  TEIDEN_CALL void take_reply(int32_t node, uint8_t step, int64_t tick);
  TEIDEN_CALL void network_off(int32_t node, int64_t tick);
  TEIDEN_CALL void network_on(int32_t node, int64_t tick);
  TEIDEN_CALL int32_t parent_seen(int32_t node, int64_t tick) const;
  TEIDEN_CALL void log_joining(int32_t node, int64_t tick);

  World* world_ = nullptr;
  Air* air_ = nullptr;
  Cells* cells_ = nullptr;
  int32_t first_ = 0, last_ = 0;  // its nodes
  uint64_t sure_ratio_ = 0;       // an SINR, linear, 1 = 2^20, at which a lock certainly fails
  Block* free_blocks_ = nullptr;  // of the cells
  struct Age {                    // a record that counts, as live, late or recent
    int64_t start, slot;
  };
  Array<Age> ages_;               // in order of start
  int64_t first_age_[kAll] = {};  // of those that count as live, ...

  Pool<Copy> copies_;
  Pool<Planned> planned_;
  Pool<Reception> receptions_;
  TakenSet taken_;
  EventQueue* events_ = nullptr;  // of the plain form
  Wheel wheel_;        // of the fast one
  Watch* watch_ = nullptr;
  int64_t looks_from_ = 0;  // this event and those to come look back from here or later

  bool large_ = false;  // looks ahead
  Array<Coming> coming_;
  int64_t past_coming_ = 0, end_coming_ = 0;  // those in between are still to happen
  int64_t next_coming_[kComingSteps] = {};    // for which each step is due

  struct Verdict {  // the latest data frame taken, for those that rode with it
    int64_t tick = -1;
    int32_t node = -1, src = -1;
  };
  Verdict verdict_;             // of this tick
  Array<Heard> heard_;          // scratch: what an event has heard
  Array<Heard> past_;           // scratch: the same of times before
  int64_t past_from_ = kNever;  // past_ holds all that ended later and started before the event; kNever: it does not
  Heard loudest_ = {};          // of the signals heard_
  Heard winner_ = {};           // one of them that is known to win the lock of an idle radio; power 0: none
  Array<Ear*> ears_;  // scratch
  int64_t ears_open_ = 0;
  int32_t ears_node_ = -1;
  int64_t ears_from_ = 0, ears_near_ = 0, ears_until_ = 0;
  struct Step {                 // of the power on air
    int64_t tick;
    uint64_t power;
    bool operator<(const Step& other) const { return tick != other.tick ? tick < other.tick : power < other.power; }
  };
  Array<int64_t> edges_;        // scratch
  Array<int32_t> channels_;     // scratch
  Array<Step> changes_;         // scratch
};

}  // namespace teiden
