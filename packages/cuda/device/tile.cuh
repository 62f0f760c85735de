// Products of matrices by tiles: one block of threads computes C[BM × BN] += Σ_k A[line, k] · B[k, line], where the lines
// of A are the rows of the result and the lines of B its columns. Whatever is a sum of products over k is computed so;
// what differs is in four parts that are put together by the generated function:
//
// - A Core: how the tile is divided over threads and multiplied. It has BM, BN (lines of the tile), DEPTH (steps of k at a
//   time), THREADS, TileA and TileB (how operands lie in shared memory), Accumulator, sums[SUMS] of each thread, and
//   SHARED_BYTES. `VectorCore` multiplies in ordinary registers, `TensorCore` by tensor cores.
// - Two loaders, of A and of B: objects with what a thread has to remember. `fetch()` reads this thread's share of the next
//   DEPTH steps of k from global memory to registers: 0 for k past the end, and whatever it likes for lines past the end,
//   for nobody looks at their sums; it may not read outside the buffer. `place(tile)` puts what was fetched into shared
//   memory, `tile[Tile::at(line, k)]`, as `Tile::Element`, which `Tile::convert` (from what is computed with) makes; several
//   neighbours at once by `putNeighbours`. The two are apart so that memory is waited for while the tile before is
//   multiplied. `Share` says which elements are a thread's. `StridedLoader` reads a matrix with strides; convolutions have
//   loaders of their own.
// - What becomes of the sums: `eachSum` calls a function with row, column and the sums of WIDTH neighbouring columns, once
//   for every place of the tile that exists.
//
// The generated function thus reads:
//   __shared__ __align__(128) unsigned char shared[Core::SHARED_BYTES];
//   Core core;
//   LoaderA a(…); LoaderB b(…);
//   multiplyTiles(core, a, b, steps, shared);
//   if (!combineParts(core, partials, ticket, part, parts, shared)) return;   // only where k is divided over blocks
//   eachSum<WIDTH, UNROLL>(core, shared, rows, columns, [&](int row, int column, const Vec<Core::Accumulator, WIDTH>& sum) {…});
#pragma once

#include "mma.cuh"
#include "storage.cuh"

// As many of `N` neighbours as one instruction moves.
template <class T, int N>
struct PacketOf {
  static constexpr int count = (int)sizeof(T) * N > 16 ? 16 / (int)sizeof(T) : N;
  using Type = Packet<T, count>;
};

// ---- How an operand lies in shared memory -----------------------------------------------------------------------

// What elements of shared memory are made of, and how values become that.
struct FloatElement {
  using Type = float;
  using Compute = float;
  __device__ static inline float convert(float x) { return x; }
};
struct DoubleElement {
  using Type = double;
  using Compute = double;
  __device__ static inline double convert(double x) { return x; }
};
// Integers of either sign: sums and products that wrap have the same bits.
struct WordElement {
  using Type = unsigned;
  using Compute = unsigned;
  __device__ static inline unsigned convert(unsigned x) { return x; }
};
// float32 rounded to 10 bits of fraction.
struct Tf32Element {
  using Type = unsigned;
  using Compute = float;
  __device__ static inline unsigned convert(float x) { return toTf32(x); }
};
struct BFloat16Element {
  using Type = unsigned short;
  using Compute = float;
  __device__ static inline unsigned short convert(float x) { return toBFloat16(x); }
};
struct Float16Element {
  using Type = unsigned short;
  using Compute = float;
  __device__ static inline unsigned short convert(float x) { return toFloat16(x); }
};

// Neighbouring lines are neighbours in memory; PAD elements between one step of k and the next keep banks apart.
template <class E, int LINE_COUNT, int DEPTH_COUNT, int PAD>
struct LinesTile : E {
  using Element = typename E::Type;
  static constexpr int LINES = LINE_COUNT;
  static constexpr int DEPTH = DEPTH_COUNT;
  static constexpr int STRIDE = LINES + PAD;
  static constexpr int ELEMENTS = STRIDE * DEPTH;
  static constexpr bool ALONG_K = false;
  __device__ static inline int at(int line, int k) { return k * STRIDE + line; }
};

// Neighbours along k are neighbours in memory: 64 bytes per line, whose four parts of 16 bytes change places from line to
// line, so that eight lines' parts of the same k lie in different banks.
template <class E, int LINE_COUNT>
struct DepthTile : E {
  using Element = typename E::Type;
  static constexpr int LINES = LINE_COUNT;
  static constexpr int DEPTH = 64 / (int)sizeof(Element);
  static constexpr int PART = 16 / (int)sizeof(Element);
  static constexpr int ELEMENTS = LINES * DEPTH;
  static constexpr bool ALONG_K = true;
  __device__ static inline int at(int line, int k) { return line * DEPTH + ((k / PART) ^ (line / 2 & 3)) * PART + k % PART; }
};

