// How the operands of a convolution are read as matrices (see tile.cuh). One operand is gathered: its element for a pixel and
// a tap of a channel lies where the window at that pixel meets the image, or is 0 where it meets the padding.
#pragma once

#include "tile.cuh"

// Where windows meet the images: along each axis pixel · PIXEL + tap · TAP + BASE, if that is inside the image.
// COUNT_H × COUNT_W pixels, TAPS_H × TAPS_W taps; images of HEIGHT × WIDTH, of which every channel is a whole one.
template <int HEIGHT_, int WIDTH_, int COUNT_H_, int COUNT_W_, int TAPS_H_, int TAPS_W_, int PIXEL_H_, int PIXEL_W_,
          int TAP_H_, int TAP_W_, int BASE_H_, int BASE_W_>
struct Windows {
  static constexpr int HEIGHT = HEIGHT_;
  static constexpr int WIDTH = WIDTH_;
  static constexpr int PLANE = HEIGHT * WIDTH;
  static constexpr int COUNT_H = COUNT_H_;
  static constexpr int COUNT_W = COUNT_W_;
  static constexpr int COUNT = COUNT_H * COUNT_W > 0 ? COUNT_H * COUNT_W : 1;
  static constexpr int TAPS_H = TAPS_H_;
  static constexpr int TAPS_W = TAPS_W_;
  // Never 0, since they are divided by even where there is nothing.
  static constexpr int TAPS = TAPS_H * TAPS_W > 0 ? TAPS_H * TAPS_W : 1;
  static constexpr int ACROSS = TAPS_W > 0 ? TAPS_W : 1;
  static constexpr int PIXEL_H = PIXEL_H_;
  static constexpr int PIXEL_W = PIXEL_W_;
  static constexpr int TAP_H = TAP_H_;
  static constexpr int TAP_W = TAP_W_;
  static constexpr int BASE_H = BASE_H_;
  static constexpr int BASE_W = BASE_W_;
};

// Lies outside of every image, whatever tap is added.
constexpr int beyondImage = -0x40000000;

__device__ inline bool isInside(int y, int x, int height, int width) {
  return (unsigned)y < (unsigned)height && (unsigned)x < (unsigned)width;
}

// Shares of a tile that is fetched along k, as in tile.cuh; a thread's items are of few different k: those from a multiple
// of PER on have the same for PER items, and lines that repeat in each round.
template <class Tile, int WIDTH, int THREADS>
struct DepthShare : Share<Tile, true, WIDTH, THREADS> {
  using Base = Share<Tile, true, WIDTH, THREADS>;
  static constexpr bool ROUNDS = Tile::LINES * Base::FAST % THREADS == 0 && THREADS % Base::FAST == 0;
  static constexpr int PER = ROUNDS ? Tile::LINES * Base::FAST / THREADS : 1;
  static constexpr int STEPS = Base::ITEMS / PER;
  static_assert(PER * STEPS == Base::ITEMS, "whole rounds");
  // Different lines of a thread.
  static constexpr int OWN = ROUNDS ? PER : Base::ITEMS;
  __device__ static inline int line(int i) {
    return ROUNDS ? i % PER * (THREADS / Base::FAST) + (int)threadIdx.x / Base::FAST : Base::line(i);
  }
  __device__ static inline int k(int i) {
    return ROUNDS ? (i / PER * Base::FAST + (int)threadIdx.x % Base::FAST) * WIDTH : Base::k(i);
  }
};

// What scalar loaders put into shared memory.
template <class Tile, class Source, class Shares>
__device__ inline void placeScalars(typename Tile::Element* tile, const typename Source::Storage* fetched) {
#pragma unroll
  for (int i = 0; i < Shares::ITEMS; i++) {
    if (Shares::exists(i))
      tile[Tile::at(Shares::line(i), Shares::k(i))] = elementFrom<Tile, Source>(fetched[i]);
  }
}

