// Channels over time (Wi-SUN FAN): every node listens on a schedule of its own, in the broadcast dwells of its PAN all
// of them on one channel. With a single channel there are no schedules.
#pragma once
#include "portable.h"

#include "config.h"
#include "fixed.h"

namespace teiden {

TEIDEN_FN uint32_t rotated(uint32_t x, int bits) { return (x << bits) | (x >> (32 - bits)); }

// Return "hashword" of three words (Bob Jenkins, lookup3.c, public domain): the hash inside DH1CF.
TEIDEN_FN uint32_t hashword(uint32_t k0, uint32_t k1, uint32_t k2) {
  const uint32_t start = 0xDEADBEEFu + (3u << 2);
  uint32_t a = start + k0, b = start + k1, c = start + k2;
  c = (c ^ b) - rotated(b, 14);
  a = (a ^ c) - rotated(c, 11);
  b = (b ^ a) - rotated(a, 25);
  c = (c ^ b) - rotated(b, 16);
  a = (a ^ c) - rotated(c, 4);
  b = (b ^ a) - rotated(a, 14);
  return (c ^ b) - rotated(b, 24);
}

// Return when a node's dwells begin: their first one began this many ticks before 0.
TEIDEN_FN int64_t dwell_phase(const Config& config, uint32_t node) {
  const uint64_t draw = draw_u64(static_cast<uint64_t>(config.seed), kPhase, node, 0);
  return static_cast<int64_t>(below(draw, static_cast<uint64_t>(config.dwell_us)));
}

// Return the channel of a node's unicast schedule: DH1CF(slot, EUI-64), whose halves are the node and the seed.
TEIDEN_FN int32_t unicast_channel(const Config& config, uint32_t node, int64_t tick) {
  if (config.channels <= 1) return 0;
  const uint32_t slot = static_cast<uint32_t>((tick + dwell_phase(config, node)) / config.dwell_us) & 0xFFFFu;
  return static_cast<int32_t>(hashword(slot, node, static_cast<uint32_t>(config.seed)) %
                              static_cast<uint32_t>(config.channels));
}

// Return the tick at which a node's next dwell begins, after `tick`.
TEIDEN_FN int64_t next_dwell(const Config& config, uint32_t node, int64_t tick) {
  const int64_t phase = dwell_phase(config, node);
  return ((tick + phase) / config.dwell_us + 1) * config.dwell_us - phase;
}

// A dwell of a broadcast schedule: on air in [begin, end).
struct BroadcastDwell {
  int64_t begin, end;
  uint32_t slot;
};

// Return whether nodes keep a broadcast schedule; with one channel there is no need to.
TEIDEN_FN bool has_broadcast_schedule(const Config& config) {
  return config.channels > 1 && config.broadcast_dwell_us > 0;
}

// Return a PAN's first broadcast dwell that ends after a tick.
TEIDEN_FN BroadcastDwell broadcast_dwell(const Config& config, uint32_t pan, int64_t tick) {
  const int64_t interval = config.broadcast_interval_us;
  const uint64_t draw = draw_u64(static_cast<uint64_t>(config.seed), kPan, pan, 0);
  const int64_t phase = static_cast<int64_t>(below(draw, static_cast<uint64_t>(interval)));
  int64_t number = (tick + phase) / interval;
  if ((tick + phase) % interval >= config.broadcast_dwell_us) ++number;
  const int64_t begin = number * interval - phase;
  return {begin, begin + config.broadcast_dwell_us, static_cast<uint32_t>(number) & 0xFFFFu};
}

// Return the channel of a PAN in one of its broadcast dwells: DH1CF(slot, BSI), its BSI a hash.
TEIDEN_FN int32_t broadcast_channel(const Config& config, uint32_t pan, uint32_t slot) {
  if (config.channels <= 1) return 0;
  const uint32_t bsi = static_cast<uint32_t>(draw_u64(static_cast<uint64_t>(config.seed), kPan, pan, 1)) & 0xFFFFu;
  return static_cast<int32_t>(hashword(slot, bsi << 16, 0) % static_cast<uint32_t>(config.channels));
}

// Return the channel a node of a PAN (-1: of none) listens on.
TEIDEN_FN int32_t listening_channel(const Config& config, uint32_t node, int32_t pan, int64_t tick) {
  if (config.channels <= 1) return 0;
  if (pan >= 0 && has_broadcast_schedule(config)) {
    const BroadcastDwell dwell = broadcast_dwell(config, static_cast<uint32_t>(pan), tick);
    if (dwell.begin <= tick) return broadcast_channel(config, static_cast<uint32_t>(pan), dwell.slot);
  }
  return unicast_channel(config, node, tick);
}

// Return when a unicast that would start at a tick may start: not inside a broadcast dwell of the PAN. What was left of
// the backoff counts down after the dwell.
TEIDEN_FN int64_t unicast_start(const Config& config, int32_t pan, int64_t start, int64_t backoff) {
  if (pan < 0 || !has_broadcast_schedule(config)) return start;
  const BroadcastDwell dwell = broadcast_dwell(config, static_cast<uint32_t>(pan), start);
  if (start < dwell.begin) return start;
  return dwell.end + backoff % (config.broadcast_interval_us - config.broadcast_dwell_us);
}

// Return when a broadcast that would start at a tick may start: so that it lies inside a broadcast dwell of the PAN, or
// at least begins with it.
TEIDEN_FN int64_t broadcast_start(const Config& config, int32_t pan, int64_t start, int64_t backoff, int64_t ticks) {
  if (pan < 0 || !has_broadcast_schedule(config)) return start;
  BroadcastDwell dwell = broadcast_dwell(config, static_cast<uint32_t>(pan), start);
  if (start >= dwell.begin) {
    if (start + ticks <= dwell.end) return start;
    dwell = broadcast_dwell(config, static_cast<uint32_t>(pan), dwell.end);
  }
  const int64_t room = config.broadcast_dwell_us - ticks;
  return dwell.begin + (room > 0 ? backoff % room : 0);
}

}  // namespace teiden
