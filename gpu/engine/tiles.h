// The tiles of a mesh.
#pragma once
#include <new>

#include "heap.h"
#include "tile.h"

namespace teiden {

// They lie where a kernel can reach them.
class Tiles {
 public:
  Tiles() = default;
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
  ~Tiles() {
    for (Tile& tile : *this) tile.~Tile();
    free_block(block_);
  }
  void make(size_t count) {  // once
    block_ = grow_block(nullptr, 0, static_cast<int64_t>(count * sizeof(Tile) + alignof(Tile)));
    const uint64_t line = (reinterpret_cast<uint64_t>(block_) + alignof(Tile) - 1) / alignof(Tile);
    first_ = reinterpret_cast<Tile*>(line * alignof(Tile));
    for (; size_ < count; ++size_) new (first_ + size_) Tile;
  }
  size_t size() const { return size_; }
  Tile* begin() const { return first_; }
  Tile* end() const { return first_ + size_; }
  Tile& operator[](size_t i) const { return first_[i]; }

 private:
  void* block_ = nullptr;  // of the heap; they lie in it
  Tile* first_ = nullptr;
  size_t size_ = 0;
};

}  // namespace teiden
