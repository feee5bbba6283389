// A node's place in a living tree: the parents it could have, what it advertises, how far it is with joining.
#pragma once
#include "portable.h"

#include "config.h"
#include "fixed.h"

namespace teiden {

constexpr int kMaxParents = 5;           // mbed-os: at most 5 candidates
constexpr uint16_t kNoWay = 0xFFFF;      // as a cost: no way to a sink
constexpr int64_t kMaxPathCost = 32768;  // MRHOF (wisun-br-linux, mbed-os)
constexpr int kEtxTries = 4;             // mbed-os, wisun-br-linux: ETX is measured over at least so many attempts ...
constexpr int kEtxSeconds = 60;          // ... and seconds
constexpr int kMaxEtx = 1024;
constexpr int32_t kControlPriority = 256;  // ahead of any data that waits

enum Membership : uint8_t { kOff, kSearching, kAuthenticating, kJoined };

// A neighbour as it was last heard.
struct Candidate {
  int32_t node, pan;       // pan: id of the sink its way leads to
  uint16_t version, cost;  // as advertised: of the PAN's information, and of its own way to the sink
  uint16_t link;           // ETX of the link to it, 128 = one transmission
  uint16_t pad;
  int32_t heard_s;         // when, whole seconds
};

struct Network {
  Candidate candidates[kMaxParents];
  int64_t timer_at = -1;      // its one network timer that counts
  int64_t due = 0;            // of the trickle interval: when to send, then its end
  int64_t interval_from = 0;
  int64_t since = 0;          // of its membership
  int64_t moved_at = INT64_MIN / 2;  // latest change of parent
  int32_t parent = -1;        // node
  int32_t pan = -1, key_pan = -1;    // whose schedule it keeps; whose keys it holds
  int32_t news_s = 0;         // when its PAN's latest version was heard of
  int32_t epoch_s = 0;        // the measurement of its parent's link began
  int32_t slots = -1;         // of a sink: its first authentication slot
  uint16_t news = 0;          // its PAN's latest version heard of
  uint16_t version = 0, cost = kNoWay;            // what it advertises
  uint16_t best_version = 0, best_cost = kNoWay;  // the best it ever advertised (feasibility distance)
  uint8_t count = 0, membership = kOff, doublings = 0, heard = 0;
  uint8_t sent = 0;           // the trickle interval's message was sent or suppressed
  uint8_t rebooted = 0;       // it searches because it was off, not because it lost its parents
  uint8_t failures = 0, tries = 0, acks = 0, step = 0;
};

struct Move {
  int64_t tick;
  int32_t node, parent;  // as nodes
};

// A node's parents as others get to know them: one turnaround after it took them. Within one turnaround there are at
// most two changes, a parent taken and lost again.
struct Seat {
  int64_t since = INT64_MIN / 2, before_since = INT64_MIN / 2;
  int32_t parent = -1, before = -1, earlier = -1, pad = 0;  // nodes

  void take(const Move& move) {
    earlier = before;
    before_since = since;
    before = parent;
    parent = move.parent;
    since = move.tick;
  }
};

// A line of the log.
struct Joining {
  int64_t tick;
  int32_t id, parent_id, pan;
  uint8_t membership, pad[3];
};

// A sink's authentication under way.
struct AuthSlot {
  int64_t until = 0;
  int32_t joiner = -1;
  int32_t pad = 0;
};

// Control frames have no record: all they say is in their number, which is negative.
//
// Advertisement (PAN advertisement, PAN configuration and DIO in one) and solicitation go to whoever hears them, on
// every channel in turn; authentication requests go up, replies down to the joiner; a probe asks the parent for an ACK
// and for what it advertises.
enum ControlKind : uint8_t { kAdvert, kSolicit, kAuthRequest, kAuthReply, kProbe, kAnswer };

constexpr int32_t kMaxPan = (1 << 28) - 1;

TEIDEN_FN bool is_control(int64_t frame) { return frame < 0; }

TEIDEN_FN ControlKind control_kind(int64_t frame) {
  return static_cast<ControlKind>((static_cast<uint64_t>(frame) >> 60) & 7);
}

TEIDEN_FN int64_t control_number(ControlKind kind, uint64_t payload) {
  return static_cast<int64_t>(1ULL << 63 | static_cast<uint64_t>(kind) << 60 | payload);
}

TEIDEN_FN int64_t advert_number(uint16_t version, uint16_t cost, int32_t pan) {
  return control_number(kAdvert, static_cast<uint64_t>(pan) << 32 | static_cast<uint64_t>(version) << 16 | cost);
}

TEIDEN_FN int64_t auth_number(ControlKind kind, int32_t joiner, uint8_t step) {
  return control_number(kind, static_cast<uint64_t>(joiner) << 8 | step);
}

// What a parent advertises, to one child: its PAN the child knows.
TEIDEN_FN int64_t answer_number(uint16_t version, uint16_t cost, int32_t child) {
  return control_number(kAnswer, static_cast<uint64_t>(child) << 32 | static_cast<uint64_t>(version) << 16 | cost);
}
TEIDEN_FN int32_t answer_child(int64_t frame) { return static_cast<int32_t>(frame >> 32) & kMaxPan; }

TEIDEN_FN uint16_t advert_cost(int64_t frame) { return static_cast<uint16_t>(frame); }
TEIDEN_FN uint16_t advert_version(int64_t frame) { return static_cast<uint16_t>(frame >> 16); }
TEIDEN_FN int32_t advert_pan(int64_t frame) { return static_cast<int32_t>(frame >> 32) & kMaxPan; }
TEIDEN_FN int32_t auth_joiner(int64_t frame) { return static_cast<int32_t>(frame >> 8 & 0x7FFFFFFF); }
TEIDEN_FN uint8_t auth_step(int64_t frame) { return static_cast<uint8_t>(frame); }

// Return whether a version is newer than another; they wrap.
TEIDEN_FN bool newer(uint16_t a, uint16_t b) { return static_cast<int16_t>(static_cast<uint16_t>(a - b)) > 0; }

// Return whether what a neighbour advertises is nearer to a sink than anything this node ever advertised. Only such a
// neighbour may become its parent: along parents, the best ever advertised then only gets better, so that there is
// never a loop, however old the news (the feasibility condition of Babel, RFC 8966 section 2.4; versions are its
// sequence numbers).
TEIDEN_FN bool is_feasible(const Network& n, uint16_t version, uint16_t cost) {
  if (cost == kNoWay) return false;
  return newer(version, n.best_version) || (version == n.best_version && cost < n.best_cost);
}

}  // namespace teiden