// Lines are pixels of all images, k is channel and tap. `IMAGE`: elements from one image to the next.
template <class Tile, class Source, class W, int THREADS, class Index, Index IMAGE>
struct WindowLoader {
  using Storage = typename Source::Storage;
  using Shares = Share<Tile, false, 1, THREADS>;
  // A thread's items mostly are of one line.
  static constexpr int LINES = THREADS % Tile::LINES == 0 ? 1 : Shares::ITEMS;
  const Storage* from;
  int next;
  int end;
  Index offsets[LINES];
  int tops[LINES];
  int lefts[LINES];
  Storage fetched[Shares::ITEMS];

  // `group`: the first channel of the first image. `pixel`: of the first line, `pixels`: all there are.
  __device__ inline WindowLoader(const Storage* group, int pixel, int pixels, int firstK, int endK)
      : from(group), next(firstK), end(endK) {
#pragma unroll
    for (int i = 0; i < LINES; i++) {
      const int own = pixel + Shares::line(i);
      const int image = own / W::COUNT, place = own % W::COUNT;
      tops[i] = own < pixels ? place / W::COUNT_W * W::PIXEL_H + W::BASE_H : beyondImage;
      lefts[i] = place % W::COUNT_W * W::PIXEL_W + W::BASE_W;
      offsets[i] = own < pixels ? image * IMAGE + tops[i] * W::WIDTH + lefts[i] : 0;
    }
  }

  __device__ inline void fetch() {
#pragma unroll
    for (int i = 0; i < Shares::ITEMS; i++) {
      const unsigned k = next + Shares::k(i);
      const unsigned channel = k / W::TAPS, tap = k % W::TAPS;
      const int down = tap / W::ACROSS, right = tap % W::ACROSS;
      constexpr int last = LINES - 1;
      const int line = i < last ? i : last;
      const bool inside = Shares::exists(i) && (int)k < end &&
                          isInside(tops[line] + down * W::TAP_H, lefts[line] + right * W::TAP_W, W::HEIGHT, W::WIDTH);
      fetched[i] = 0;
      if (inside)
        fetched[i] = from[offsets[line] + (Index)channel * W::PLANE + down * (W::TAP_H * W::WIDTH) + right * W::TAP_W];
    }
    next += Tile::DEPTH;
  }

  __device__ inline void place(typename Tile::Element* tile) const { placeScalars<Tile, Source, Shares>(tile, fetched); }
};

// The same with k in another order: a tile's steps are channels of one tap, tile after tile goes through all taps, then come
// the next channels. Where the tap lies, and whether a window meets the image there, is thus the same for a whole tile. There
// are CHANNELS of them; in the last tiles of every tap those that are missing count as 0.
template <class Tile, class Source, class W, int THREADS, class Index, Index IMAGE, int CHANNELS>
struct TapLoader {
  using Storage = typename Source::Storage;
  using Shares = Share<Tile, false, 1, THREADS>;
  static constexpr int LINES = THREADS % Tile::LINES == 0 ? 1 : Shares::ITEMS;
  const Storage* from;
  int channel;
  int down;
  int right;
  Index offsets[LINES];
  int tops[LINES];
  int lefts[LINES];
  Storage fetched[Shares::ITEMS];

  // As WindowLoader; `tile`: how many tiles of k come before.
  __device__ inline TapLoader(const Storage* group, int pixel, int pixels, int tile)
      : from(group),
        channel(tile / W::TAPS * Tile::DEPTH),
        down(tile % W::TAPS / W::ACROSS),
        right(tile % W::TAPS % W::ACROSS) {
#pragma unroll
    for (int i = 0; i < LINES; i++) {
      const int own = pixel + Shares::line(i);
      const int image = own / W::COUNT, place = own % W::COUNT;
      tops[i] = own < pixels ? place / W::COUNT_W * W::PIXEL_H + W::BASE_H : beyondImage;
      lefts[i] = place % W::COUNT_W * W::PIXEL_W + W::BASE_W;
      offsets[i] = own < pixels ? image * IMAGE + tops[i] * W::WIDTH + lefts[i] : 0;
    }
  }