// WIDTH elements along k (DepthTile) or along lines (LinesTile) from a place that is a multiple of WIDTH.
template <class Tile, int WIDTH>
__device__ inline void putNeighbours(typename Tile::Element* tile, int line, int k, const Vec<typename Tile::Element, WIDTH>& values) {
  using P = PacketOf<typename Tile::Element, WIDTH>;
#pragma unroll
  for (int first = 0; first < WIDTH; first += P::count) {
    typename P::Type packet;
#pragma unroll
    for (int i = 0; i < P::count; i++) packet.v[i] = values.v[first + i];
    const int at = Tile::ALONG_K ? Tile::at(line, k + first) : Tile::at(line + first, k);
    *reinterpret_cast<typename P::Type*>(tile + at) = packet;
  }
}

// ---- Which elements of a tile a thread brings --------------------------------------------------------------------

// Groups of WIDTH neighbours, along k or along lines, ITEMS of them per thread. Threads of a warp lie along global memory,
// for as many bytes as one transaction moves at least; and so that what they put into shared memory meets few banks twice.
template <class Tile, bool FETCH_ALONG_K, int WIDTH, int THREADS>
struct Share {
  static constexpr int GROUPS = Tile::LINES * Tile::DEPTH / WIDTH;
  static constexpr int ITEMS = (GROUPS + THREADS - 1) / THREADS;
  // Where k turns from neighbours to rows on its way, 32 bytes of each line at a time.
  static constexpr int ALL = Tile::DEPTH / WIDTH;
  static constexpr int FEW = 8 / WIDTH < 1 ? 1 : 8 / WIDTH < ALL ? 8 / WIDTH : ALL;
  static constexpr int FAST = Tile::ALONG_K ? ALL : FEW;
  static constexpr int LINE_GROUPS = Tile::LINES / WIDTH;

  // Whether item i of this thread is one at all: always, where the tile divides evenly.
  __device__ static inline bool exists(int i) { return GROUPS % THREADS == 0 || i * THREADS + (int)threadIdx.x < GROUPS; }
  __device__ static inline int line(int i) {
    const int index = i * THREADS + (int)threadIdx.x;
    return FETCH_ALONG_K ? index / FAST % Tile::LINES : index % LINE_GROUPS * WIDTH;
  }
  __device__ static inline int k(int i) {
    const int index = i * THREADS + (int)threadIdx.x;
    return FETCH_ALONG_K ? (index / (FAST * Tile::LINES) * FAST + index % FAST) * WIDTH : index / LINE_GROUPS;
  }
};

// A matrix with strides. `Source`: dtype of its elements. With WIDTH > 1 neighbours (along k or along lines) lie side by
// side, aligned, and the sizes in that direction are multiples of WIDTH.
template <class Tile, class Source, bool FETCH_ALONG_K, int WIDTH, int THREADS, class Index, Index LINE_STRIDE, Index K_STRIDE>
struct StridedLoader {
  using Storage = typename Source::Storage;
  using Shares = Share<Tile, FETCH_ALONG_K, WIDTH, THREADS>;
  const Storage* from;
  // Steps of k from this fetch to the end.
  int left;
  Index offsets[Shares::ITEMS];
  Packet<Storage, WIDTH> fetched[Shares::ITEMS];

  // `first`: element of the tile's first line and of its first k. `lines`: how many there are from there on.
  __device__ inline StridedLoader(const Storage* first, int lines, int depth) : from(first), left(depth) {
#pragma unroll
    for (int i = 0; i < Shares::ITEMS; i++) {
      const int line = Shares::line(i);
      offsets[i] = (line < lines ? line : 0) * LINE_STRIDE + Shares::k(i) * K_STRIDE;
    }
  }

  __device__ inline void fetch() {
#pragma unroll
    for (int i = 0; i < Shares::ITEMS; i++) {
      if (Shares::exists(i) && Shares::k(i) < left) {
        fetched[i] = *reinterpret_cast<const Packet<Storage, WIDTH>*>(from + offsets[i]);
      } else {
#pragma unroll
        for (int j = 0; j < WIDTH; j++) fetched[i].v[j] = 0;
      }
    }
    from += Tile::DEPTH * K_STRIDE;
    left -= Tile::DEPTH;
  }

  __device__ inline void place(typename Tile::Element* tile) const {
#pragma unroll
    for (int i = 0; i < Shares::ITEMS; i++) {
      if (!Shares::exists(i)) continue;
      const int line = Shares::line(i), k = Shares::k(i);
      Vec<typename Tile::Element, WIDTH> values;
#pragma unroll
      for (int j = 0; j < WIDTH; j++) values.v[j] = Tile::convert((typename Tile::Compute)Source::decode(fetched[i].v[j]));
      if (FETCH_ALONG_K == Tile::ALONG_K) {
        putNeighbours<Tile, WIDTH>(tile, line, k, values);
      } else {
#pragma unroll
        for (int j = 0; j < WIDTH; j++) tile[FETCH_ALONG_K ? Tile::at(line, k + j) : Tile::at(line + j, k)] = values.v[j];
      }
    }
  }
};

// ---- Multiplying --------------------------------------------------------------------------------------------------

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

