// What differs between a host and a CUDA device: whole numbers, builtins, atomic operations, the order of lists.
//
// The run path (everything a tile does in a window) is one source for both. TEIDEN_DEVICE is set where a CUDA compiler
// reads it (kernels.cu through gpu/nvrtc.py) and where a host compiler stands in for one (TEIDEN_KERNELS_ON_CPU).
#pragma once

#if defined(__CUDACC_RTC__) && !defined(TEIDEN_DEVICE)
#define TEIDEN_DEVICE
#endif

#if defined(__CUDACC_RTC__)
// NVRTC has no C++ library; the ABI is that of the host's LP64.
using int8_t = signed char;
using uint8_t = unsigned char;
using int16_t = short;
using uint16_t = unsigned short;
using int32_t = int;
using uint32_t = unsigned int;
using int64_t = long;
using uint64_t = unsigned long;
using size_t = unsigned long;
#define INT64_MAX 9223372036854775807L
#define INT64_MIN (-INT64_MAX - 1)
#define UINT64_MAX 18446744073709551615UL
#else
#include <sched.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#endif

#if defined(__CUDACC__) && !defined(__CUDACC_RTC__)
#define TEIDEN_FN __host__ __device__ inline
#else
#define TEIDEN_FN inline  // NVRTC takes everything for the device (--device-as-default-execution-space)
#endif

// A step of a tile: large, called from many places. Left alone, NVRTC puts every one into all its callers.
#if defined(__CUDACC_RTC__)
#define TEIDEN_CALL __noinline__
#else
#define TEIDEN_CALL
#endif

namespace teiden {

#if defined(TEIDEN_DEVICE)
constexpr bool kOnDevice = true;
#else
constexpr bool kOnDevice = false;
#endif

#if defined(__CUDACC_RTC__)

TEIDEN_FN int leading_zeros(uint64_t word) { return __clzll(static_cast<long long>(word)); }
TEIDEN_FN int trailing_zeros(uint64_t word) { return __ffsll(static_cast<long long>(word)) - 1; }
TEIDEN_FN void prefetch(const void*) {}  // other warps hide what a load waits

// What another tile may write meanwhile; `acquire` and `release` order what is around it for the whole device.
template <class T>
TEIDEN_FN T load_relaxed(const T* from) {
  return *static_cast<const volatile T*>(from);
}
template <class T>
TEIDEN_FN T load_acquire(const T* from) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a word");
  T value;
  if constexpr (sizeof(T) == 8)
    asm volatile("ld.acquire.gpu.u64 %0, [%1];" : "=l"(*reinterpret_cast<uint64_t*>(&value)) : "l"(from) : "memory");
  else
    asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(*reinterpret_cast<uint32_t*>(&value)) : "l"(from) : "memory");
  return value;
}
template <class T>
TEIDEN_FN void store_relaxed(T* to, T value) {
  *static_cast<volatile T*>(to) = value;
}
template <class T>
TEIDEN_FN void store_release(T* to, T value) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a word");
  if constexpr (sizeof(T) == 8)
    asm volatile("st.release.gpu.u64 [%0], %1;" : : "l"(to), "l"(*reinterpret_cast<uint64_t*>(&value)) : "memory");
  else
    asm volatile("st.release.gpu.u32 [%0], %1;" : : "l"(to), "r"(*reinterpret_cast<uint32_t*>(&value)) : "memory");
}
TEIDEN_FN int32_t add_atomic(int32_t* to, int32_t value) { return atomicAdd(to, value); }  // these return what was there
TEIDEN_FN int64_t add_atomic(int64_t* to, int64_t value) {
  return atomicAdd(reinterpret_cast<unsigned long long*>(to), static_cast<unsigned long long>(value));
}
TEIDEN_FN void min_atomic(int64_t* to, int64_t value) { atomicMin(reinterpret_cast<long long*>(to), value); }
TEIDEN_FN void or_atomic(uint64_t* to, uint64_t bits) { atomicOr(reinterpret_cast<unsigned long long*>(to), bits); }
TEIDEN_FN void and_atomic(uint64_t* to, uint64_t bits) { atomicAnd(reinterpret_cast<unsigned long long*>(to), bits); }
// Add and tell what was there: after all this thread did before, and before all that it does next.
TEIDEN_FN int32_t add_in_order(int32_t* to, int32_t value) {
  __threadfence();
  const int32_t before = atomicAdd(to, value);
  __threadfence();
  return before;
}
TEIDEN_FN bool claim(int32_t* flag) {
  if (atomicExch(flag, 1) != 0) return false;
  __threadfence();
  return true;
}
TEIDEN_FN void let_others_run() { __nanosleep(64); }

