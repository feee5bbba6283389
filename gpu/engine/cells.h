// Where transmissions are: the index of the fast form. One list a square cell, sorted by start, and the cells
// around a place in order of distance, each with the strongest signal that may come from there.
//
// A look visits cells from near to far and newest first. What the cells not yet visited can add is bounded by
// their number of signals times the strongest one, so most looks end after a few cells with the exact answer.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "plane.h"
#include "state.h"

namespace teiden {

struct Cell {
  std::vector<Signal> signals;  // in order of start

  // Return how many signals start after a tick: its last ones.
  size_t live(int64_t tick) const {
    const auto by_start = [](int64_t t, const Signal& s) { return t < s.start; };
    return static_cast<size_t>(signals.end() - std::upper_bound(signals.begin(), signals.end(), tick, by_start));
  }
};

// A cell as seen from another one.
struct Around {
  int32_t column, row;  // relative
  uint64_t strongest;   // power of the strongest signal from there
};

class Cells {
 public:
  // Lay the grid over a plane; must be called again when the plane gets links.
  void lay(const Plane& plane) {
    const auto [x0, x1] = std::minmax_element(plane.x_mm.begin(), plane.x_mm.end());
    const auto [y0, y1] = std::minmax_element(plane.y_mm.begin(), plane.y_mm.end());
    x0_ = *x0, y0_ = *y0;
    const int64_t reach = plane.config.reach_mm;
    edge_ = plane.has_links ? std::max(*x1 - x0_, *y1 - y0_) + 1 : std::max<int64_t>(reach / kEdges, 1000);
    while (((*x1 - x0_) / edge_ + 1) * ((*y1 - y0_) / edge_ + 1) > 4 * int64_t{plane.size()} + 16) edge_ *= 2;
    columns_ = static_cast<int32_t>((*x1 - x0_) / edge_ + 1);
    rows_ = static_cast<int32_t>((*y1 - y0_) / edge_ + 1);
    cells_.assign(static_cast<size_t>(columns_) * rows_, Cell{});
    audible_within(plane);
    look_around(plane);
  }

  bool laid() const { return !cells_.empty(); }

  void add(const Signal& signal) { cell_of(signal).signals.push_back(signal); }

  // Move the end of a signal that is known to be here.
  void move_end(const Signal& signal, int64_t end) {
    std::vector<Signal>& signals = cell_of(signal).signals;
    for (auto s = signals.rbegin();; ++s)
      if (s->start == signal.start && s->id == signal.id) {
        s->end = end;
        return;
      }
  }

  // Drop the signals that start before a tick in every cell.
  void forget_before(int64_t tick) {
    const auto by_start = [](const Signal& s, int64_t t) { return s.start < t; };
    for (Cell& cell : cells_)
      cell.signals.erase(cell.signals.begin(),
                         std::lower_bound(cell.signals.begin(), cell.signals.end(), tick, by_start));
  }

  size_t index_of(int64_t x_mm, int64_t y_mm) const {
    const Home at = home({x_mm, y_mm, 0});
    return static_cast<size_t>(at.row) * columns_ + at.column;
  }

  template <class Archive>
  void archive(Archive& a) {
    for (Cell& cell : cells_) a(cell.signals);
  }

  size_t count() const { return around_.size(); }
  const std::vector<size_t>& rings() const { return rings_; }  // how many cells lie within one, two, four ... and all
  uint64_t strongest(size_t i) const { return around_[i].strongest; }

  struct Home {  // the cell of a place
    int32_t column, row;
  };

  Home home(const Place& place) const {
    return {static_cast<int32_t>((place.x_mm - x0_) / edge_), static_cast<int32_t>((place.y_mm - y0_) / edge_)};
  }

  // Return the i-th nearest cell around a cell; nullptr off the grid.
  Cell* at(Home home, size_t i) {
    const int32_t column = home.column + around_[i].column, row = home.row + around_[i].row;
    if (column < 0 || row < 0 || column >= columns_ || row >= rows_) return nullptr;
    return &cells_[static_cast<size_t>(row) * columns_ + column];
  }

