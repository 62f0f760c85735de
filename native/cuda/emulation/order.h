// In which order blocks, warps and lanes run: forward, or another that uncovers kernels which rely on it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <numeric>

namespace emulation {

// THALWEG_CUDA_EMULATION_ORDER: `forward`, `reverse`, or `shuffled`, which another launch shuffles otherwise.
class Order {
 public:
  void begin(uint64_t blocks) {
    const char* name = getenv("THALWEG_CUDA_EMULATION_ORDER");
    kind = name == nullptr ? forward : strcmp(name, "reverse") == 0 ? reverse : strcmp(name, "shuffled") == 0 ? shuffled : forward;
    count = blocks;
    if (kind != shuffled) return;
    start = next() % count;
    step = next() % count | 1;
    while (std::gcd(step, count) != 1) step += 2;
  }

  uint64_t block(uint64_t position) const {
    if (kind == forward) return position;
    if (kind == reverse) return count - 1 - position;
    return uint64_t((static_cast<unsigned __int128>(position) * step + start) % count);
  }

  // One of the warps that are ready: that which ran last, if it can, since its stacks are in the cache.
  uint32_t warp(uint32_t ready, uint32_t own) {
    if (kind == shuffled) return any(ready);
    if (own < 32 && (ready >> own & 1) != 0) return own;
    return lane(ready);
  }

  uint32_t lane(uint32_t ready) {
    if (kind == forward) return uint32_t(__builtin_ctz(ready));
    return kind == reverse ? 31 - uint32_t(__builtin_clz(ready)) : any(ready);
  }

 private:
  uint32_t any(uint32_t bits) {
    const uint32_t turn = uint32_t(next()) & 31;
    const uint32_t turned = bits >> turn | bits << (-turn & 31);
    return (uint32_t(__builtin_ctz(turned)) + turn) & 31;
  }

  uint64_t next() {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
  }

  enum { forward, reverse, shuffled } kind = forward;
  uint64_t count = 1;
  uint64_t start = 0;
  uint64_t step = 1;
  uint64_t seed = 0x9e3779b97f4a7c15u;
};

}  // namespace emulation
