// Save and load: the same list of fields (Mesh::archive) written to, or read from, one run of bytes.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <unordered_map>
#include <vector>

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
  template <class K, class T>
  void operator()(std::unordered_map<K, std::vector<T>>& map) {
    uint64_t count = map.size();
    (*this)(count);
    for (auto& [key, values] : map) {
      K copy = key;
      (*this)(copy);
      (*this)(values);
    }
  }
  template <class T>
  void each(std::vector<T>& items) {
    for (T& item : items) item.archive(*this);
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
  template <class K, class T>
  void operator()(std::unordered_map<K, std::vector<T>>& map) {
    uint64_t count = 0;
    (*this)(count);
    map.clear();
    for (uint64_t i = 0; ok_ && i < count; ++i) {
      K key{};
      (*this)(key);
      (*this)(map[key]);
    }
  }
  template <class T>
  void each(std::vector<T>& items) {
    for (T& item : items) item.archive(*this);
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
