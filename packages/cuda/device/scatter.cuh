// Additions to places that the data choose, in the order of the data: no two runs differ in a bit.
#pragma once

#include "storage.cuh"

// A mask of the lanes of the warp whose number is this lane's.
__device__ inline unsigned equalLanes(int number) {
#ifdef THALWEG_EMULATION
  unsigned mask = 0;
  for (int lane = 0; lane < 32; lane++) {
    if (__shfl_sync(0xffffffffu, number, lane) == number) mask |= 1u << lane;
  }
  return mask;
#else
  return __match_any_sync(0xffffffffu, number);
#endif
}

// A sum as the buffer would hold it: every addition is rounded to its dtype.
template <class D>
__device__ inline typename D::Compute addStored(typename D::Compute sum, typename D::Compute value) {
  return D::decode(D::encode(sum + value));
}
template <>
__device__ inline int addStored<Int32>(int sum, int value) {
  return (int)((unsigned)sum + (unsigned)value);
}

// A warp adds its lanes' values to `target[to * stride]`, the lower lanes first; a lane whose `to` is negative adds nothing.
// What one call adds to a place comes after what the call before has added there.
template <class D>
__device__ inline void addByWarp(typename D::Storage* target, int to, long long stride, typename D::Compute value) {
  const int lane = threadIdx.x % 32;
  const unsigned equal = equalLanes(to);
  const int rank = to < 0 ? -1 : __popc(equal & ((1u << lane) - 1));
  typename D::Storage* place = target + to * stride;
  for (int turn = 0; __any_sync(0xffffffffu, turn <= rank); turn++) {
    if (turn == rank) store<D>(place, addStored<D>(load<D>(place), value));
    __syncwarp();
  }
}
