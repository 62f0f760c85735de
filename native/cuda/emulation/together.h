// Barriers, shuffles, ballots and gathers: a thread that comes waits, and the last to come works out what each gets.
#pragma once

#include <cstring>

#include "failure.h"
#include "multiprocessor.h"

namespace emulation {

inline int Multiprocessor::barrier(int vote, int predicate) {
  static const char* const names[] = {"__syncthreads", "__syncthreads_or", "__syncthreads_and", "__syncthreads_count"};
  if (waitingAtBarrier == 0) {
    barrierVote = vote;
    barrierPredicates = 0;
  } else if (vote != barrierVote) {
    fail(emulationFailed, "reaches %s while others wait at %s", names[vote], names[barrierVote]);
  }
  waitingAtBarrier++;
  barrierPredicates += predicate != 0;
  warps[current >> 5].atBarrier |= 1u << (current & 31);
  wait();
  return barrierResult;
}

inline void Multiprocessor::releaseBarrier() {
  barrierResult = barrierVote == 1   ? barrierPredicates != 0
                  : barrierVote == 2 ? barrierPredicates == threadCount
                  : barrierVote == 3 ? int(barrierPredicates)
                                     : 0;
  waitingAtBarrier = 0;
  for (uint32_t warp = 0; warp < warpCount; warp++) {
    warps[warp].ready = warps[warp].existing;
    warps[warp].atBarrier = 0;
  }
  readyWarps = warpCount == 32 ? 0xffffffffu : (1u << warpCount) - 1;
}

// Waits for all lanes of the mask to come with the same kind and mask. The last to come works out what each gets.
inline void Multiprocessor::meet(Together kind, uint32_t mask, uint64_t bits, int source) {
  const uint32_t first = uint32_t(current) & ~31u;
  const uint32_t lane = uint32_t(current) & 31;
  Warp& warp = warps[current >> 5];
  if ((mask >> lane & 1) == 0) fail(emulationFailed, "calls %s whose mask 0x%08x leaves it out", nameOf(kind), mask);
  mask &= warp.existing;
  Thread& self = threads[current];
  self.together = kind;
  self.mask = mask;
  self.bits = bits;
  self.source = source;
  warp.together |= 1u << lane;

  bool complete = (warp.together & mask) == mask;
  for (uint32_t rest = mask; complete && rest != 0; rest &= rest - 1) {
    const Thread& other = threads[first + uint32_t(__builtin_ctz(rest))];
    complete = other.together == kind && other.mask == mask;
  }
  if (!complete) {
    wait();
    return;
  }

  if (kind == Together::shuffle) {
    uint64_t given[32];
    for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
      const uint32_t from = uint32_t(__builtin_ctz(rest));
      given[from] = threads[first + from].bits;
    }
    for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
      Thread& to = threads[first + uint32_t(__builtin_ctz(rest))];
      const uint32_t from = uint32_t(to.source) & 31;
      // Of a lane that takes no part, what comes is undefined.
      to.bits = (mask >> from & 1) != 0 ? given[from] : ~uint64_t(0);
    }
  } else if (kind == Together::ballot) {
    uint32_t votes = 0;
    for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
      const uint32_t from = uint32_t(__builtin_ctz(rest));
      votes |= uint32_t(threads[first + from].bits) << from;
    }
    for (uint32_t rest = mask; rest != 0; rest &= rest - 1) threads[first + uint32_t(__builtin_ctz(rest))].bits = votes;
  } else {
    warp.gathers++;
  }
  warp.together &= ~mask;
  const uint32_t others = mask & ~(1u << lane);
  warp.ready |= others;
  if (others != 0) readyWarps |= 1u << (current >> 5);
}

inline uint64_t Multiprocessor::shuffle(uint32_t mask, uint64_t bits, int source) {
  meet(Together::shuffle, mask, bits, source);
  return threads[current].bits;
}

inline uint32_t Multiprocessor::ballot(uint32_t mask, int predicate) {
  meet(Together::ballot, mask, predicate != 0 ? 1 : 0, 0);
  return uint32_t(threads[current].bits);
}

inline const void* Multiprocessor::gather(const void* value, uint32_t bytes) {
  const uint32_t warp = uint32_t(current) >> 5;
  // Three in turn: a lane may still read those of its last gather and of the one before.
  unsigned char* all = gathered.get() + (size_t(warp) * 3 + warps[warp].gathers % 3) * 32 * gatherBytes;
  memcpy(all + (uint32_t(current) & 31) * bytes, value, bytes);
  meet(Together::gather, 0xffffffffu, 0, 0);
  return all;
}

}  // namespace emulation
