// Trees: every node to its nearest sink over usable links (Dijkstra from all sinks at once), or a tree as given.
#include <algorithm>
#include <queue>
#include <tuple>
#include <utility>

#include "mesh.h"

namespace teiden {

namespace {

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

// A node while the tree grows. Kept in order of cells, so that a neighbourhood lies close together in memory.
struct Sapling {
  int64_t x_mm, y_mm;
  int64_t cost;  // -1: none yet
  int32_t node, parent;
  bool closed;  // a sink, not usable, or in the tree for good
};

// Square cells of the nodes. A cell knows the worst cost of those still open in it, so that a settled node passes over
// the cells where it can be nobody's better parent.
class Neighbours {
 public:
  explicit Neighbours(const Plane& plane) : plane_(plane) {
    const auto [x0, x1] = std::minmax_element(plane.x_mm.begin(), plane.x_mm.end());
    const auto [y0, y1] = std::minmax_element(plane.y_mm.begin(), plane.y_mm.end());
    x0_ = *x0, y0_ = *y0;
    edge_ = std::max<int64_t>(plane.config.route_reach_mm / kEdges, 1);
    while (((*x1 - x0_) / edge_ + 1) * ((*y1 - y0_) / edge_ + 1) > 4 * int64_t{plane.size()} + 16) edge_ *= 2;
    columns_ = (*x1 - x0_) / edge_ + 1;
    rows_ = (*y1 - y0_) / edge_ + 1;
    first_.assign(columns_ * rows_ + 1, 0);
    worst_.assign(columns_ * rows_, INT64_MAX);
  }

  // Return the nodes in order of cells.
  std::vector<Sapling> sorted() {
    for (int32_t i = 0; i < plane_.size(); ++i) ++first_[cell(i) + 1];
    for (size_t c = 1; c < first_.size(); ++c) first_[c] += first_[c - 1];
    std::vector<int64_t> next(first_.begin(), first_.end() - 1);
    std::vector<Sapling> saplings(plane_.size());
    for (int32_t i = 0; i < plane_.size(); ++i)
      saplings[next[cell(i)]++] = {plane_.x_mm[i], plane_.y_mm[i], -1, i, -1, false};
    return saplings;
  }

  // Visit the open nodes in reach of one that have no cost yet, or one of at least `least`.
  template <class Visit>
  void visit_around(std::vector<Sapling>& saplings, const Sapling& centre, int64_t least, Visit visit) {
    const int64_t reach = plane_.config.route_reach_mm, across = reach / edge_ + 1;
    const int64_t column = (centre.x_mm - x0_) / edge_, row = (centre.y_mm - y0_) / edge_;
    for (int64_t r = std::max<int64_t>(row - across, 0); r <= std::min(row + across, rows_ - 1); ++r)
      for (int64_t c = std::max<int64_t>(column - across, 0); c <= std::min(column + across, columns_ - 1); ++c) {
        int64_t& worst = worst_[r * columns_ + c];
        if (worst < least) continue;
        worst = -1;  // costs only fall and nodes only close, so what is found now stays an upper bound
        for (int64_t i = first_[r * columns_ + c]; i < first_[r * columns_ + c + 1]; ++i) {
          Sapling& s = saplings[i];
          if (s.closed) continue;
          const int64_t dx = s.x_mm - centre.x_mm, dy = s.y_mm - centre.y_mm;
          if ((s.cost < 0 || s.cost >= least) && dx * dx + dy * dy <= reach * reach) visit(i);
          worst = std::max(worst, s.cost < 0 ? INT64_MAX : s.cost);
        }
      }
  }

 private:
  static constexpr int64_t kEdges = 6;  // cells from the middle to the edge of a visit

  int64_t cell(int32_t i) const {
    return (plane_.y_mm[i] - y0_) / edge_ * columns_ + (plane_.x_mm[i] - x0_) / edge_;
  }

  const Plane& plane_;
  int64_t x0_, y0_, edge_, columns_, rows_;
  std::vector<int64_t> first_;
  std::vector<int64_t> worst_;
};

// The same from a link table, nodes in order of id.
class Linked {
 public:
  explicit Linked(const Plane& plane) : size_(plane.size()) { std::tie(first_, src_) = reverse_links(plane); }

