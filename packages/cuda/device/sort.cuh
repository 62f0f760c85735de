// Sorting of words that are all different: a key, the position it came from below it, so that equal keys keep their order.
#pragma once

#include "storage.cuh"

// The last of all, which stands where there is nothing to sort: no position has all bits set.
struct NarrowWord {
  unsigned long long bits;

  using Key = unsigned;
  __device__ static inline NarrowWord of(unsigned key, int position) {
    return {(unsigned long long)key << 32 | (unsigned)position};
  }
  __device__ static inline NarrowWord last() { return {~0ull}; }
  __device__ inline unsigned key() const { return (unsigned)(bits >> 32); }
  __device__ inline int position() const { return (int)(unsigned)bits; }
  __device__ inline bool operator<(const NarrowWord& other) const { return bits < other.bits; }
};

struct alignas(16) WideWord {
  unsigned long long bits;
  unsigned long long place;

  using Key = unsigned long long;
  __device__ static inline WideWord of(unsigned long long key, int position) {
    return {key, (unsigned long long)position};
  }
  __device__ static inline WideWord last() { return {~0ull, ~0ull}; }
  __device__ inline unsigned long long key() const { return bits; }
  __device__ inline int position() const { return (int)place; }
  __device__ inline bool operator<(const WideWord& other) const {
    return bits < other.bits || (bits == other.bits && place < other.place);
  }
};

// Integers in the order of the numbers; -0 and 0 have the same, and so have all NaN, the largest.
__device__ inline unsigned sortKey(unsigned x) { return x; }
__device__ inline unsigned sortKey(bool x) { return x; }
__device__ inline unsigned sortKey(int x) { return (unsigned)x ^ 0x80000000u; }
__device__ inline unsigned sortKey(float x) {
  // -0 + 0 is 0. Negative numbers are turned round as a whole, positive ones put above them.
  const unsigned bits = bitsOf(x + 0.0f);
  return x != x ? 0xffffffffu : bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u);
}
__device__ inline unsigned long long sortKey(double x) {
  const unsigned long long bits = (unsigned long long)__double_as_longlong(x + 0.0);
  return x != x ? ~0ull : bits ^ (bits >> 63 ? ~0ull : 1ull << 63);
}

// Sorts each `Run` consecutive ones (a power of two) of the block's `Count` words in shared memory, by all its threads.
// A bitonic network: whichever steps stay within the 64 words that a warp has need no barrier of the block.
template <int Count, int Run, int Threads, class Word>
__device__ inline void sortRuns(Word* words) {
  static_assert(Count % 64 == 0, "whole warps");
  __syncthreads();
#pragma unroll 1
  for (int run = 2; run <= Run; run *= 2) {
#pragma unroll 1
    for (int step = run / 2; step > 0; step /= 2) {
      if (step > 32 || (step == 32 && run > 64)) __syncthreads();
      else __syncwarp();
#pragma unroll 2
      for (int pair = threadIdx.x; pair < Count / 2; pair += Threads) {
        const int low = 2 * pair - (pair & (step - 1));
        const int high = low + step;
        const bool ascending = (low & run & (Run - 1)) == 0;
        const Word a = words[low];
        const Word b = words[high];
        if ((b < a) == ascending) {
          words[low] = b;
          words[high] = a;
        }
      }
    }
  }
  __syncthreads();
}

// How many of the first `diagonal` words of the two sorted runs together are of the first.
template <class Word>
__device__ inline int mergeSplit(const Word* a, int sizeA, const Word* b, int sizeB, int diagonal) {
  int low = diagonal > sizeB ? diagonal - sizeB : 0;
  int high = diagonal < sizeA ? diagonal : sizeA;
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (b[diagonal - 1 - middle] < a[middle]) high = middle;
    else low = middle + 1;
  }
  return low;
}

// Words `from` … `from + Threads · Each` of the two sorted runs together, as far as there are any, to the same places of
// `words` in shared memory, which holds that many. Every thread merges `Each` of them.
template <int Threads, int Each, class Word>
__device__ inline void mergeTile(const Word* a, int sizeA, const Word* b, int sizeB, int from, Word* words) {
  __shared__ int splits[2];
  const int total = sizeA + sizeB;
  const int end = total - from < Threads * Each ? total : from + Threads * Each;
  if (threadIdx.x == 0) splits[0] = mergeSplit(a, sizeA, b, sizeB, from);
  if (threadIdx.x == 32) splits[1] = mergeSplit(a, sizeA, b, sizeB, end);
  __syncthreads();
  const int firstA = splits[0];
  const int firstB = from - firstA;
  const int countA = splits[1] - firstA;
  const int countB = end - splits[1] - firstB;
  for (int i = threadIdx.x; i < countA + countB; i += Threads) {
    words[i] = i < countA ? a[firstA + i] : b[firstB + (i - countA)];
  }
  __syncthreads();
  int diagonal = threadIdx.x * Each;
  if (diagonal > countA + countB) diagonal = countA + countB;
  int atA = mergeSplit(words, countA, words + countA, countB, diagonal);
  int atB = countA + diagonal - atA;
  Word merged[Each];
#pragma unroll
  for (int i = 0; i < Each; i++) {
    const bool hasA = atA < countA;
    const bool hasB = atB < countA + countB;
    if (hasA && (!hasB || words[atA] < words[atB])) merged[i] = words[atA++];
    else if (hasB) merged[i] = words[atB++];
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < Each; i++) {
    if (diagonal + i < countA + countB) words[diagonal + i] = merged[i];
  }
  __syncthreads();
}
