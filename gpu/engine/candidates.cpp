// Several parents a node could have. A cell's nodes stand in order of their cost, so that a node reads of each cell
// around it only those that can still be among its best.
#include "candidates.h"

#include <algorithm>
#include <numeric>
#include <thread>

namespace teiden {

namespace {

struct Option {
  int64_t x_mm, y_mm;
  int64_t cost;  // of its own way to a sink
  int32_t node;
};

// The best candidates of one node found so far.
class Best {
 public:
  Best(int32_t count, int32_t* parents, int64_t* costs) : count_(count), parents_(parents), costs_(costs) {
    std::fill(parents, parents + count, -1);
    std::fill(costs, costs + count, -1);
  }

  // Return whether a way of this cost through this node would be taken in.
  bool wants(int64_t cost, int32_t node) const {
    if (size_ < count_) return true;
    const int64_t worst = costs_[count_ - 1];
    return cost < worst || (cost == worst && node < parents_[count_ - 1]);
  }

  // Return whether even the cheapest link to a node of this cost comes too late.
  bool beyond(int64_t cost) const { return size_ == count_ && cost + kOneTransmission > costs_[count_ - 1]; }

  void add(int64_t cost, int32_t node) {
    int32_t at = size_ < count_ ? size_++ : count_ - 1;
    for (; at > 0 && (cost < costs_[at - 1] || (cost == costs_[at - 1] && node < parents_[at - 1])); --at) {
      costs_[at] = costs_[at - 1];
      parents_[at] = parents_[at - 1];
    }
    costs_[at] = cost;
    parents_[at] = node;
  }

 private:
  int32_t count_, size_ = 0;
  int32_t* parents_;
  int64_t* costs_;
};

void consider(const Plane& plane, int32_t node, const Option& option, Best& best) {
  const int64_t link = plane.link_etx(node, option.node);
  if (link > 0 && best.wants(option.cost + link, option.node)) best.add(option.cost + link, option.node);
}

// Nodes with a way to a sink, by square cell and, within a cell, by cost and id.
class Grid {
 public:
  Grid(const Plane& plane, const std::vector<int64_t>& etx) : plane_(plane), reach_(plane.config.route_reach_mm) {
    const auto [x0, x1] = std::minmax_element(plane.x_mm.begin(), plane.x_mm.end());
    const auto [y0, y1] = std::minmax_element(plane.y_mm.begin(), plane.y_mm.end());
    x0_ = *x0, y0_ = *y0;
    edge_ = std::max<int64_t>(reach_ / kEdges, 1);
    while (((*x1 - x0_) / edge_ + 1) * ((*y1 - y0_) / edge_ + 1) > 4 * int64_t{plane.size()} + 16) edge_ *= 2;
    columns_ = (*x1 - x0_) / edge_ + 1;
    rows_ = (*y1 - y0_) / edge_ + 1;
    std::vector<int32_t> order;
    for (int32_t i = 0; i < plane.size(); ++i)
      if (etx[i] >= 0) order.push_back(i);
    std::vector<int64_t> cell(plane.size());
    for (const int32_t i : order) cell[i] = row(i) * columns_ + column(i);
    std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      if (cell[a] != cell[b]) return cell[a] < cell[b];
      return etx[a] != etx[b] ? etx[a] < etx[b] : a < b;
    });
    first_.assign(columns_ * rows_ + 1, 0);
    for (const int32_t i : order) ++first_[cell[i] + 1];
    for (size_t c = 1; c < first_.size(); ++c) first_[c] += first_[c - 1];
    options_.reserve(order.size());
    for (const int32_t i : order) options_.push_back({plane.x_mm[i], plane.y_mm[i], etx[i], i});
    least_.assign(columns_ * rows_, INT64_MAX);
    for (size_t c = 0; c + 1 < first_.size(); ++c)
      if (first_[c] < first_[c + 1]) least_[c] = options_[first_[c]].cost;
  }

  size_t size() const { return options_.size(); }
  const Option& option(size_t i) const { return options_[i]; }

  void search(const Option& own, Best& best) const {
    const int64_t across = reach_ / edge_ + 1;
    const int64_t r0 = row(own.node), c0 = column(own.node);
    for (int64_t r = std::max<int64_t>(r0 - across, 0); r <= std::min(r0 + across, rows_ - 1); ++r)
      for (int64_t c = std::max<int64_t>(c0 - across, 0); c <= std::min(c0 + across, columns_ - 1); ++c) {
        const int64_t cell = r * columns_ + c;
        if (least_[cell] >= own.cost || best.beyond(least_[cell])) continue;
        for (int64_t i = first_[cell]; i < first_[cell + 1]; ++i) {
          const Option& option = options_[i];
          if (option.cost >= own.cost || !best.wants(option.cost + kOneTransmission, option.node)) break;  // nor the rest
          const int64_t dx = option.x_mm - own.x_mm, dy = option.y_mm - own.y_mm;
          if (dx * dx + dy * dy <= reach_ * reach_) consider(plane_, own.node, option, best);
        }
      }
  }

 private:
  static constexpr int64_t kEdges = 6;  // cells from the middle to the edge of a search

  int64_t row(int32_t i) const { return (plane_.y_mm[i] - y0_) / edge_; }
  int64_t column(int32_t i) const { return (plane_.x_mm[i] - x0_) / edge_; }

  const Plane& plane_;
  int64_t reach_, x0_, y0_, edge_, columns_, rows_;
  std::vector<int64_t> first_;
  std::vector<int64_t> least_;  // cost of a cell's first option
  std::vector<Option> options_;
};

void search_links(const Plane& plane, const std::vector<int64_t>& etx, int32_t node, Best& best) {
  for (int64_t e = plane.link_first[node]; e < plane.link_first[node + 1]; ++e) {
    const int32_t other = plane.link_dst[e];
    if (etx[other] >= 0 && etx[other] < etx[node]) consider(plane, node, {0, 0, etx[other], other}, best);
  }
}

// Call work(from, to) for parts of 0 .. count, on all cores: nodes do not depend on each other.
template <class Work>
void in_parts(size_t count, Work work) {
  constexpr size_t kSmall = 10000;  // below it a thread costs more than it saves
  const size_t parts = count < kSmall ? 1 : std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::thread> others;
  for (size_t p = 1; p < parts; ++p)
    others.emplace_back([=, &work] { work(count * p / parts, count * (p + 1) / parts); });
  work(0, count / parts);
  for (std::thread& other : others) other.join();
}

}  // namespace

void find_candidates(const Plane& plane, const std::vector<int64_t>& etx, int32_t count, int32_t* parents,
                     int64_t* costs) {
  std::fill(parents, parents + int64_t{plane.size()} * count, -1);
  std::fill(costs, costs + int64_t{plane.size()} * count, -1);
  const auto best_of = [=](int32_t node) {
    return Best(count, parents + int64_t{node} * count, costs + int64_t{node} * count);
  };
  if (plane.has_links) {
    in_parts(etx.size(), [&](size_t from, size_t to) {
      for (size_t node = from; node < to; ++node) {
        Best best = best_of(static_cast<int32_t>(node));
        if (etx[node] >= 0) search_links(plane, etx, static_cast<int32_t>(node), best);
      }
    });
    return;
  }
  const Grid grid(plane, etx);
  in_parts(grid.size(), [&](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      Best best = best_of(grid.option(i).node);
      grid.search(grid.option(i), best);
    }
  });
}

}  // namespace teiden
