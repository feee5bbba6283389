// Fixed-point logarithm, power of two and counter-based draws: all the arithmetic the engine needs.
//
// Logarithms are to base 2, in units of 2^-20 octave ("lu", 1 octave = 3.0103 dB). Tables come from
// gpu/tables.py (integers, correctly rounded), so every machine computes the same values.
// Everything here is a pure function and compiles for host and device alike.
#pragma once
#include "portable.h"

namespace teiden {

template <class T>
TEIDEN_FN constexpr T smaller(T a, T b) {
  return b < a ? b : a;
}
template <class T>
TEIDEN_FN constexpr T larger(T a, T b) {
  return a < b ? b : a;
}

constexpr int kLogBits = 20;                       // fraction bits of a logarithm
constexpr int kTableBits = 10;                     // log2 and exp2 tables: 1024 intervals, read linearly between
constexpr int kMantissaBits = 30;                  // exp2 table: 2^30 * 2^(i/1024)
constexpr int kNoiseBits = 20;                     // linear power: thermal noise = 2^20
constexpr int kMaxPowerOctaves = 35;               // powers saturate at noise * 2^35, 105 dB above it
constexpr int kCostBits = 40;                      // error cost: -log2(P[no error]) in units of 2^-40
constexpr int kCostStepBits = 7;                   // error table: 128 intervals an octave of SINR ...
constexpr int64_t kCostFrom = -(4LL << kLogBits);  // ... from -4 octaves (-12.04 dB) ...
constexpr int64_t kCostTo = 8LL << kLogBits;       // ... to +8 octaves (+24.08 dB)
constexpr int kGaussBits = 16;                     // Gaussian table: quantiles in units of 2^-16 sigma
constexpr int kGaussSize = 256;

struct Tables {
  const int64_t* log2;   // [1025] 2^20 * log2(1 + i/1024)
  const int64_t* exp2;   // [1025] 2^30 * 2^(i/1024)
  const int64_t* cost;   // [1537] 2^40 * -log2(1 - BER(SINR)) a tick
  const int64_t* gauss;  // [256] unit-variance normal quantiles
};

TEIDEN_FN int floor_log2(uint64_t value) { return 63 - leading_zeros(value); }

// Return log2(value) in lu; value must not be 0.
TEIDEN_FN int64_t log2_lu(const Tables& tables, uint64_t value) {
  const int octave = floor_log2(value);
  const uint64_t mantissa = octave >= 32 ? value >> (octave - 32) : value << (32 - octave);  // [2^32, 2^33)
  const uint64_t index = (mantissa >> (32 - kTableBits)) & ((1u << kTableBits) - 1);
  const int64_t rest = static_cast<int64_t>(mantissa & ((1ULL << (32 - kTableBits)) - 1));
  const int64_t low = tables.log2[index];
  const int64_t step = tables.log2[index + 1] - low;
  return (static_cast<int64_t>(octave) << kLogBits) + low + ((step * rest) >> (32 - kTableBits));
}

// Return 2^(30 + fraction) for a fraction of an octave in lu, 0 <= fraction < 2^20.
TEIDEN_FN int64_t exp2_mantissa(const Tables& tables, int64_t fraction) {
  const int rest_bits = kLogBits - kTableBits;
  const int64_t index = fraction >> rest_bits;
  const int64_t rest = fraction & ((1 << rest_bits) - 1);
  const int64_t low = tables.exp2[index];
  return low + (((tables.exp2[index + 1] - low) * rest) >> rest_bits);
}

// Return the linear power of a level given in lu above the noise; 0 below 2^-20 of the noise.
TEIDEN_FN uint64_t linear_power(const Tables& tables, int64_t level_lu) {
  int64_t octave = level_lu >> kLogBits;
  if (octave < -kNoiseBits) return 0;
  if (octave > kMaxPowerOctaves) octave = kMaxPowerOctaves;
  const int64_t mantissa = exp2_mantissa(tables, level_lu & ((1 << kLogBits) - 1));
  const int64_t shift = octave + kNoiseBits - kMantissaBits;
  return static_cast<uint64_t>(shift >= 0 ? mantissa << shift : mantissa >> -shift);
}

// Return the error cost of one tick at this SINR (lu).
TEIDEN_FN int64_t tick_cost(const Tables& tables, int64_t sinr_lu) {
  const int rest_bits = kLogBits - kCostStepBits;
  if (sinr_lu < kCostFrom) sinr_lu = kCostFrom;
  if (sinr_lu >= kCostTo) return tables.cost[(kCostTo - kCostFrom) >> rest_bits];
  const int64_t offset = sinr_lu - kCostFrom;
  const int64_t index = offset >> rest_bits;
  const int64_t rest = offset & ((1 << rest_bits) - 1);
  const int64_t low = tables.cost[index];
  return low + (((tables.cost[index + 1] - low) * rest) >> rest_bits);
}

// Return 2^64 * 2^-cost, saturated: a uniform u64 below it is a success.
TEIDEN_FN uint64_t success_threshold(const Tables& tables, int64_t cost) {
  if (cost <= 0) return ~0ULL;
  const int64_t octave = cost >> kCostBits;
  if (octave >= 63) return 0;
  const int64_t fraction = (cost >> (kCostBits - kLogBits)) & ((1 << kLogBits) - 1);
  const int64_t up = (1 << kLogBits) - fraction;  // 2^-f = 2^(1-f) / 2
  const uint64_t mantissa = fraction == 0 ? (1ULL << 31) : static_cast<uint64_t>(exp2_mantissa(tables, up));
  const uint64_t scaled = mantissa == (1ULL << 31) ? ~0ULL : mantissa << 33;  // 2^64 * 2^-fraction
  return scaled >> octave;
}

// Why a draw is made; gpu/rng.py holds the same numbers. Callers outside the engine use 1000 and up.
enum Purpose : uint64_t { kBackoff = 1, kDecode = 2, kReoffer = 3, kShadow = 4, kDigest = 6, kPhase = 7, kPan = 8, kNetworkDraw = 9, kBackground = 10 };

// splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
TEIDEN_FN uint64_t splitmix64(uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

TEIDEN_FN uint64_t draw_key(uint64_t seed, uint64_t purpose) { return splitmix64(splitmix64(seed) ^ purpose); }

TEIDEN_FN uint64_t draw_keyed(uint64_t key, uint64_t id, uint64_t tick) {
  return splitmix64(splitmix64(key ^ id) ^ tick);
}

// Return the uniform 64-bit draw of (seed, purpose, id, tick).
TEIDEN_FN uint64_t draw_u64(uint64_t seed, uint64_t purpose, uint64_t id, uint64_t tick) {
  return draw_keyed(draw_key(seed, purpose), id, tick);
}

// Map a 64-bit draw to [0, n): the high half of the 128-bit product.
TEIDEN_FN uint64_t below(uint64_t draw, uint64_t n) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(draw) * n) >> 64);
}

}  // namespace teiden