  std::vector<Sapling> sorted() const {
    std::vector<Sapling> saplings(size_);
    for (int32_t i = 0; i < size_; ++i) saplings[i] = {0, 0, -1, i, -1, false};
    return saplings;
  }

  template <class Visit>
  void visit_around(std::vector<Sapling>& saplings, const Sapling& centre, int64_t least, Visit visit) const {
    for (int64_t e = first_[centre.node]; e < first_[centre.node + 1]; ++e) {
      const Sapling& s = saplings[src_[e]];
      if (!s.closed && (s.cost < 0 || s.cost >= least)) visit(src_[e]);
    }
  }

 private:
  int32_t size_;
  std::vector<int64_t> first_;
  std::vector<int32_t> src_;
};

// Dijkstra from all sinks at once; ties go to the parent with the lowest id. Sinks are closed from the start.
template <class Around>
std::vector<Sapling> grow(const Plane& plane, Around& around, const std::vector<uint8_t>& is_sink,
                          const uint8_t* usable) {
  using Entry = std::pair<int64_t, int64_t>;  // cost, place among the saplings
  std::priority_queue<Entry, std::vector<Entry>, std::greater<Entry>> frontier;
  std::vector<Sapling> saplings = around.sorted();
  for (size_t i = 0; i < saplings.size(); ++i) {
    Sapling& s = saplings[i];
    s.closed = is_sink[s.node] || !usable[s.node];
    if (!is_sink[s.node] || !usable[s.node]) continue;
    s.cost = 0;
    frontier.push({0, static_cast<int64_t>(i)});
  }
  while (!frontier.empty()) {
    const auto [cost, place] = frontier.top();
    frontier.pop();
    Sapling& parent = saplings[place];
    if (cost > parent.cost) continue;  // found a better one since
    parent.closed = true;
    around.visit_around(saplings, parent, cost + kOneTransmission, [&, cost = cost](int64_t at) {
      Sapling& child = saplings[at];
      if (child.cost == cost + kOneTransmission && parent.node > child.parent) return;  // at best a tie that is lost
      const int64_t link = plane.link_etx(child.node, parent.node);
      if (link == 0) return;
      const bool better = child.cost < 0 || cost + link < child.cost;
      if (better) frontier.push({cost + link, at});
      if (better || (cost + link == child.cost && parent.node < child.parent)) {
        child.cost = cost + link;
        child.parent = parent.node;
      }
    });
  }
  return saplings;
}

}  // namespace

// Build the tree of least total ETX from every usable node to a sink. usable[node] = 0 leaves a node out, sinks
// included.
void Mesh::route(const std::vector<int32_t>& sinks, const uint8_t* usable) {
  start_tree();
  for (const int32_t sink : sinks) is_sink[sink] = 1;
  std::vector<Sapling> grown;
  if (plane.has_links) {
    Linked linked(plane);
    grown = grow(plane, linked, is_sink, usable);
  } else {
    Neighbours neighbours(plane);
    grown = grow(plane, neighbours, is_sink, usable);
  }
  for (const Sapling& s : grown) {
    etx[s.node] = s.cost;
    parent[s.node] = s.parent;
  }
  measure_tree();
}

void Mesh::start_tree() {
  const size_t count = parent.size();
  parent.assign(count, -1);
  etx.assign(count, -1);
  is_sink.assign(count, 0);
  routed = true;
}

// Take a tree as given: the caller has checked that it has no loop.
void Mesh::set_parents(const int32_t* given, const std::vector<int32_t>& sinks) {
  start_tree();
  parent.assign(given, given + parent.size());
  for (const int32_t sink : sinks) is_sink[sink] = 1;
  measure_tree();
  for (size_t i = 0; i < parent.size(); ++i) {  // cost along the tree; -1 where a link of it is not usable
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
  const int32_t count = static_cast<int32_t>(parent.size());
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
  refresh_tree();
}

}  // namespace teiden
