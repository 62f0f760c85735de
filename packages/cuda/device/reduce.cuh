// Reductions over the lanes of a warp, the warps of a block, and the blocks of a grid: always along the same tree, so that
// equal inputs give equal bits whatever runs first.
#pragma once
#include "math.cuh"

// What two values become. Every `combine` gives the same bits for (a, b) and (b, a): lanes that exchange values agree.
struct Sum {
  template <class T>
  __device__ static inline T combine(T a, T b) {
    return a + b;
  }
  __device__ static inline int combine(int a, int b) { return (int)((unsigned)a + (unsigned)b); }
};
struct Prod {
  template <class T>
  __device__ static inline T combine(T a, T b) {
    return a * b;
  }
  __device__ static inline int combine(int a, int b) { return (int)((unsigned)a * (unsigned)b); }
};
struct Max {
  template <class T>
  __device__ static inline T combine(T a, T b) {
    return maximum(a, b);
  }
};
struct Min {
  template <class T>
  __device__ static inline T combine(T a, T b) {
    return minimum(a, b);
  }
};

// A value and where it was found; `noPosition`: nothing yet.
template <class T>
struct Extreme {
  T value;
  int position;
};
constexpr int noPosition = 0x7fffffff;

template <class T>
__device__ inline Extreme<T> extremeAt(T value, int position) {
  return Extreme<T>{value, position};
}
// 0 where nothing was looked at.
template <class T>
__device__ inline int positionOf(Extreme<T> extreme) {
  return extreme.position == noPosition ? 0 : extreme.position;
}

// The first of the largest values; a NaN is larger than all numbers.
struct ArgMax {
  template <class T>
  __device__ static inline Extreme<T> combine(Extreme<T> a, Extreme<T> b) {
    if (a.position == noPosition || b.position == noPosition) return a.position == noPosition ? b : a;
    const bool aIsNaN = a.value != a.value, bIsNaN = b.value != b.value;
    const bool more = aIsNaN != bIsNaN ? aIsNaN : a.value > b.value;
    const bool same = aIsNaN != bIsNaN ? false : aIsNaN || a.value == b.value;
    return more || (same && a.position < b.position) ? a : b;
  }
};
struct ArgMin {
  template <class T>
  __device__ static inline Extreme<T> combine(Extreme<T> a, Extreme<T> b) {
    if (a.position == noPosition || b.position == noPosition) return a.position == noPosition ? b : a;
    const bool aIsNaN = a.value != a.value, bIsNaN = b.value != b.value;
    const bool more = aIsNaN != bIsNaN ? aIsNaN : a.value < b.value;
    const bool same = aIsNaN != bIsNaN ? false : aIsNaN || a.value == b.value;
    return more || (same && a.position < b.position) ? a : b;
  }
};

template <class T>
__device__ inline T fromLane(T value, int distance) {
  return __shfl_xor_sync(0xffffffffu, value, distance);
}
__device__ inline bool fromLane(bool value, int distance) {
  return __shfl_xor_sync(0xffffffffu, value ? 1 : 0, distance) != 0;
}
template <class T>
__device__ inline Extreme<T> fromLane(Extreme<T> extreme, int distance) {
  return Extreme<T>{fromLane(extreme.value, distance), fromLane(extreme.position, distance)};
}

// Combines lanes whose numbers differ by multiples of `Step` below `End` (powers of two); each gets the result. Whole warps.
template <class Op, int Step, int End, class T>
__device__ inline T reduceLanes(T value) {
#pragma unroll
  for (int distance = End / 2; distance >= Step; distance /= 2) value = Op::combine(value, fromLane(value, distance));
  return value;
}

// Past the first-level cache, which does not see what other blocks have written meanwhile.
template <class T>
__device__ inline T readPartial(const T* at) {
  return *(const volatile T*)at;
}
template <class T>
__device__ inline Extreme<T> readPartial(const Extreme<T>* at) {
  return Extreme<T>{readPartial(&at->value), readPartial(&at->position)};
}

// Whether this block is the last of `blocks` to come here with this counter, which it then sets back to 0: all that the others
// wrote before is visible to it. The whole block comes, and gets the same answer.
__device__ inline bool isLastBlock(unsigned* counter, unsigned blocks) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(counter, 1u) == blocks - 1;
    if (last) *counter = 0;
  }
  __syncthreads();
  if (last) __threadfence();
  return last;
}
