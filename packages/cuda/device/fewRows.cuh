// Products with few rows: their time is that of reading the large operand once. Each thread keeps sums for all rows, so
// that nothing is read again, and there is no shared memory on the way.
#pragma once

#include "tile.cuh"

// What a thread has in the end, in the form that `combineParts` takes.
template <class Sum, int COUNT, int THREAD_COUNT>
struct ThreadSums {
  using Accumulator = Sum;
  static constexpr int SUMS = COUNT;
  static constexpr int THREADS = THREAD_COUNT;
  Accumulator sums[SUMS];
};

// `WIDTH` elements, `stride` apart: side by side and aligned where it is 1 and WIDTH more than 1.
template <class E, class Source, int WIDTH, bool TOGETHER, class Index>
__device__ inline Vec<typename E::Compute, WIDTH> elementsFrom(const typename Source::Storage* from, Index stride) {
  Vec<typename E::Compute, WIDTH> values;
  if constexpr (TOGETHER) {
    using P = PacketOf<typename Source::Storage, WIDTH>;
#pragma unroll
    for (int first = 0; first < WIDTH; first += P::count) {
      const typename P::Type packet = *reinterpret_cast<const typename P::Type*>(from + first);
#pragma unroll
      for (int i = 0; i < P::count; i++) values.v[first + i] = (typename E::Compute)Source::decode(packet.v[i]);
    }
  } else {
#pragma unroll
    for (int i = 0; i < WIDTH; i++) values.v[i] = (typename E::Compute)Source::decode(from[i * stride]);
  }
  return values;
}

// The lines of the large operand lie along k: a warp reads COLUMNS of them, its lanes side by side, and adds up what its
// lanes have. Lane r · COLUMNS + c gets the sum of row r and column c.
template <class E, class SourceA, class SourceB, int ROWS, int COLUMNS, int WIDTH, bool A_TOGETHER, class Index, Index ROW_STRIDE, Index A_STRIDE, Index COLUMN_STRIDE>
__device__ inline typename E::Compute sumAlongDepth(const typename SourceA::Storage* left, const typename SourceB::Storage* right, int columns, int depth) {
  using Sum = typename E::Compute;
  const int lane = (int)threadIdx.x % 32;
  Sum sums[ROWS * COLUMNS];
#pragma unroll
  for (int i = 0; i < ROWS * COLUMNS; i++) sums[i] = 0;
#pragma unroll 2
  for (int k = lane * WIDTH; k < depth; k += 32 * WIDTH) {
    Vec<Sum, WIDTH> b[COLUMNS];
#pragma unroll
    for (int c = 0; c < COLUMNS; c++)
      b[c] = elementsFrom<E, SourceB, WIDTH, true, Index>(right + (c < columns ? c : 0) * COLUMN_STRIDE + k, 1);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      const Vec<Sum, WIDTH> a = elementsFrom<E, SourceA, WIDTH, A_TOGETHER, Index>(left + r * ROW_STRIDE + k * A_STRIDE, A_STRIDE);
#pragma unroll
      for (int c = 0; c < COLUMNS; c++) {
#pragma unroll
        for (int i = 0; i < WIDTH; i++) sums[r * COLUMNS + c] = multiplyAdd(a.v[i], b[c].v[i], sums[r * COLUMNS + c]);
      }
    }
  }
  Sum mine = 0;
#pragma unroll
  for (int i = 0; i < ROWS * COLUMNS; i++) {
    Sum sum = sums[i];
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
    if (lane == i) mine = sum;
  }
  return mine;
}

// Neighbouring lines of the large operand lie side by side: a warp reads WIDTH of them per lane, the warps of a block every
// WARPS-th step of k. Sum i · THREADS + thread of the block, counted row by row of 32 · WIDTH columns, is the thread's i-th.
template <class E, class SourceA, class SourceB, int ROWS, int WIDTH, int WARPS, class Index, Index ROW_STRIDE, Index A_STRIDE, Index B_STRIDE>
struct LineSums : ThreadSums<typename E::Compute, (ROWS * WIDTH + WARPS - 1) / WARPS, 32 * WARPS> {
  using Sum = typename E::Compute;
  static constexpr int COLUMNS = 32 * WIDTH;
  static constexpr int SHARED_BYTES = WARPS * ROWS * COLUMNS * (int)sizeof(Sum);

  // `columns`: how many there are from the first on, a multiple of WIDTH.
  __device__ inline LineSums(const typename SourceA::Storage* left, const typename SourceB::Storage* right, int columns, int depth, unsigned char* shared) {
    const int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    Sum sums[ROWS][WIDTH];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
#pragma unroll
      for (int i = 0; i < WIDTH; i++) sums[r][i] = 0;
    }
    const int column = lane * WIDTH < columns ? lane * WIDTH : 0;
#pragma unroll 4
    for (int k = warp; k < depth; k += WARPS) {
      const Vec<Sum, WIDTH> b = elementsFrom<E, SourceB, WIDTH, true, Index>(right + column + k * B_STRIDE, 1);
#pragma unroll
      for (int r = 0; r < ROWS; r++) {
        const Sum a = (Sum)SourceA::decode(left[r * ROW_STRIDE + k * A_STRIDE]);
#pragma unroll
        for (int i = 0; i < WIDTH; i++) sums[r][i] = multiplyAdd(a, b.v[i], sums[r][i]);
      }
    }
    Sum* const staged = reinterpret_cast<Sum*>(shared);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
#pragma unroll
      for (int i = 0; i < WIDTH; i++) staged[(warp * ROWS + r) * COLUMNS + lane * WIDTH + i] = sums[r][i];
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < LineSums::SUMS; i++) {
      const int index = i * LineSums::THREADS + (int)threadIdx.x;
      Sum sum = 0;
      if (index < ROWS * COLUMNS) {
#pragma unroll
        for (int w = 0; w < WARPS; w++) sum += staged[w * ROWS * COLUMNS + index];
      }
      this->sums[i] = sum;
    }
    // What follows may use the shared memory again.
    __syncthreads();
  }
};
