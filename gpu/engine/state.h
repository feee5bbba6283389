// The records a mesh is made of: frames, copies of them, nodes, events, and the log the caller drains.
#pragma once
#include <cstdint>
#include <vector>

namespace teiden {

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

// One frame handed to a MAC; copies of it may live at several nodes until the last one ends.
struct Frame {
  int64_t injected, first_tx, first_rx;    // ticks; -1: not yet
  int64_t reoffer_min, reoffer_max;        // ticks
  int32_t src, dst, psdu_bytes, sink;      // sink: where it arrived, -1 before
  int32_t max_offers, offers, attempts;    // offers and attempts over all nodes
  int32_t copies;                          // held by MACs, parked, or on air
  int16_t hops;                            // of the copy that arrived first
  uint8_t priority, outcome, last_reason;  // last_reason: how the latest unsuccessful copy ended
  uint8_t gave_up, access_verdict, ack_verdict;
};

// A frame as one node holds it.
struct Copy {
  int64_t frame;
  int64_t due;  // parked: the tick of the next offer
  int32_t offers;
  int32_t hops;
};

struct Taken {  // a node that has taken a frame over, and in which of its lives
  int32_t node;
  int32_t life;
};

constexpr int32_t kNearestSink = -1, kEverybody = -2;  // destinations: the sink of the tree; whoever hears it

enum MacState : uint8_t { kIdle, kCsma, kSending, kAcking, kPause };

struct Node {
  // hearing
  int64_t heard_until = 0;  // every start before this tick is resolved: locked on or missed for good
  int64_t lock = -1;        // number of the transmission the radio is locked on
  int64_t away_until = 0;   // listens on away_channel for starts before this tick (waiting for its ACK)
  // medium access
  int64_t ready_at = 0;  // no new attempt before this tick (turnaround, pause between frames)
  int64_t timer = 0;     // number of the one timer that counts; older ones are void
  int64_t sending = -1;  // number of its latest transmission
  int64_t airtime = 0;
  int32_t next_hop = -1;
  uint8_t state = kIdle, be = 0, backoffs = 0, retries = 0, channel_retries = 0;
  uint8_t serving = 0;  // the head of the queue is being sent
  int16_t away_channel = 0;
  // life and stored energy (nJ)
  uint8_t alive = 1, stored = 0;
  uint8_t sleeper = 0, asleep = 0;  // on stored energy: sleeps whenever it has nothing to send; does so now
  int32_t life = 0;
  int64_t energy = 0, energy_at = 0;          // what was left, and when
  int64_t spent_listening = 0, spent_tx = 0, spent_rx = 0, spent_asleep = 0;  // accounts
  int64_t tx_from = 0, tx_to = 0;             // its latest transmission, for the account
  int64_t death_timer = 0;
  std::vector<Copy> queue;   // head first; the MAC's
  std::vector<Copy> parked;  // given up, to be offered again

  template <class Archive>
  void archive(Archive& a) {
    a(heard_until), a(lock), a(away_until), a(ready_at), a(timer), a(sending), a(airtime), a(next_hop);
    a(state), a(be), a(backoffs), a(retries), a(channel_retries), a(serving), a(away_channel), a(alive), a(stored);
    a(sleeper), a(asleep), a(life), a(energy), a(energy_at), a(spent_listening), a(spent_tx), a(spent_rx);
    a(spent_asleep), a(tx_from), a(tx_to), a(death_timer);
    a(queue), a(parked);
  }
};

// Types in the order they happen within a tick at one node.
enum EventType : int32_t { kPowerOn, kPowerOff, kDeath, kReceiveEnd, kTimer, kOfferAgain, kInject };

struct Event {
  int64_t tick;
  int32_t node;
  int32_t type;
  uint64_t sequence;  // from the event's content, never from the order of calls
  int64_t arg;
};

inline bool later(const Event& a, const Event& b) {
  if (a.tick != b.tick) return a.tick > b.tick;
  if (a.node != b.node) return a.node > b.node;
  if (a.type != b.type) return a.type > b.type;
  if (a.sequence != b.sequence) return a.sequence > b.sequence;
  return a.arg > b.arg;
}

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
  X(tx_data) X(tx_ack) X(on_air_data_us) X(on_air_ack_us) X(cut_by_death)                            \
  X(cca_idle) X(cca_busy) X(channel_retries)                                                         \
  X(held_by_pause) X(held_by_pause_us) X(held_by_hour) X(held_by_hour_us)                            \
  X(received_data) X(received_ack) X(missed_lock) X(missed_noise) X(duplicates) X(queue_drops)       \
  X(broadcast_received) X(deaths) X(kept_by_battery) X(energy_given_nj) X(energy_unused_nj)
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