#else

TEIDEN_FN int leading_zeros(uint64_t word) { return __builtin_clzll(word); }
TEIDEN_FN int trailing_zeros(uint64_t word) { return __builtin_ctzll(word); }
TEIDEN_FN void prefetch(const void* at) {
  __builtin_prefetch(at);
  asm volatile("");  // or g++ takes a function that only prefetches for one that does nothing, and drops it
}

// Leave the core to a thread beside this one for some cycles.
TEIDEN_FN void rest_a_moment() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <class T>
TEIDEN_FN T load_relaxed(const T* from) {
  return __atomic_load_n(from, __ATOMIC_RELAXED);
}
template <class T>
TEIDEN_FN T load_acquire(const T* from) {
  return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}
template <class T>
TEIDEN_FN void store_relaxed(T* to, T value) {
  __atomic_store_n(to, value, __ATOMIC_RELAXED);
}
template <class T>
TEIDEN_FN void store_release(T* to, T value) {
  __atomic_store_n(to, value, __ATOMIC_RELEASE);
}
TEIDEN_FN int32_t add_atomic(int32_t* to, int32_t value) { return __atomic_fetch_add(to, value, __ATOMIC_RELAXED); }
TEIDEN_FN int64_t add_atomic(int64_t* to, int64_t value) { return __atomic_fetch_add(to, value, __ATOMIC_RELAXED); }
TEIDEN_FN void min_atomic(int64_t* to, int64_t value) {
  int64_t there = load_relaxed(to);
  while (value < there && !__atomic_compare_exchange_n(to, &there, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}
TEIDEN_FN int32_t add_in_order(int32_t* to, int32_t value) { return __atomic_fetch_add(to, value, __ATOMIC_ACQ_REL); }
TEIDEN_FN void or_atomic(uint64_t* to, uint64_t bits) { __atomic_fetch_or(to, bits, __ATOMIC_RELAXED); }
TEIDEN_FN void and_atomic(uint64_t* to, uint64_t bits) { __atomic_fetch_and(to, bits, __ATOMIC_RELAXED); }
TEIDEN_FN bool claim(int32_t* flag) { return __atomic_exchange_n(flag, 1, __ATOMIC_ACQUIRE) == 0; }
TEIDEN_FN void let_others_run() { sched_yield(); }

#endif

// Bring near all of a record.
template <class T>
TEIDEN_FN void prefetch_all(const T* record) {
  const char* first = reinterpret_cast<const char*>(record);
  for (size_t i = 0; i < sizeof(T); i += 64) prefetch(first + i);
  if (alignof(T) < 64 && sizeof(T) % 64 != 1) prefetch(first + sizeof(T) - 1);
}

struct Ascending {
  template <class T>
  bool operator()(const T& a, const T& b) const {
    return a < b;
  }
};

// Put a run in order. On a device: a heap sort, in place and without recursion; short runs by insertion.
template <class T, class Before>
TEIDEN_CALL TEIDEN_FN void put_in_order(T* first, T* last, Before before) {
#if defined(TEIDEN_DEVICE)
  const int64_t size = last - first;
  if (size <= 16) {
    for (int64_t i = 1; i < size; ++i) {
      const T value = first[i];
      int64_t at = i;
      for (; at > 0 && before(value, first[at - 1]); --at) first[at] = first[at - 1];
      first[at] = value;
    }
    return;
  }
  const auto sift = [&](int64_t root, int64_t end) {
    const T value = first[root];
    for (int64_t child; (child = 2 * root + 1) < end; root = child) {
      if (child + 1 < end && before(first[child], first[child + 1])) ++child;
      if (!before(value, first[child])) break;
      first[root] = first[child];
    }
    first[root] = value;
  };
  for (int64_t root = size / 2; root-- > 0;) sift(root, size);
  for (int64_t end = size - 1; end > 0; --end) {
    const T largest = first[0];
    first[0] = first[end];
    first[end] = largest;
    sift(0, end);
  }
#else
  std::sort(first, last, before);
#endif
}

// Return the first place of an ascending run at which `is_before` does not hold any more.
template <class T, class IsBefore>
TEIDEN_FN T* first_not(T* first, T* last, IsBefore is_before) {
  for (int64_t left = last - first; left > 0;) {
    const int64_t half = left / 2;
    if (is_before(first[half])) first += half + 1, left -= half + 1;
    else left = half;
  }
  return first;
}

}  // namespace teiden