  __device__ inline void fetch() {
    const Index tap = (Index)channel * W::PLANE + down * (W::TAP_H * W::WIDTH) + right * W::TAP_W;
#pragma unroll
    for (int i = 0; i < Shares::ITEMS; i++) {
      constexpr int last = LINES - 1;
      const int line = i < last ? i : last;
      const bool inside = isInside(tops[line] + down * W::TAP_H, lefts[line] + right * W::TAP_W, W::HEIGHT, W::WIDTH);
      const bool exists = Shares::exists(i) && (CHANNELS % Tile::DEPTH == 0 || channel + Shares::k(i) < CHANNELS);
      fetched[i] = 0;
      if (inside && exists) fetched[i] = from[offsets[line] + tap + (Index)Shares::k(i) * W::PLANE];
    }
    if (++right == W::ACROSS) {
      right = 0;
      if (++down == W::TAPS_H) {
        down = 0;
        channel += Tile::DEPTH;
      }
    }
  }

  __device__ inline void place(typename Tile::Element* tile) const { placeScalars<Tile, Source, Shares>(tile, fetched); }
};

// The weight as the gradient of the input meets it: lines are its input channels, k is output channel and tap. Of the
// kernel's taps those at FIRST + tap_h · STEP_H + tap_w · STEP_W. `PLANE`: taps of a channel; `CHANNELS`: of a group.
template <class Tile, class Source, class W, int THREADS, int CHANNELS, int PLANE, int FIRST, int STEP_H, int STEP_W>
struct FilterLoader {
  using Storage = typename Source::Storage;
  using Shares = DepthShare<Tile, 1, THREADS>;
  const Storage* from;
  int next;
  int end;
  int lines;
  Storage fetched[Shares::ITEMS];

  // `first`: the weight of the tile's first channel, of the group's first output channel.
  __device__ inline FilterLoader(const Storage* first, int count, int firstK, int endK)
      : from(first), next(firstK), end(endK), lines(count) {}

  __device__ inline void fetch() {
#pragma unroll
    for (int step = 0; step < Shares::STEPS; step++) {
      const unsigned k = next + Shares::k(step * Shares::PER);
      const unsigned channel = k / W::TAPS, tap = k % W::TAPS;
      const int at = (int)channel * (CHANNELS * PLANE) + FIRST + (int)(tap / W::ACROSS) * STEP_H + (int)(tap % W::ACROSS) * STEP_W;
#pragma unroll
      for (int i = 0; i < Shares::PER; i++) {
        const int line = Shares::line(step * Shares::PER + i);
        Storage& item = fetched[step * Shares::PER + i];
        item = 0;
        if (Shares::exists(step * Shares::PER + i) && (int)k < end && line < lines) item = from[at + line * PLANE];
      }
    }
    next += Tile::DEPTH;
  }

  __device__ inline void place(typename Tile::Element* tile) const { placeScalars<Tile, Source, Shares>(tile, fetched); }
};

// Lines are channels, k are pixels of all images: NEIGHBOURS of them at once where planes are multiples of that.
template <class Tile, class Source, int NEIGHBOURS, int THREADS, class Index, int PLANE, Index IMAGE>
struct PlaneLoader {
  using Storage = typename Source::Storage;
  using Shares = DepthShare<Tile, NEIGHBOURS, THREADS>;
  const Storage* from;
  int next;
  int end;
  int lines;
  Packet<Storage, NEIGHBOURS> fetched[Shares::ITEMS];

  // `first`: the tile's first channel in the first image.
  __device__ inline PlaneLoader(const Storage* first, int count, int firstK, int endK)
      : from(first), next(firstK), end(endK), lines(count) {}