// Adds `steps` tiles of k (DEPTH each) to the core's sums. The memory that the next tile comes from is waited for while
// this one is multiplied; two tiles in shared memory, so that one barrier per tile is enough.
template <class Core, class LoaderA, class LoaderB>
__device__ inline void multiplyTiles(Core& core, LoaderA& a, LoaderB& b, int steps, unsigned char* shared) {
  using Element = typename Core::Element;
  constexpr int TILES = Core::TileA::ELEMENTS + Core::TileB::ELEMENTS;
  Element* const tiles = reinterpret_cast<Element*>(shared);
  if (steps <= 0) return;
  a.fetch();
  b.fetch();
  a.place(tiles);
  b.place(tiles + Core::TileA::ELEMENTS);
  __syncthreads();
  Element* here = tiles;
  Element* next = tiles + TILES;
#pragma unroll 1
  for (int step = 1; step < steps; step++) {
    a.fetch();
    b.fetch();
    core.multiply(here, here + Core::TileA::ELEMENTS);
    a.place(next);
    b.place(next + Core::TileA::ELEMENTS);
    __syncthreads();
    Element* const other = here;
    here = next;
    next = other;
  }
  core.multiply(here, here + Core::TileA::ELEMENTS);
}

// Where k is divided over `parts` blocks: each leaves its sums in `partials` (of this tile: parts × SUMS × THREADS), and
// the block that comes last, as `ticket` (0 before and after) tells, adds them up in the order of the parts, whoever came
// when. True for that block, whose core then has the whole sums. Every thread of the block gets the same answer.
template <class Core>
__device__ inline bool combineParts(Core& core, typename Core::Accumulator* partials, unsigned* ticket, int part, int parts, unsigned char* shared) {
  constexpr int SIZE = Core::SUMS * Core::THREADS;
  typename Core::Accumulator* const mine = partials + (long long)part * SIZE + threadIdx.x;
#pragma unroll
  for (int i = 0; i < Core::SUMS; i++) mine[i * Core::THREADS] = core.sums[i];
  __threadfence();
  __syncthreads();
  unsigned* const arrived = reinterpret_cast<unsigned*>(shared);
  if (threadIdx.x == 0) *arrived = atomicAdd(ticket, 1u);
  __syncthreads();
  const bool last = *arrived == (unsigned)parts - 1;
  if (!last) return false;
  if (threadIdx.x == 0) *ticket = 0;
  __threadfence();
  // Volatile: read from where all multiprocessors see the same, not from this one's cache.
  const volatile typename Core::Accumulator* from = partials + threadIdx.x;
#pragma unroll
  for (int i = 0; i < Core::SUMS; i++) core.sums[i] = from[i * Core::THREADS];
#pragma unroll 1
  for (int p = 1; p < parts; p++) {
    from += SIZE;
#pragma unroll
    for (int i = 0; i < Core::SUMS; i++) core.sums[i] += from[i * Core::THREADS];
  }
  return true;
}

// Calls then(row, column, sums) for the places of the tile with row < rows and column < columns, by way of shared memory:
// neighbouring threads have neighbouring columns, WIDTH for each, and the code of `then` stands here but once. Columns
// from `columns` on may be among the WIDTH. `then` has no barriers and no shuffles. The product is done: `shared` is reused.
template <int WIDTH, int UNROLL, class Core, class Then>
__device__ inline void eachSum(const Core& core, unsigned char* shared, int rows, int columns, Then then) {
  using Accumulator = typename Core::Accumulator;
  using P = PacketOf<Accumulator, WIDTH>;
  constexpr int GROUPS = Core::BN / WIDTH;
  Accumulator* const staged = reinterpret_cast<Accumulator*>(shared);
#pragma unroll 1
  for (int part = 0; part < Core::PARTS; part++) {
    __syncthreads();
    core.stage(part, staged);
    __syncthreads();
#pragma unroll UNROLL
    for (int index = threadIdx.x; index < Core::PART_ROWS * GROUPS; index += Core::THREADS) {
      const int stagedRow = index / GROUPS, column = index % GROUPS * WIDTH;
      const int row = (stagedRow / Core::GROUP_ROWS * Core::PARTS + part) * Core::GROUP_ROWS + stagedRow % Core::GROUP_ROWS;
      if (row >= rows || column >= columns) continue;
      Vec<Accumulator, WIDTH> sums;
#pragma unroll
      for (int first = 0; first < WIDTH; first += P::count) {
        const typename P::Type packet =
            *reinterpret_cast<const typename P::Type*>(staged + stagedRow * Core::STAGE_STRIDE + column + first);
#pragma unroll
        for (int i = 0; i < P::count; i++) sums.v[first + i] = packet.v[i];
      }
      then(row, column, sums);
    }
  }
}

// Tiles in an order in which neighbouring blocks share operands in the cache: bands of eight rows of tiles, column by
// column.
__device__ inline void tileAt(int index, int tilesM, int tilesN, int& tileM, int& tileN) {
  constexpr int BAND = 8;
  const int band = index / (BAND * tilesN), rest = index % (BAND * tilesN);
  const int height = tilesM - band * BAND < BAND ? tilesM - band * BAND : BAND;
  tileM = band * BAND + rest % height;
  tileN = rest / height;
}
