// How a block of threads multiplies tiles (tile.cuh) that lie in shared memory.
#pragma once

#include "mma.cuh"
#include "tileOperand.cuh"

__device__ inline float multiplyAdd(float a, float b, float c) { return fmaf(a, b, c); }
__device__ inline double multiplyAdd(double a, double b, double c) { return fma(a, b, c); }
__device__ inline unsigned multiplyAdd(unsigned a, unsigned b, unsigned c) { return a * b + c; }

constexpr int largest(int a, int b) { return a > b ? a : b; }

// Ordinary registers. A warp's lanes are 4 × 8; a lane has ROW_GROUPS groups of ROWS neighbouring rows times COLUMN_GROUPS
// groups of COLUMNS neighbouring columns, each group read from shared memory at once.
template <class E, int WARPS_M, int WARPS_N, int ROW_GROUPS, int ROWS, int COLUMN_GROUPS, int COLUMNS, int DEPTH_COUNT>
struct VectorCore {
  using Element = typename E::Type;
  using Accumulator = Element;
  static constexpr int THREADS = 32 * WARPS_M * WARPS_N;
  static constexpr int DEPTH = DEPTH_COUNT;
  static constexpr int BM = WARPS_M * ROW_GROUPS * 4 * ROWS;
  static constexpr int BN = WARPS_N * COLUMN_GROUPS * 8 * COLUMNS;
  static constexpr int SUMS = ROW_GROUPS * ROWS * COLUMN_GROUPS * COLUMNS;
  static constexpr int PAD = 16 / (int)sizeof(Element);
  using TileA = LinesTile<E, BM, DEPTH, PAD>;
  using TileB = LinesTile<E, BN, DEPTH, PAD>;
  // Rows of one part that `stage` writes: GROUP_ROWS neighbouring ones of each warp.
  static constexpr int PARTS = ROW_GROUPS;
  static constexpr int GROUP_ROWS = 4 * ROWS;
  static constexpr int PART_ROWS = WARPS_M * GROUP_ROWS;
  static constexpr int STAGE_STRIDE = BN + 8;
  static constexpr int SHARED_BYTES =
      (int)sizeof(Element) * largest(2 * (TileA::ELEMENTS + TileB::ELEMENTS), PART_ROWS * STAGE_STRIDE);

  Accumulator sums[SUMS];

  __device__ inline VectorCore() {
#pragma unroll
    for (int i = 0; i < SUMS; i++) sums[i] = 0;
  }

  __device__ static inline int row(int group) {
    const int warp = (int)threadIdx.x / 32 / WARPS_N, lane = (int)threadIdx.x % 32 / 8;
    return (warp * ROW_GROUPS + group) * GROUP_ROWS + lane * ROWS;
  }
  __device__ static inline int column(int group) {
    const int warp = (int)threadIdx.x / 32 % WARPS_N, lane = (int)threadIdx.x % 8;
    return (warp * COLUMN_GROUPS + group) * 8 * COLUMNS + lane * COLUMNS;
  }

  __device__ inline void multiply(const Element* a, const Element* b) {
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
      Packet<Element, ROWS> left[ROW_GROUPS];
      Packet<Element, COLUMNS> right[COLUMN_GROUPS];
#pragma unroll
      for (int i = 0; i < ROW_GROUPS; i++)
        left[i] = *reinterpret_cast<const Packet<Element, ROWS>*>(a + TileA::at(row(i), k));
#pragma unroll
      for (int j = 0; j < COLUMN_GROUPS; j++)
        right[j] = *reinterpret_cast<const Packet<Element, COLUMNS>*>(b + TileB::at(column(j), k));
#pragma unroll
      for (int i = 0; i < ROW_GROUPS * ROWS; i++) {
#pragma unroll
        for (int j = 0; j < COLUMN_GROUPS * COLUMNS; j++) {
          Accumulator& sum = sums[i * COLUMN_GROUPS * COLUMNS + j];
          sum = multiplyAdd(left[i / ROWS].v[i % ROWS], right[j / COLUMNS].v[j % COLUMNS], sum);
        }
      }
    }
  }

  // Puts part `PART` of the sums into shared memory.
  __device__ inline void stage(int part, Accumulator* to) const {
#pragma unroll
    for (int p = 0; p < PARTS; p++) {
      if (p != part) continue;
#pragma unroll
      for (int i = 0; i < ROWS; i++) {
        const int warp = (int)threadIdx.x / 32 / WARPS_N, lane = (int)threadIdx.x % 32 / 8;
#pragma unroll
        for (int j = 0; j < COLUMN_GROUPS; j++) {
          Packet<Accumulator, COLUMNS> packet;
#pragma unroll
          for (int c = 0; c < COLUMNS; c++) packet.v[c] = sums[((p * ROWS + i) * COLUMN_GROUPS + j) * COLUMNS + c];
          const int at = (warp * GROUP_ROWS + lane * ROWS + i) * STAGE_STRIDE + column(j);
          *reinterpret_cast<Packet<Accumulator, COLUMNS>*>(to + at) = packet;
        }
      }
    }
  }
};

