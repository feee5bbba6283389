// Who may hear whom at all: the nodes at which a node's signal alone is strong enough to lock on.
#pragma once
#include "arena.h"
#include "plane.h"

namespace teiden {

class Earshot {
 public:
  bool laid() const { return !first_.empty(); }

  // Sort the nodes into square cells, which bound a visit; with a link table its links do.
  void lay(const Plane& plane) {
    int64_t x1 = x0_ = plane.x_mm[0], y1 = y0_ = plane.y_mm[0];
    for (int32_t i = 0; i < plane.size(); ++i) {
      x0_ = smaller(x0_, plane.x_mm[i]), x1 = larger(x1, plane.x_mm[i]);
      y0_ = smaller(y0_, plane.y_mm[i]), y1 = larger(y1, plane.y_mm[i]);
    }
    edge_ = larger<int64_t>(plane.config.reach_mm / kEdges, 1);
    while (((x1 - x0_) / edge_ + 1) * ((y1 - y0_) / edge_ + 1) > 2 * int64_t{plane.size()} + 16) edge_ *= 2;
    columns_ = (x1 - x0_) / edge_ + 1;
    rows_ = (y1 - y0_) / edge_ + 1;
    first_.fill(columns_ * rows_ + 1, 0);
    if (plane.has_links) return;
    for (int32_t i = 0; i < plane.size(); ++i) ++first_[cell(plane, i) + 1];
    for (int64_t c = 1; c < first_.size(); ++c) first_[c] += first_[c - 1];
    Array<int32_t> next;
    next.copy(first_.begin(), first_.size() - 1);
    node_.resize(plane.size());
    for (int32_t i = 0; i < plane.size(); ++i) node_[next[cell(plane, i)]++] = i;
  }

  template <class Visit>
  void visit(const Plane& plane, int32_t src, Visit visit) const {
    const auto try_node = [&](int32_t node) {
      if (node == src) return;
      const uint64_t power = plane.power(src, plane.place(src), node, plane.place(node));
      if (power >= static_cast<uint64_t>(plane.config.audible_power)) visit(node);
    };
    if (plane.has_links) {
      for (int64_t e = plane.link_first[src]; e < plane.link_first[src + 1]; ++e) try_node(plane.link_dst[e]);
      return;
    }
    const int64_t across = plane.config.reach_mm / edge_ + 1;
    const int64_t column = (plane.x_mm[src] - x0_) / edge_, row = (plane.y_mm[src] - y0_) / edge_;
    for (int64_t r = larger<int64_t>(row - across, 0); r <= smaller(row + across, rows_ - 1); ++r)
      for (int64_t c = larger<int64_t>(column - across, 0); c <= smaller(column + across, columns_ - 1); ++c)
        for (int32_t i = first_[r * columns_ + c]; i < first_[r * columns_ + c + 1]; ++i) try_node(node_[i]);
  }

 private:
  static constexpr int64_t kEdges = 4;  // cells from the middle to the edge of a visit

  int64_t cell(const Plane& plane, int32_t i) const {
    return (plane.y_mm[i] - y0_) / edge_ * columns_ + (plane.x_mm[i] - x0_) / edge_;
  }

  int64_t x0_ = 0, y0_ = 0, edge_ = 1, columns_ = 1, rows_ = 1;
  Array<int32_t> first_;  // of each cell in node_
  Array<int32_t> node_;   // in order of cells
};

}  // namespace teiden
