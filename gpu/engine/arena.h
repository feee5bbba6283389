// Flat storage of plain values: an array that grows, and a pool of items with a list of free places.
//
// Everything a tile keeps lives in these, so that a state is saved, loaded and copied as runs of bytes.
#pragma once
#include "fixed.h"
#include "heap.h"

namespace teiden {

template <class T>
TEIDEN_FN void exchange(T& a, T& b) {
  const T kept = a;
  a = b;
  b = kept;
}

template <class T>
class Array {
  static_assert(__is_trivially_copyable(T), "plain values only");

 public:
  Array() = default;
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  Array(Array&& other) noexcept { swap(other); }
  Array& operator=(Array&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Array() { free_block(block_); }

  int64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }

  void push(const T& value) {
    if (size_ == capacity_) {
      const T kept = value;  // it may lie in here
      reserve(capacity_ < 16 ? 16 : capacity_ + capacity_ / 2);
      data_[size_++] = kept;
      return;
    }
    data_[size_++] = value;
  }
  void pop() { --size_; }
  void clear() { size_ = 0; }
  void cut(int64_t size) { size_ = size; }

  void reserve(int64_t capacity) {
    if (capacity <= capacity_) return;
    if (alignof(T) <= kBlockAlignment) {
      block_ = grow_block(block_, size_ * int64_t{sizeof(T)}, capacity * int64_t{sizeof(T)});
      data_ = static_cast<T*>(block_);
    } else {
      move_to_lines(capacity);
    }
    capacity_ = capacity;
  }
  void copy(const T* from, int64_t size) {
    reserve(size);
    for (int64_t i = 0; i < size; ++i) data_[i] = from[i];
    size_ = size;
  }
  void fill(int64_t size, const T& value) {
    reserve(size);
    for (int64_t i = 0; i < size; ++i) data_[i] = value;
    size_ = size;
  }
  void resize(int64_t size) {
    reserve(size);
    size_ = size;
  }
  void swap(Array& other) {
    exchange(block_, other.block_);
    exchange(data_, other.data_);
    exchange(size_, other.size_);
    exchange(capacity_, other.capacity_);
  }
  int64_t bytes() const { return capacity_ * static_cast<int64_t>(sizeof(T)); }

 private:
  // Grow items that begin at cache lines; a block may not.
  void move_to_lines(int64_t capacity) {
    void* block = grow_block(nullptr, 0, capacity * int64_t{sizeof(T)} + int64_t{alignof(T)});
    const uint64_t line = (reinterpret_cast<uint64_t>(block) + alignof(T) - 1) / alignof(T);
    T* data = reinterpret_cast<T*>(line * alignof(T));
    for (int64_t i = 0; i < size_; ++i) data[i] = data_[i];
    free_block(block_);
    block_ = block;
    data_ = data;
  }

  void* block_ = nullptr;  // of the heap; the items lie in it
  T* data_ = nullptr;
  int64_t size_ = 0, capacity_ = 0;
};

// Items that are taken and given back, linked by their field `next`; -1 ends a list.
template <class T>
class Pool {
 public:
  Pool() = default;
  Pool(Pool&& other) noexcept { swap(other); }
  Pool& operator=(Pool&& other) noexcept {
    swap(other);
    return *this;
  }
  void swap(Pool& other) {
    items_.swap(other.items_);
    exchange(free_, other.free_);
  }

  T& operator[](int32_t i) { return items_[i]; }
  const T& operator[](int32_t i) const { return items_[i]; }
  int32_t size() const { return static_cast<int32_t>(items_.size()); }  // taken and free places

  // Return a free place; earlier references into the pool are void.
  int32_t take() {
    if (free_ >= 0) {
      const int32_t i = free_;
      free_ = items_[i].next;
      if (free_ >= 0) prefetch(&items_[free_]);  // for the next one
      return i;
    }
    items_.push(T{});
    return static_cast<int32_t>(items_.size()) - 1;
  }
  void give(int32_t i) {
    items_[i].next = free_;
    free_ = i;
  }

  template <class Archive>
  void archive(Archive& a) {
    a(items_), a(free_);
  }
  int64_t bytes() const { return items_.bytes(); }

 private:
  Array<T> items_;
  int32_t free_ = -1;
};

}  // namespace teiden
