// Where the nodes are and what reaches whom: path loss, airtime, channels. Nothing here changes while time runs.
#pragma once
#include "arena.h"
#include "config.h"
#include "fixed.h"
#include "hopping.h"
#include "state.h"

namespace teiden {

constexpr int64_t kUnheard = INT64_MIN / 2;  // level of a link that does not exist
constexpr int64_t kOneTransmission = 128;    // unit of ETX

// Return the shadowing of a pair as an index into the Gaussian quantiles, the same both ways.
// key is draw_key(seed, kShadow), kept because this is the engine's most frequent draw.
TEIDEN_FN int32_t shadow_quantile(const Config& config, uint64_t key, uint32_t a, uint32_t b) {
  if (config.shadow_lu == 0) return 0;
  const uint64_t pair = a < b ? (static_cast<uint64_t>(a) << 32) | b : (static_cast<uint64_t>(b) << 32) | a;
  return static_cast<int32_t>(draw_keyed(key, pair, 0) & (kGaussSize - 1));
}

// Return the level of shadowing of a quantile (lu; positive is a stronger link).
TEIDEN_FN int64_t shadow_lu(const Config& config, const Tables& tables, int32_t quantile) {
  return config.shadow_lu == 0 ? 0 : (tables.gauss[quantile] * config.shadow_lu) >> kGaussBits;
}

// Return the loss of the distance alone (lu) from its square in mm; closer than the reference distance counts as there.
TEIDEN_FN int64_t distance_loss_lu(const Config& config, const Tables& tables, int64_t square_mm) {
  if (square_mm <= config.reference_mm * config.reference_mm) return config.reference_lu;
  const int64_t octaves = log2_lu(tables, static_cast<uint64_t>(square_mm)) - config.reference_log_lu;
  return config.reference_lu + octaves * config.exponent_milli / 2000;
}

// Return the ticks a frame of this many PSDU bytes is on air: whole symbols, rounded up to a tick.
TEIDEN_FN int64_t airtime_us(const Config& config, int64_t psdu_bytes) {
  const int64_t bits = (config.header_bytes + psdu_bytes) * 8;
  const int64_t symbols = (bits + config.bits_per_symbol - 1) / config.bits_per_symbol;
  return (symbols * config.bits_per_symbol * 1000000 + config.bit_rate_bps - 1) / config.bit_rate_bps;
}

// Return the cost of a frame of this airtime at a constant SINR.
TEIDEN_FN int64_t frame_cost(const Tables& tables, int64_t sinr_lu, int64_t ticks) {
  return tick_cost(tables, sinr_lu) * ticks;
}

struct Place {
  int64_t x_mm, y_mm;
  int64_t extra_lu;  // extra loss towards everybody
};

struct Plane {
  Config config;
  Array<int64_t> log2_table, exp2_table, cost_table, gauss_table;
  Array<int64_t> x_mm, y_mm, extra_lu;  // (N,)
  uint64_t shadow_key = 0;
  bool has_links = false;                     // a link table replaces positions and path loss
  Array<int64_t> link_first;            // (N + 1,) first link of each source
  Array<int32_t> link_dst;              // (E,) ascending within a source
  Array<int64_t> link_loss_lu;          // (E,)

  int32_t size() const { return static_cast<int32_t>(x_mm.size()); }
  Tables tables() const { return {log2_table.begin(), exp2_table.begin(), cost_table.begin(), gauss_table.begin()}; }

  Place place(int32_t node) const { return {x_mm[node], y_mm[node], extra_lu[node]}; }

  // Return the level of src at dst (lu above noise), kUnheard where the table has no such link.
  int64_t level_lu(int32_t src, int32_t dst) const { return level_lu(src, place(src), dst, place(dst)); }

  int64_t level_lu(int32_t src, const Place& from, int32_t dst, const Place& to) const {
    if (has_links) return linked_level_lu(src, dst);
    const int64_t dx = from.x_mm - to.x_mm, dy = from.y_mm - to.y_mm;
    return level_at(dx * dx + dy * dy, from.extra_lu + to.extra_lu, shadow_quantile(config, shadow_key, src, dst));
  }

  // Return the level over a distance (its square), with both ends' extra loss and the pair's shadowing.
  int64_t level_at(int64_t square_mm, int64_t extra, int32_t quantile) const {
    return config.tx_lu - distance_loss_lu(config, tables(), square_mm) - extra + shadow_lu(config, tables(), quantile);
  }

  // Return the linear power of src at dst, 0 below the interference cut.
  uint64_t power(int32_t src, const Place& from, int32_t dst, const Place& to) const {
    if (!has_links && out_of_reach(from.x_mm - to.x_mm, from.y_mm - to.y_mm)) return 0;
    const int64_t level = level_lu(src, from, dst, to);
    return level < config.cut_lu ? 0 : linear_power(tables(), level);
  }

  // Return the same from the link table.
  uint64_t linked_power(int32_t src, int32_t dst) const {
    const int64_t level = linked_level_lu(src, dst);
    return level < config.cut_lu ? 0 : linear_power(tables(), level);
  }

  // Return the linear power of a signal at dst, 0 below the interference cut.
  uint64_t power(const Signal& s, int32_t dst) const {
    if (!has_links && out_of_reach(s.x_mm - x_mm[dst], s.y_mm - y_mm[dst])) return 0;
    const int64_t level = level_lu(s.id, dst);
    return level < config.cut_lu ? 0 : linear_power(tables(), level);
  }

  // Return whether two places are certainly too far apart for the interference cut.
  bool out_of_reach(int64_t dx_mm, int64_t dy_mm) const {
    const int64_t reach = config.reach_mm;
    return dx_mm > reach || dx_mm < -reach || dy_mm > reach || dy_mm < -reach;
  }

  // Return the expected transmissions of an acknowledged frame src -> dst, times 128; 0 where not usable.
  int64_t link_etx(int32_t src, int32_t dst) const {
    const int64_t forward = level_lu(src, dst);
    const int64_t back = config.ack && has_links ? level_lu(dst, src) : forward;  // path loss is symmetric
    if (forward < config.route_lu || back < config.route_lu) return 0;
    int64_t cost = frame_cost(tables(), forward, airtime_us(config, config.route_psdu_bytes));
    if (config.ack) cost += frame_cost(tables(), back, airtime_us(config, config.ack_bytes));
    const int64_t octave = cost >> kCostBits;
    if (octave > 20) return 0;
    const int64_t fraction = (cost >> (kCostBits - kLogBits)) & ((1 << kLogBits) - 1);
    const int64_t etx = (exp2_mantissa(tables(), fraction) << octave) >> (kMantissaBits - 7);  // 2^7 = kOneTransmission
    return etx > config.max_link_etx ? 0 : etx;
  }

 private:
  int64_t linked_level_lu(int32_t src, int32_t dst) const {
    const int32_t* first = link_dst.begin() + link_first[src];
    const int32_t* last = link_dst.begin() + link_first[src + 1];
    const int32_t* found = first_not(first, last, [&](int32_t other) { return other < dst; });
    if (found == last || *found != dst) return kUnheard;
    return config.tx_lu - link_loss_lu[found - link_dst.begin()];
  }
};

}  // namespace teiden
