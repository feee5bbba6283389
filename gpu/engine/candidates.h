// Several parents a node could have, best first: neighbours nearer to a sink than the node itself.
#pragma once
#include <cstdint>
#include <vector>

#include "plane.h"

namespace teiden {

// Fill (N, count) parents and the costs of the whole way to a sink through them, best first, ties to the lower id;
// -1 where there are no more. etx: (N,) cost of each node's tree path, -1 without one. A candidate's own cost is below
// the node's, so that no choice of candidates by any nodes makes a loop. The first is the parent in a tree of least
// ETX.
void find_candidates(const Plane& plane, const std::vector<int64_t>& etx, int32_t count, int32_t* parents,
                     int64_t* costs);

}  // namespace teiden
