// The records a mesh is made of: frames, copies of them, nodes, events, and the logs.
//
// A node is known in here by its place in storage, an int32_t called `node`; `id` is the number the caller gave it.
// Draws, ties and logs go by id, so no result depends on how nodes are stored.
#pragma once
#include "portable.h"

namespace teiden {

constexpr int64_t kNever = INT64_MAX;

enum Outcome : uint8_t {  // gpu/mesh.py OUTCOMES holds the same order
  kPending,
  kAcked,
  kUnackedDelivered,
  kChannelAccessFailure,
  kNoAck,
  kDroppedQueue,
  kNoRoute,
  kDied
};
constexpr int kOutcomes = 8;

constexpr int32_t kNearestSink = -1, kEverybody = -2;  // destinations: the sink of the tree; whoever hears it

// What many frames have in common.
struct Kind {
  int64_t reoffer_min, reoffer_max;  // ticks
  int32_t psdu_bytes, max_offers, priority, pad;
};

// One frame handed to a MAC; copies of it may live at several nodes until the last one ends. The first lines never
// change and may be read by every node; the rest is changed at barriers only (frame_changes.h).
struct Frame {
  int64_t injected;            // tick
  int32_t src, dst;            // nodes; or kNearestSink, kEverybody
  int32_t kind;                // its Kind
  int32_t sink;                // id of where it arrived first, -1 before
  int64_t first_tx, first_rx;  // ticks; -1: not yet
  int64_t ended, failed;       // ticks of the latest end of a copy, and of the latest unsuccessful one
  int32_t ended_at, failed_at; // ids of the nodes where that was
  int32_t offers, attempts;    // over all nodes
  int32_t attempts_rx;         // those decided by first_rx
  int32_t copies;              // held by MACs, parked, or on air
  int16_t hops;                // of the copy that arrived first
  uint8_t outcome, last_reason;                 // last_reason: how the latest unsuccessful copy ended
  uint8_t gave_up, access_verdict, ack_verdict;
};

// A change to a frame, decided at one node. Changes commute: sums, minima, maxima by (tick, node).
enum Change : uint8_t {
  kHeld,      // one more copy
  kOffered,   // to a MAC
  kSent,      // data put on air: an attempt, `value` more copies
  kArrived,   // at its destination, after `value` hops
  kRefused,   // an acknowledged newcomer was dropped; `value`: the Outcome
  kEnded,     // one copy less; `value`: the Outcome (kAcked: handed on; kPending: it was on air)
  kVerdict    // its sender's; `value`: the Outcome
};

struct Delta {
  int64_t frame, tick;
  int32_t id;  // of the node
  int32_t value;
  uint8_t change;
};

// A frame as one node holds it.
struct Copy {
  int64_t frame;
  int64_t due;       // parked: the tick of the next offer
  int32_t offers;
  int32_t next;      // in the node's queue or among its parked
  int32_t priority;
  int16_t hops;
  uint8_t rides;     // on air, as a rider of the head of its queue
};

// What the caller has planned for a node's supply.
struct Planned {
  int64_t tick;
  int64_t what;  // lost, with twice this energy stored (nJ), plus 1 to sleep; -1: back
  int32_t next;  // in order of (tick, what)
};
constexpr int64_t kPowerOn = -1;

enum MacState : uint8_t { kIdle, kCsma, kSending, kAcking, kPause };

// Where a node is, for looks.
struct Spot {
  int32_t x_mm, y_mm, extra_lu;
  int32_t cell;
};

// Two cache lines: what nearly every event reads, and what sending changes.
struct alignas(128) Node {
  Spot spot = {};            // never changes, as its id; other tiles read both
  int32_t id = -1;
  int32_t next_hop = -1;     // node
  int32_t queue = -1;        // copies: the MAC's, head first
  int32_t lock_id = -1;      // sender of what it is locked on, -1: none
  // hearing
  int64_t heard_until = 0;   // every start before this tick is resolved: locked on or missed for good
  int64_t lock_end = 0;      // of the transmission the radio is locked on, known by sender and end
  int64_t timer_at = -1;     // the one timer that counts
  uint8_t state = kIdle, be = 0, backoffs = 0, retries = 0;
  uint8_t serving = 0;       // the head of the queue is being sent
  uint8_t alive = 1, stored = 0;
  uint8_t life = 0;          // counts deaths, modulo 256

