// Limits on sending (ARIB STD-T108, notification 123 of 2019): a pause after every transmission, and a sum of airtime
// within any hour. An acknowledgement that follows its frame within 2 ms is exempt from both, and its end starts a
// pause too. How long one burst may last is a matter of frame size and checked in gpu/radio.py.
//
// The sum is kept in sixths of the hour: what counts is the sixth under way and the six before it, which hold any
// window of an hour. So no window ever exceeds the limit; a sender at the limit goes on up to a sixth late.
#pragma once
#include "portable.h"

#include "config.h"
#include "fixed.h"

namespace teiden {

constexpr int kSixths = 6;

struct AirAccount {
  int64_t held_until = 0;  // the latest tick it was told to wait for
  int32_t sixth = 0;       // number of the sixth under way at its latest transmission
  uint32_t used_us[kSixths + 1] = {};
};

TEIDEN_FN int64_t sixth_us(const Config& config) { return config.airtime_window_us / kSixths; }

// Return the airtime that counts at a tick not before the latest transmission.
TEIDEN_FN int64_t airtime_counted(const Config& config, const AirAccount& account, int64_t tick) {
  const int64_t at = tick / sixth_us(config);
  int64_t sum = 0;
  for (int64_t s = at - kSixths; s <= account.sixth; ++s)
    if (s >= 0 && s >= account.sixth - kSixths) sum += account.used_us[s % (kSixths + 1)];
  return sum;
}

// Add what is on air in [start, end), in order of time.
TEIDEN_FN void count_airtime(const Config& config, AirAccount* account, int64_t start, int64_t end) {
  while (start < end) {
    const int64_t at = start / sixth_us(config);
    for (int64_t s = account->sixth + 1; s <= at && s <= int64_t{account->sixth} + kSixths + 1; ++s)
      account->used_us[s % (kSixths + 1)] = 0;
    account->sixth = static_cast<int32_t>(at);
    const int64_t until = end < (at + 1) * sixth_us(config) ? end : (at + 1) * sixth_us(config);
    account->used_us[at % (kSixths + 1)] += static_cast<uint32_t>(until - start);
    start = until;
  }
}

// Return the first tick, not before `start`, at which the hour has room for a transmission of `ticks`.
TEIDEN_FN int64_t hour_has_room(const Config& config, const AirAccount& account, int64_t start, int64_t ticks) {
  while (airtime_counted(config, account, start) + ticks > config.airtime_limit_us)
    start = (start / sixth_us(config) + 1) * sixth_us(config);
  return start;
}

}  // namespace teiden