// Tensor cores. A warp has TILES_M × TILES_N products of 16 × 8. A_ALONG_K, B_ALONG_K: how the operands lie in shared
// memory: as they lie in global memory, so that neighbours stay neighbours.
template <class E, int WARPS_M, int WARPS_N, int TILES_M, int TILES_N, bool A_ALONG_K, bool B_ALONG_K>
struct TensorCore {
  using Element = typename E::Type;
  using Accumulator = float;
  static constexpr int THREADS = 32 * WARPS_M * WARPS_N;
  static constexpr int DEPTH = 64 / (int)sizeof(Element);
  static constexpr int BM = WARPS_M * TILES_M * 16;
  static constexpr int BN = WARPS_N * TILES_N * 8;
  static constexpr int SUMS = TILES_M * TILES_N * 4;
  static constexpr bool NARROW = sizeof(Element) == 2;
  static constexpr int STEP = NARROW ? 16 : 8;
  template <bool ALONG, int LINES>
  struct TileOf {
    using Type = LinesTile<E, LINES, DEPTH, 8>;
  };
  template <int LINES>
  struct TileOf<true, LINES> {
    using Type = DepthTile<E, LINES>;
  };
  using TileA = typename TileOf<A_ALONG_K, BM>::Type;
  using TileB = typename TileOf<B_ALONG_K, BN>::Type;
  static constexpr int PARTS = TILES_M;
  static constexpr int GROUP_ROWS = 16;
  static constexpr int PART_ROWS = WARPS_M * GROUP_ROWS;
  static constexpr int STAGE_STRIDE = BN + 8;
  static constexpr int SHARED_BYTES =
      largest(2 * (TileA::ELEMENTS + TileB::ELEMENTS) * (int)sizeof(Element), PART_ROWS * STAGE_STRIDE * 4);
  static_assert(TILES_N % 2 == 0, "operands of two tiles of columns are loaded together");

  Accumulator sums[SUMS];

  __device__ inline TensorCore() {
#pragma unroll
    for (int i = 0; i < SUMS; i++) sums[i] = 0;
  }

  __device__ static inline int firstRow() { return (int)threadIdx.x / 32 / WARPS_N * TILES_M * 16; }
  __device__ static inline int firstColumn() { return (int)threadIdx.x / 32 % WARPS_N * TILES_N * 8; }

  // 16 lines × STEP of A.
  __device__ static inline void loadA(unsigned (&to)[4], const Element* tile, int line, int k) {
    const int lane = (int)threadIdx.x % 32;
    if constexpr (A_ALONG_K) {
      loadMatrices(to, tile + TileA::at(line + lane % 16, k + lane / 16 * (STEP / 2)));
    } else if constexpr (NARROW) {
      loadMatricesTransposed(to, tile + TileA::at(line + lane / 8 % 2 * 8, k + lane % 8 + lane / 16 * 8));
    } else {
#pragma unroll
      for (int i = 0; i < 4; i++) to[i] = tile[TileA::at(line + lane / 4 + i % 2 * 8, k + lane % 4 + i / 2 * 4)];
    }
  }

  // STEP × 16 lines of B: the operands of two products.
  __device__ static inline void loadB(unsigned (&to)[4], const Element* tile, int line, int k) {
    const int lane = (int)threadIdx.x % 32;
    if constexpr (B_ALONG_K) {
      loadMatrices(to, tile + TileB::at(line + lane % 8 + lane / 16 * 8, k + lane / 8 % 2 * (STEP / 2)));
    } else if constexpr (NARROW) {
      loadMatricesTransposed(to, tile + TileB::at(line + lane / 16 * 8, k + lane % 16));
    } else {
#pragma unroll
      for (int i = 0; i < 4; i++) to[i] = tile[TileB::at(line + lane / 4 + i / 2 * 8, k + lane % 4 + i % 2 * 4)];
    }
  }

  __device__ inline void multiply(const Element* a, const Element* b) {
#pragma unroll
    for (int k = 0; k < DEPTH; k += STEP) {
      unsigned right[TILES_N / 2][4];
#pragma unroll
      for (int j = 0; j < TILES_N / 2; j++) loadB(right[j], b, firstColumn() + j * 16, k);
#pragma unroll
      for (int i = 0; i < TILES_M; i++) {
        unsigned left[4];
        loadA(left, a, firstRow() + i * 16, k);
#pragma unroll
        for (int j = 0; j < TILES_N; j++) {
          const unsigned pair[2] = {right[j / 2][j % 2 * 2], right[j / 2][j % 2 * 2 + 1]};
          float d[4];
#pragma unroll
          for (int c = 0; c < 4; c++) d[c] = sums[(i * TILES_N + j) * 4 + c];
          multiplyBy(E(), d, left, pair);
#pragma unroll
          for (int c = 0; c < 4; c++) sums[(i * TILES_N + j) * 4 + c] = d[c];
        }
      }
    }
  }

  __device__ static inline void multiplyBy(Tf32Element, float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    multiplyTf32(d, a, b);
  }
  __device__ static inline void multiplyBy(BFloat16Element, float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    multiplyBFloat16(d, a, b);
  }
  __device__ static inline void multiplyBy(Float16Element, float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    multiplyFloat16(d, a, b);
  }

  __device__ inline void stage(int part, Accumulator* to) const {
    const int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32 / WARPS_N;
#pragma unroll
    for (int p = 0; p < PARTS; p++) {
      if (p != part) continue;
#pragma unroll
      for (int j = 0; j < TILES_N; j++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
          const int at = (warp * 16 + half * 8 + lane / 4) * STAGE_STRIDE + firstColumn() + j * 8 + lane % 4 * 2;
          Packet<float, 2> pair;
          pair.v[0] = sums[(p * TILES_N + j) * 4 + half * 2];
          pair.v[1] = sums[(p * TILES_N + j) * 4 + half * 2 + 1];
          *reinterpret_cast<Packet<float, 2>*>(to + at) = pair;
        }
      }
    }
  }
};
