// Running sums of a warp's or a block's values, always added in the same order.
#pragma once

// What the lanes before this one have together; `total`: all lanes.
template <class T>
__device__ inline T sumBefore(T value, T& total) {
  const int lane = threadIdx.x % 32;
  T sum = value;
#pragma unroll
  for (int distance = 1; distance < 32; distance *= 2) {
    const T other = __shfl_up_sync(0xffffffffu, sum, distance);
    if (lane >= distance) sum = other + sum;
  }
  total = __shfl_sync(0xffffffffu, sum, 31);
  const T before = __shfl_up_sync(0xffffffffu, sum, 1);
  return lane == 0 ? T(0) : before;
}

// The same over `Threads` threads: one warp, or the whole block, which reaches this together.
template <int Threads, class T>
__device__ inline T sumBeforeThread(T value, T& total) {
  static_assert(Threads % 32 == 0, "whole warps");
  if (Threads == 32) return sumBefore(value, total);
  __shared__ T sums[Threads / 32];
  T ofWarp;
  const T inWarp = sumBefore(value, ofWarp);
  const int warp = threadIdx.x / 32;
  __syncthreads();
  if (threadIdx.x % 32 == 0) sums[warp] = ofWarp;
  __syncthreads();
  T before = T(0);
  T all = T(0);
#pragma unroll
  for (int i = 0; i < Threads / 32; i++) {
    if (i == warp) before = all;
    all += sums[i];
  }
  total = all;
  return before + inWarp;
}
