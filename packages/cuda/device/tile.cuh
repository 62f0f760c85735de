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

#include "tileCore.cuh"
#include "tileOperand.cuh"

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
