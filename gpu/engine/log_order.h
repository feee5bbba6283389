// In which order the caller gets what happened: by tick, node and frame, whatever the tiles. Rows alike but for that are of
// one node, and stay as it wrote them.
#pragma once
#include <algorithm>
#include <tuple>

#include "network_state.h"
#include "state.h"

namespace teiden {

inline auto log_key(const Delivery& row) { return std::make_tuple(row.tick, row.node, row.frame); }
inline auto log_key(const End& row) { return std::make_tuple(row.tick, row.node, row.frame); }
inline auto log_key(const Dead& row) { return std::make_tuple(row.tick, row.node); }
inline auto log_key(const Joining& row) { return std::make_tuple(row.tick, row.id); }

template <class Iterator>
void put_log_in_order(Iterator first, Iterator last) {
  std::stable_sort(first, last, [](const auto& a, const auto& b) { return log_key(a) < log_key(b); });
}

}  // namespace teiden