  // Return the power of a signal at a node: what Plane::power returns, found with less work.
  uint64_t power(const Plane& plane, const Signal& s, int32_t id, const Place& here) const {
    if (plane.has_links) return plane.power(s, id);
    const int64_t dx = s.x_mm - here.x_mm, dy = s.y_mm - here.y_mm;
    const int64_t square = dx * dx + dy * dy;
    if (square > farthest_) return 0;
    const int32_t quantile = shadow_quantile(plane.config, plane.shadow_key, s.id, id);
    if (square > audible_square_[quantile]) return 0;
    const int64_t level = plane.level_at(square, s.extra_lu + here.extra_lu, quantile);
    return level < plane.config.cut_lu ? 0 : linear_power(plane.tables(), level);
  }

 private:
  // Cells from the middle to the edge of a look; 4 and 8 cost 10 to 30 % more in a dense storm.
  static constexpr int64_t kEdges = 6;

  // Fill the square of the distance up to which each shadowing is audible without extra loss.
  void audible_within(const Plane& plane) {
    const int64_t reach = std::min<int64_t>(plane.config.reach_mm, 2'000'000'000);  // no two places are further apart
    farthest_ = -1;
    for (int32_t quantile = 0; quantile < kGaussSize; ++quantile) {
      int64_t low = -1, high = 2 * reach * reach;
      while (low < high) {  // the level never rises with distance
        const int64_t middle = low + (high - low + 1) / 2;
        if (plane.level_at(middle, 0, quantile) >= plane.config.cut_lu) low = middle;
        else high = middle - 1;
      }
      audible_square_[quantile] = low;
      farthest_ = std::max(farthest_, low);
    }
  }

  void look_around(const Plane& plane) {
    around_.clear();
    const int64_t reach = plane.config.reach_mm;
    const int32_t across = plane.has_links ? 0 : static_cast<int32_t>(reach / edge_ + 1);
    const int32_t width = std::min(across, columns_ - 1), height = std::min(across, rows_ - 1);
    std::vector<std::pair<int64_t, Around>> found;
    for (int32_t row = -height; row <= height; ++row)
      for (int32_t column = -width; column <= width; ++column) {
        const int64_t dx = std::max(std::abs(column) - 1, 0) * edge_, dy = std::max(std::abs(row) - 1, 0) * edge_;
        const int64_t nearest = dx * dx + dy * dy;
        if (dx > reach || dy > reach || (!plane.has_links && nearest > farthest_)) continue;
        found.push_back({nearest, {column, row, strongest_from(plane, nearest)}});
      }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    rings_.clear();
    int64_t within = 0;  // square of the distance of the ring's nearest cells, in edges
    for (const auto& [nearest, cell] : found) {
      if (nearest > within * edge_ * edge_) {
        rings_.push_back(around_.size());
        while (nearest > within * edge_ * edge_) within = within ? 4 * within : 1;
      }
      around_.push_back(cell);
    }
    rings_.push_back(around_.size());
  }

  static uint64_t strongest_from(const Plane& plane, int64_t square) {
    if (plane.has_links) return linear_power(plane.tables(), int64_t{kMaxPowerOctaves} << kLogBits) * 2;
    int64_t level = INT64_MIN;
    for (int32_t quantile = 0; quantile < kGaussSize; ++quantile)
      level = std::max(level, plane.level_at(square, 0, quantile));
    return linear_power(plane.tables(), level);
  }

  Cell& cell_of(const Signal& s) { return cells_[index_of(s.x_mm, s.y_mm)]; }

  std::vector<Cell> cells_;
  std::vector<Around> around_;
  std::vector<size_t> rings_;
  std::array<int64_t, kGaussSize> audible_square_{};
  int64_t farthest_ = 0;
  int64_t x0_ = 0, y0_ = 0, edge_ = 1;
  int32_t columns_ = 0, rows_ = 0;
};

}  // namespace teiden
