// What other systems on the band send: PANs of other utilities, gas and water meters, LoRa. Not simulated node by node:
// in every zone each channel is, burst by burst, busy or not, at a level of its own, all of it hashed.
//
// It counts wherever power counts: in a CCA, against a lock, in a reception. Nobody locks on it.
#pragma once
#include "portable.h"

#include "config.h"
#include "fixed.h"
#include "plane.h"

namespace teiden {

TEIDEN_FN bool has_background(const Config& config) { return config.background_ppm > 0; }

// Return x / edge, rounded down.
TEIDEN_FN int64_t square_of(int64_t x_mm, int64_t edge_mm) {
  return (x_mm >= 0 ? x_mm : x_mm - edge_mm + 1) / edge_mm;
}

// Return the zone a place lies in: all nodes of a square of background_zone_mm hear the same.
TEIDEN_FN uint64_t background_zone(const Config& config, int64_t x_mm, int64_t y_mm) {
  const uint64_t column = static_cast<uint64_t>(square_of(x_mm, config.background_zone_mm));
  const uint64_t row = static_cast<uint64_t>(square_of(y_mm, config.background_zone_mm));
  return splitmix64(column << 32 ^ (row & 0xFFFFFFFFu));
}

// Return how far the bursts of a zone and channel have run at tick 0.
TEIDEN_FN int64_t background_phase(const Config& config, uint64_t zone_channel) {
  const uint64_t draw = draw_u64(static_cast<uint64_t>(config.seed), kBackground, zone_channel, ~0ULL);
  return static_cast<int64_t>(below(draw, static_cast<uint64_t>(config.background_burst_us)));
}

// The background at a place on one channel.
struct Background {
  uint64_t zone_channel;
  int64_t phase;

  TEIDEN_FN int64_t burst(const Config& config, int64_t tick) const { return (tick + phase) / config.background_burst_us; }

  // Return the first tick of a burst.
  TEIDEN_FN int64_t begin(const Config& config, int64_t burst) const { return burst * config.background_burst_us - phase; }

  // Return the power of a burst, 0 in those without.
  TEIDEN_FN uint64_t power(const Config& config, const Tables& tables, int64_t burst) const {
    const uint64_t draw = draw_u64(static_cast<uint64_t>(config.seed), kBackground, zone_channel,
                                   static_cast<uint64_t>(burst));
    if (static_cast<int64_t>(below(draw, 1000000)) >= config.background_ppm) return 0;
    const int64_t sigma = tables.gauss[splitmix64(draw) & (kGaussSize - 1)];
    return linear_power(tables, config.background_lu + ((sigma * config.background_spread_lu) >> kGaussBits));
  }
};

TEIDEN_FN Background background_at(const Config& config, int64_t x_mm, int64_t y_mm, int32_t channel) {
  const uint64_t zone_channel = background_zone(config, x_mm, y_mm) + static_cast<uint64_t>(channel);
  return {zone_channel, background_phase(config, zone_channel)};
}

}  // namespace teiden
