// The numbers one radio is made of, all integers; gpu/mesh.py fills them by the names listed here.
#pragma once
#include "portable.h"

// clang-format off
#define TEIDEN_CONFIG(X)                                                                              \
  X(seed)                                                                                             \
  /* physical layer: levels in lu (2^-20 octave) above thermal noise, powers linear (noise = 2^20) */ \
  X(tx_lu) X(cut_lu) X(lock_lu) X(cca_power) X(audible_power) X(hard_capture) X(chunks_end_at_ends)    \
  X(bit_rate_bps) X(bits_per_symbol) X(header_bytes) X(ack_bytes) X(channels) X(dwell_us)             \
  X(broadcast_interval_us) X(broadcast_dwell_us) X(lock_history_us)                                   \
  /* path loss: reference_lu + (log2(d^2) - log2(d0^2)) * exponent_milli / 2000 - shadowing */        \
  X(reference_lu) X(reference_mm) X(reference_log_lu) X(exponent_milli) X(shadow_lu) X(reach_mm)      \
  /* medium access */                                                                                 \
  X(min_be) X(max_be) X(max_csma_backoffs) X(max_frame_retries) X(unit_backoff_us) X(cca_us)          \
  X(turnaround_us) X(ack_wait_us) X(lifs_us) X(ack) X(queue_frames) X(max_channel_retries)            \
  X(max_psdu_bytes) X(aggregate_frames) X(aggregate_overhead_bytes) X(aggregate_wait_us)            \
  /* regulation: 0 where there is no limit */                                                         \
  X(pause_us) X(airtime_limit_us) X(airtime_window_us)                                                \
  /* stored energy: 1 mW is 1 nJ a tick */                                                            \
  X(listen_mw) X(tx_extra_mw) X(rx_extra_mw) X(sleep_mw)                                              \
  /* routing */                                                                                       \
  X(route_lu) X(route_reach_mm) X(route_psdu_bytes) X(max_link_etx)                               \
  /* what other systems send */                                                                       \
  X(background_ppm) X(background_burst_us) X(background_lu) X(background_spread_lu)                   \
  X(background_zone_mm)                                                                               \
  /* living tree */                                                                                   \
  X(max_parents) X(switch_threshold) X(parent_failures) X(neighbour_timeout_us) X(refresh_us)       \
  X(advert_bytes) \
  X(discovery_min_us) X(discovery_max_us) X(trickle_redundancy) X(version_interval_us)             \
  X(pan_timeout_us) X(keys_kept) X(auth_bytes) X(auth_exchanges) X(auth_limit) X(auth_first_us)       \
  X(auth_retry_min_us) X(auth_retry_max_us) X(auth_total_us)
// clang-format on

namespace teiden {

struct Config {
#define TEIDEN_FIELD(name) int64_t name;
  TEIDEN_CONFIG(TEIDEN_FIELD)
#undef TEIDEN_FIELD
};

#define TEIDEN_NAME(name) #name ","
constexpr const char* kConfigNames = TEIDEN_CONFIG(TEIDEN_NAME);
#undef TEIDEN_NAME

}  // namespace teiden