  __device__ inline void fetch() {
#pragma unroll
    for (int step = 0; step < Shares::STEPS; step++) {
      const int k = next + Shares::k(step * Shares::PER);
      const Index at = (Index)((unsigned)k / PLANE) * (IMAGE - PLANE) + k;
#pragma unroll
      for (int i = 0; i < Shares::PER; i++) {
        const int line = Shares::line(step * Shares::PER + i);
        Packet<Storage, NEIGHBOURS>& item = fetched[step * Shares::PER + i];
        if (Shares::exists(step * Shares::PER + i) && k < end && line < lines) {
          item = *reinterpret_cast<const Packet<Storage, NEIGHBOURS>*>(from + at + (Index)line * PLANE);
        } else {
#pragma unroll
          for (int j = 0; j < NEIGHBOURS; j++) item.v[j] = 0;
        }
      }
    }
    next += Tile::DEPTH;
  }

  __device__ inline void place(typename Tile::Element* tile) const {
#pragma unroll
    for (int i = 0; i < Shares::ITEMS; i++) {
      if (!Shares::exists(i)) continue;
      const int line = Shares::line(i), k = Shares::k(i);
      Vec<typename Tile::Element, NEIGHBOURS> values;
#pragma unroll
      for (int j = 0; j < NEIGHBOURS; j++) values.v[j] = elementFrom<Tile, Source>(fetched[i].v[j]);
      if (Tile::ALONG_K) {
        putNeighbours<Tile, NEIGHBOURS>(tile, line, k, values);
      } else {
#pragma unroll
        for (int j = 0; j < NEIGHBOURS; j++) tile[Tile::at(line, k + j)] = values.v[j];
      }
    }
  }
};

// Lines are channels and taps, k are pixels of all images.
template <class Tile, class Source, class W, int THREADS, class Index, Index IMAGE>
struct PatchLoader {
  using Storage = typename Source::Storage;
  using Shares = DepthShare<Tile, 1, THREADS>;
  const Storage* from;
  int next;
  int end;
  Index offsets[Shares::OWN];
  int downs[Shares::OWN];
  int rights[Shares::OWN];
  Storage fetched[Shares::ITEMS];

  // `group`: the group's first channel in the first image. `first`: channel and tap of the tile's first line.
  __device__ inline PatchLoader(const Storage* group, int first, int lines, int firstK, int endK)
      : from(group), next(firstK), end(endK) {
#pragma unroll
    for (int i = 0; i < Shares::OWN; i++) {
      const unsigned line = first + Shares::line(i);
      const int channel = line / W::TAPS, tap = line % W::TAPS;
      downs[i] = Shares::line(i) < lines ? tap / W::ACROSS * W::TAP_H + W::BASE_H : beyondImage;
      rights[i] = tap % W::ACROSS * W::TAP_W + W::BASE_W;
      offsets[i] = Shares::line(i) < lines ? (Index)channel * W::PLANE + downs[i] * W::WIDTH + rights[i] : 0;
    }
  }

  __device__ inline void fetch() {
#pragma unroll
    for (int step = 0; step < Shares::STEPS; step++) {
      const unsigned k = next + Shares::k(step * Shares::PER);
      const int image = k / W::COUNT, pixel = k % W::COUNT;
      const int top = pixel / W::COUNT_W * W::PIXEL_H, left = pixel % W::COUNT_W * W::PIXEL_W;
      const Index at = image * IMAGE + top * W::WIDTH + left;
#pragma unroll
      for (int i = 0; i < Shares::PER; i++) {
        Storage& item = fetched[step * Shares::PER + i];
        const int own = Shares::ROUNDS ? i : step;
        item = 0;
        if (Shares::exists(step * Shares::PER + i) && (int)k < end &&
            isInside(top + downs[own], left + rights[own], W::HEIGHT, W::WIDTH))
          item = from[offsets[own] + at];
      }
    }
    next += Tile::DEPTH;
  }

  __device__ inline void place(typename Tile::Element* tile) const { placeScalars<Tile, Source, Shares>(tile, fetched); }
};