  int64_t ready_at = 0;      // no new attempt before this tick (turnaround, pause between frames)
  int64_t away_until = 0;    // listens on away_channel for starts before this tick (waiting for its ACK)
  int64_t tx_from = 0, tx_to = 0;  // its latest transmission, on air in [tx_from, tx_to)
  int64_t airtime = 0;
  int32_t tx_ticks = 0;      // what its latest transmission lasts if the node lives
  int32_t queued = 0;
  int32_t parked = -1;       // copies given up, to be offered again
  int32_t planned = -1;      // changes of the supply to come
  int16_t away_channel = 0;
  uint8_t channel_retries = 0;
  uint8_t sleeper = 0, asleep = 0;  // on stored energy: sleeps whenever it has nothing to send; does so now
  uint8_t backed = 0;        // has a battery: losing the mains leaves it on
  uint8_t cut = 0;           // the latest transmission ends with the sender's death
};
static_assert(sizeof(Node) == 128, "two cache lines");

// A node's stored energy (nJ).
struct Account {
  int64_t energy = 0, energy_at = 0;          // what was left, and when
  int64_t spent_listening = 0, spent_tx = 0, spent_rx = 0, spent_asleep = 0;
  int64_t death_at = kNever;                  // the one death that counts
};

// Types in the order they happen within a tick at one node.
enum EventType : int32_t { kSupply, kDeath, kReceiveEnd, kTimer, kOfferAgain, kInject, kNetwork };

struct Event {
  int64_t tick;
  int64_t arg;  // a Reception (kReceiveEnd), a frame (kOfferAgain, kInject)
  int32_t node;
  int32_t type;
};

// A transmission on its way to its receiver.
struct Reception {
  int64_t frame;       // carried or acknowledged
  int64_t start, end;  // ticks; start -1: the place in the pool is free
  int32_t src, dst;    // nodes
  int32_t next;
  int16_t hops;  // done when it arrives (data)
  int16_t channel;
  uint8_t is_ack;
  uint8_t cut;     // the sender dies before the end: nothing to receive
  uint8_t to_all;  // a broadcast
  uint8_t rank;    // among what one transmission carries: 0 the head, others ride with it
};

// What stands on air: as much of a transmission as others hear.
struct Signal {
  int64_t start, end;  // ticks; on air in [start, end)
  int32_t x_mm, y_mm, extra_lu;  // of the sender
  int32_t id;          // of the sender; a signal is known by (start, id), and that is their order
  int32_t channel;
  int32_t pad;
};

struct Delivery {
  int64_t frame, tick;
  int32_t node, hops, attempts, pad;
};

struct End {
  int64_t frame, tick;
  int32_t node, outcome;
};

struct Dead {
  int64_t tick;
  int32_t node, pad;
};

// clang-format off
#define TEIDEN_COUNTERS(X)                                                                           \
  X(events) X(injected) X(resolved) X(delivered)                                                     \
  X(access_verdicts) X(no_ack_verdicts) X(offers)                                                    \
  X(tx_data) X(tx_ack) X(aggregated) X(on_air_data_us) X(on_air_ack_us) X(cut_by_death)                            \
  X(cca_idle) X(cca_busy) X(channel_retries)                                                         \
  X(held_by_pause) X(held_by_pause_us) X(held_by_hour) X(held_by_hour_us)                            \
  X(received_data) X(received_ack) X(missed_lock) X(missed_noise) X(duplicates) X(queue_drops)       \
  X(broadcast_received) X(control_sent) X(control_received) X(trickle_suppressed)                    \
  X(parent_switches) X(orphaned) X(joined) X(auth_requests) X(auth_refused) X(auth_timeouts)         \
  X(deaths) X(kept_by_battery) X(energy_given_nj) X(energy_unused_nj)
// clang-format on

struct Counters {
#define TEIDEN_FIELD(name) int64_t name = 0;
  TEIDEN_COUNTERS(TEIDEN_FIELD)
#undef TEIDEN_FIELD
};

#define TEIDEN_NAME(name) #name ","
constexpr const char* kCounterNames = TEIDEN_COUNTERS(TEIDEN_NAME);
#undef TEIDEN_NAME

}  // namespace teiden
