// Save and load: the same list of fields (Mesh::archive) written to, or read from, one run of bytes.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "arena.h"

namespace teiden {

class Writer {
 public:
  std::vector<char> bytes;

  template <class T>
  void operator()(T& value) {
    static_assert(std::is_trivially_copyable<T>::value, "plain values only");
    put(&value, sizeof(T));
  }
  template <class T>
  void operator()(std::vector<T>& values) {
    static_assert(std::is_trivially_copyable<T>::value, "plain values only");
    uint64_t count = values.size();
    (*this)(count);
    put(values.data(), count * sizeof(T));
  }
  template <class T>
  void operator()(Array<T>& values) {
    uint64_t count = static_cast<uint64_t>(values.size());
    (*this)(count);
    put(values.begin(), count * sizeof(T));
  }

 private:
  void put(const void* from, size_t count) {
    const char* first = static_cast<const char*>(from);
    bytes.insert(bytes.end(), first, first + count);
  }
};

class Reader {
 public:
  Reader(const char* bytes, uint64_t count) : at_(bytes), left_(count) {}
  bool whole() const { return ok_ && left_ == 0; }

  template <class T>
  void operator()(T& value) {
    get(&value, sizeof(T));
  }
  template <class T>
  void operator()(std::vector<T>& values) {
    uint64_t count = 0;
    (*this)(count);
    if (!ok_ || count > left_ / sizeof(T)) {
      ok_ = false;
      return;
    }
    values.resize(count);
    get(values.data(), count * sizeof(T));
  }
  template <class T>
  void operator()(Array<T>& values) {
    uint64_t count = 0;
    (*this)(count);
    if (!ok_ || count > left_ / sizeof(T)) {
      ok_ = false;
      return;
    }
    values.resize(static_cast<int64_t>(count));
    get(values.begin(), count * sizeof(T));
  }

 private:
  void get(void* to, size_t count) {
    ok_ = ok_ && count <= left_;
    if (!ok_ || count == 0) return;
    std::memcpy(to, at_, count);
    at_ += count;
    left_ -= count;
  }
  const char* at_;
  uint64_t left_;
  bool ok_ = true;
};

}  // namespace teiden
