// Trees: every node to its nearest sink over usable links (Dijkstra from all sinks at once), or a tree as given.
#include <algorithm>
#include <queue>
#include <utility>

#include "mesh.h"

namespace teiden {

namespace {

// Nodes sorted into square cells at least as wide as the longest usable link.
class Cells {
 public:
  explicit Cells(const Plane& plane) : plane_(plane) {
    const auto [x0, x1] = std::minmax_element(plane.x_mm.begin(), plane.x_mm.end());
    const auto [y0, y1] = std::minmax_element(plane.y_mm.begin(), plane.y_mm.end());
    x0_ = *x0, y0_ = *y0;
    edge_ = std::max<int64_t>(plane.config.route_reach_mm, 1);
    while (((*x1 - x0_) / edge_ + 1) * ((*y1 - y0_) / edge_ + 1) > 4 * int64_t{plane.size()} + 16) edge_ *= 2;
    columns_ = (*x1 - x0_) / edge_ + 1;
    rows_ = (*y1 - y0_) / edge_ + 1;
    first_.assign(columns_ * rows_ + 1, 0);
    for (int32_t i = 0; i < plane.size(); ++i) ++first_[cell(i) + 1];
    for (size_t c = 1; c < first_.size(); ++c) first_[c] += first_[c - 1];
    members_.resize(plane.size());
    std::vector<int64_t> next(first_.begin(), first_.end() - 1);
    for (int32_t i = 0; i < plane.size(); ++i) members_[next[cell(i)]++] = i;
  }

  template <class Visit>
  void visit_around(int32_t node, Visit visit) const {
    const int64_t column = (plane_.x_mm[node] - x0_) / edge_, row = (plane_.y_mm[node] - y0_) / edge_;
    const int64_t reach = plane_.config.route_reach_mm;
    for (int64_t r = std::max<int64_t>(row - 1, 0); r <= std::min(row + 1, rows_ - 1); ++r)
      for (int64_t c = std::max<int64_t>(column - 1, 0); c <= std::min(column + 1, columns_ - 1); ++c)
        for (int64_t i = first_[r * columns_ + c]; i < first_[r * columns_ + c + 1]; ++i) {
          const int32_t other = members_[i];
          const int64_t dx = plane_.x_mm[other] - plane_.x_mm[node], dy = plane_.y_mm[other] - plane_.y_mm[node];
          if (other != node && dx * dx + dy * dy <= reach * reach) visit(other);
        }
  }

 private:
  int64_t cell(int32_t i) const {
    return (plane_.y_mm[i] - y0_) / edge_ * columns_ + (plane_.x_mm[i] - x0_) / edge_;
  }
  const Plane& plane_;
  int64_t x0_, y0_, edge_, columns_, rows_;
  std::vector<int64_t> first_;
  std::vector<int32_t> members_;
};

// Return for every node those with a table link to it, as (first, src).
std::pair<std::vector<int64_t>, std::vector<int32_t>> reverse_links(const Plane& plane) {
  std::vector<int64_t> first(plane.size() + 1, 0);
  for (const int32_t dst : plane.link_dst) ++first[dst + 1];
  for (int32_t i = 0; i < plane.size(); ++i) first[i + 1] += first[i];
  std::vector<int32_t> src(plane.link_dst.size());
  std::vector<int64_t> next(first.begin(), first.end() - 1);
  for (int32_t i = 0; i < plane.size(); ++i)
    for (int64_t e = plane.link_first[i]; e < plane.link_first[i + 1]; ++e) src[next[plane.link_dst[e]]++] = i;
  return {first, src};
}

}  // namespace

// Build the tree of least total ETX from every usable node to a sink; ties go to the parent with the lowest id.
// usable[node] = 0 leaves a node out, sinks included.
void Mesh::route(const std::vector<int32_t>& sinks, const uint8_t* usable) {
  using Entry = std::pair<int64_t, int32_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<Entry>> frontier;
  start_tree();
  for (const int32_t sink : sinks) {
    is_sink[sink] = 1;
    if (!usable[sink]) continue;
    etx[sink] = 0;
    frontier.push({0, sink});
  }
  std::vector<uint8_t> settled(nodes.size(), 0);
  const auto grow = [&](const auto& visit_around) {
    while (!frontier.empty()) {
      const auto [cost, node] = frontier.top();
      frontier.pop();
      if (settled[node]) continue;
      settled[node] = 1;
      visit_around(node, [&, cost = cost, node = node](int32_t child) {
        if (settled[child] || !usable[child] || is_sink[child]) return;
        const int64_t at_best = cost + kOneTransmission;
        if (etx[child] >= 0 && (at_best > etx[child] || (at_best == etx[child] && node > parent[child]))) return;
        const int64_t link = plane.link_etx(child, node);
        if (link == 0) return;
        const bool better = etx[child] < 0 || cost + link < etx[child];
        if (better) frontier.push({cost + link, child});
        if (better || (cost + link == etx[child] && node < parent[child])) {
          etx[child] = cost + link;
          parent[child] = node;
        }
      });
    }
  };
  if (plane.has_links) {
    const auto [first, src] = reverse_links(plane);
    grow([&](int32_t node, auto visit) {
      for (int64_t e = first[node]; e < first[node + 1]; ++e) visit(src[e]);
    });
  } else {
    const Cells cells(plane);
    grow([&](int32_t node, auto visit) { cells.visit_around(node, visit); });
  }
  measure_tree();
}

void Mesh::start_tree() {
  const size_t count = nodes.size();
  parent.assign(count, -1);
  etx.assign(count, -1);
  is_sink.assign(count, 0);
  routed = true;
}

// Take a tree as given: the caller has checked that it has no loop.
void Mesh::set_parents(const int32_t* given, const std::vector<int32_t>& sinks) {
  start_tree();
  parent.assign(given, given + nodes.size());
  for (const int32_t sink : sinks) is_sink[sink] = 1;
  measure_tree();
  for (size_t i = 0; i < nodes.size(); ++i) {  // cost along the tree; -1 where a link of it is not usable
    int64_t cost = sink_of[i] >= 0 ? 0 : -1;
    for (int32_t at = static_cast<int32_t>(i); cost >= 0 && parent[at] >= 0; at = parent[at]) {
      const int64_t link = plane.link_etx(at, parent[at]);
      cost = link == 0 ? -1 : cost + link;
    }
    etx[i] = cost;
  }
}

// Fill hops and sink_of from the parents.
void Mesh::measure_tree() {
  const int32_t count = static_cast<int32_t>(nodes.size());
  hops.assign(count, -1);
  sink_of.assign(count, -1);
  std::vector<int32_t> path;
  for (int32_t i = 0; i < count; ++i) {
    int32_t at = i;
    path.clear();
    while (hops[at] < 0 && !is_sink[at] && parent[at] >= 0) {
      path.push_back(at);
      at = parent[at];
    }
    if (is_sink[at]) hops[at] = 0, sink_of[at] = at;
    for (; !path.empty() && hops[at] >= 0; path.pop_back()) {
      const int32_t child = path.back();
      hops[child] = hops[at] + 1;
      sink_of[child] = sink_of[at];
      at = child;
    }
  }
}

}  // namespace teiden
