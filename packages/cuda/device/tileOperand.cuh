// Operands of products by tiles (tile.cuh): how they lie in shared memory, and how threads bring them there.
#pragma once

#include "mma.cuh"
#include "storage.cuh"

// As many of `N` neighbours as one instruction moves.
template <class T, int N>
struct PacketOf {
  static constexpr int count = (int)sizeof(T) * N > 16 ? 16 / (int)sizeof(T) : N;
  using Type = Packet<T, count>;
};

// What elements of shared memory are made of, and how values become that. `Plain`: elements that lie in global memory as
// they will lie in shared memory.
struct FloatElement {
  using Type = float;
  using Plain = Float32;
  using Compute = float;
  __device__ static inline float convert(float x) { return x; }
};
struct DoubleElement {
  using Type = double;
  using Plain = Float64;
  using Compute = double;
  __device__ static inline double convert(double x) { return x; }
};
// Integers of either sign: sums and products that wrap have the same bits.
struct WordElement {
  using Type = unsigned;
  using Plain = UInt32;
  using Compute = unsigned;
  __device__ static inline unsigned convert(unsigned x) { return x; }
};
// float32 rounded to 10 bits of fraction.
struct Tf32Element {
  using Type = unsigned;
  using Plain = void;
  using Compute = float;
  __device__ static inline unsigned convert(float x) { return toTf32(x); }
};
struct BFloat16Element {
  using Type = unsigned short;
  using Plain = BFloat16;
  using Compute = float;
  __device__ static inline unsigned short convert(float x) { return toBFloat16(x); }
};
struct Float16Element {
  using Type = unsigned short;
  using Plain = Float16;
  using Compute = float;
  __device__ static inline unsigned short convert(float x) { return toFloat16(x); }
};

template <class A, class B>
constexpr bool sameType = false;
template <class A>
constexpr bool sameType<A, A> = true;

// An element of shared memory from one of global memory.
template <class Tile, class Source>
__device__ inline typename Tile::Element elementFrom(typename Source::Storage stored) {
  if constexpr (sameType<typename Tile::Plain, Source>) return stored;
  else return Tile::convert((typename Tile::Compute)Source::decode(stored));
}

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
      for (int j = 0; j < WIDTH; j++) values.v[j] = elementFrom<Tile, Source>(fetched[i].v[j]);
      if (FETCH_ALONG_K == Tile::ALONG_K) {
        putNeighbours<Tile, WIDTH>(tile, line, k, values);
      } else {
#pragma unroll
        for (int j = 0; j < WIDTH; j++) tile[FETCH_ALONG_K ? Tile::at(line, k + j) : Tile::at(line + j, k)] = values.v[j];
      }
    }
  }
};
