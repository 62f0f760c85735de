// Device code as plain C++: g++ includes this before a kernel's text (`-include emulation.h -DTHALWEG_EMULATION`), which then finds
// what NVRTC knows by itself: keywords, built-in variables, vectors, barriers, shuffles, atomics, mathematics. Every Program's
// kernels are compiled with it, so it includes no standard header.
#pragma once

#include "state.h"

// ---- keywords ----

#define __global__ __attribute__((visibility("default")))
#define __device__
#define __host__
#define __shared__ static
#define __constant__
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
// Empty, so that `__attribute__((__noinline__))` of standard headers stays valid.
#define __noinline__
#define __align__(bytes) __attribute__((aligned(bytes)))
#define DYNAMIC_SHARED(name) unsigned char* name = thalwegEmulationState.dynamicShared

typedef __SIZE_TYPE__ size_t;

// ---- built-in variables ----

#ifdef THALWEG_EMULATION_MODULE
extern "C" __attribute__((visibility("hidden"))) unsigned char __bss_start[], _end[];
#define THALWEG_STATIC_SHARED __bss_start, _end
#else
#define THALWEG_STATIC_SHARED nullptr, nullptr
#endif

// Weak, so that several texts of one program share it; in .data, so that it is no part of the static shared memory.
__attribute__((weak, visibility("hidden"), section(".data.thalweg"))) EmulationState thalwegEmulationState = {
    {}, 0, {}, {}, {}, nullptr, nullptr, THALWEG_STATIC_SHARED};
// How the runtime finds it.
extern "C" __attribute__((weak, visibility("default"), used)) EmulationState* const thalwegEmulation = &thalwegEmulationState;

static constexpr uint3& threadIdx = thalwegEmulationState.threadIdx;
static constexpr uint3& blockIdx = thalwegEmulationState.blockIdx;
static constexpr dim3& blockDim = thalwegEmulationState.blockDim;
static constexpr dim3& gridDim = thalwegEmulationState.gridDim;
static constexpr int warpSize = 32;

// ---- vectors ----

// Kernels read memory of scalars as vectors of them, which `may_alias` permits.
#define THALWEG_VECTORS(scalar, name, align2, align4)                                                                          \
  struct __attribute__((aligned(align2), may_alias)) name##2 { scalar x, y; };                                                 \
  struct __attribute__((may_alias)) name##3 { scalar x, y, z; };                                                               \
  struct __attribute__((aligned(align4), may_alias)) name##4 { scalar x, y, z, w; };                                           \
  inline name##2 make_##name##2(scalar x, scalar y) { return {x, y}; }                                                         \
  inline name##3 make_##name##3(scalar x, scalar y, scalar z) { return {x, y, z}; }                                            \
  inline name##4 make_##name##4(scalar x, scalar y, scalar z, scalar w) { return {x, y, z, w}; }
THALWEG_VECTORS(float, float, 8, 16)
THALWEG_VECTORS(int, int, 8, 16)
THALWEG_VECTORS(short, short, 4, 8)
THALWEG_VECTORS(unsigned short, ushort, 4, 8)
THALWEG_VECTORS(signed char, char, 2, 4)
THALWEG_VECTORS(unsigned char, uchar, 2, 4)
THALWEG_VECTORS(double, double, 16, 16)
THALWEG_VECTORS(long long, longlong, 16, 16)
THALWEG_VECTORS(unsigned long long, ulonglong, 16, 16)
#undef THALWEG_VECTORS
struct __attribute__((aligned(8), may_alias)) uint2 { unsigned x, y; };
struct __attribute__((aligned(16), may_alias)) uint4 { unsigned x, y, z, w; };
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

// ---- bits ----

template <class To, class From>
inline To thalwegBits(From from) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To to;
  __builtin_memcpy(&to, &from, sizeof(To));
  return to;
}
inline unsigned __float_as_uint(float x) { return thalwegBits<unsigned>(x); }
inline int __float_as_int(float x) { return thalwegBits<int>(x); }
inline float __uint_as_float(unsigned x) { return thalwegBits<float>(x); }
inline float __int_as_float(int x) { return thalwegBits<float>(x); }
inline long long __double_as_longlong(double x) { return thalwegBits<long long>(x); }
inline double __longlong_as_double(long long x) { return thalwegBits<double>(x); }
inline int __double2hiint(double x) { return int(thalwegBits<unsigned long long>(x) >> 32); }
inline int __double2loint(double x) { return int(thalwegBits<unsigned long long>(x)); }
inline double __hiloint2double(int high, int low) {
  return thalwegBits<double>((unsigned long long)(unsigned)high << 32 | (unsigned)low);
}
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(unsigned(x)); }
inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll((unsigned long long)x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
  x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
  x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
  x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
  return __builtin_bswap32(x);
}
inline unsigned long long __brevll(unsigned long long x) {
  return (unsigned long long)__brev(unsigned(x)) << 32 | __brev(unsigned(x >> 32));
}
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
  const unsigned long long bytes = (unsigned long long)y << 32 | x;
  unsigned result = 0;
  for (int i = 0; i < 4; i++) result |= unsigned(bytes >> 8 * (selector >> 4 * i & 7) & 0xff) << 8 * i;
  return result;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
  return unsigned(((unsigned long long)high << 32 | low) << (shift & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return unsigned(((unsigned long long)high << 32 | low) >> (shift & 31));
}

// ---- integers ----

inline unsigned __umulhi(unsigned x, unsigned y) { return unsigned((unsigned long long)x * y >> 32); }
inline int __mulhi(int x, int y) { return int((long long)x * y >> 32); }
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
  return (unsigned long long)((unsigned __int128)x * y >> 64);
}
inline long long __mul64hi(long long x, long long y) { return (long long)((__int128)x * y >> 64); }
inline int __mul24(int x, int y) { return (x << 8 >> 8) * (y << 8 >> 8); }
inline unsigned __umul24(unsigned x, unsigned y) { return (x & 0xffffffu) * (y & 0xffffffu); }
#define THALWEG_MIN_MAX(left, right, result)                                                       \
  inline result min(left a, right b) { return (result)a < (result)b ? (result)a : (result)b; }     \
  inline result max(left a, right b) { return (result)a > (result)b ? (result)a : (result)b; }
THALWEG_MIN_MAX(int, int, int)
THALWEG_MIN_MAX(unsigned, unsigned, unsigned)
THALWEG_MIN_MAX(int, unsigned, unsigned)
THALWEG_MIN_MAX(unsigned, int, unsigned)
THALWEG_MIN_MAX(long, long, long)
THALWEG_MIN_MAX(unsigned long, unsigned long, unsigned long)
THALWEG_MIN_MAX(long long, long long, long long)
THALWEG_MIN_MAX(unsigned long long, unsigned long long, unsigned long long)
THALWEG_MIN_MAX(long long, unsigned long long, unsigned long long)
THALWEG_MIN_MAX(unsigned long long, long long, unsigned long long)
#undef THALWEG_MIN_MAX
inline unsigned umin(unsigned a, unsigned b) { return a < b ? a : b; }
inline unsigned umax(unsigned a, unsigned b) { return a > b ? a : b; }

// ---- mathematics ----

#define THALWEG_UNARY(name)                                      \
  extern "C" double name(double) noexcept;                       \
  extern "C" float name##f(float) noexcept;
#define THALWEG_BINARY(name)                                     \
  extern "C" double name(double, double) noexcept;               \
  extern "C" float name##f(float, float) noexcept;
THALWEG_UNARY(exp) THALWEG_UNARY(exp2) THALWEG_UNARY(expm1) THALWEG_UNARY(log) THALWEG_UNARY(log2) THALWEG_UNARY(log10)
THALWEG_UNARY(log1p) THALWEG_UNARY(sin) THALWEG_UNARY(cos) THALWEG_UNARY(tan) THALWEG_UNARY(asin) THALWEG_UNARY(acos)
THALWEG_UNARY(atan) THALWEG_UNARY(sinh) THALWEG_UNARY(cosh) THALWEG_UNARY(tanh) THALWEG_UNARY(asinh) THALWEG_UNARY(acosh)
THALWEG_UNARY(atanh) THALWEG_UNARY(erf) THALWEG_UNARY(erfc) THALWEG_UNARY(tgamma) THALWEG_UNARY(lgamma) THALWEG_UNARY(sqrt)
THALWEG_UNARY(cbrt) THALWEG_UNARY(floor) THALWEG_UNARY(ceil) THALWEG_UNARY(rint) THALWEG_UNARY(nearbyint) THALWEG_UNARY(round)
THALWEG_UNARY(trunc) THALWEG_UNARY(fabs) THALWEG_UNARY(logb)
THALWEG_BINARY(pow) THALWEG_BINARY(fmod) THALWEG_BINARY(remainder) THALWEG_BINARY(fmin) THALWEG_BINARY(fmax)
THALWEG_BINARY(copysign) THALWEG_BINARY(atan2) THALWEG_BINARY(hypot) THALWEG_BINARY(fdim) THALWEG_BINARY(nextafter)
#undef THALWEG_UNARY
#undef THALWEG_BINARY
extern "C" double fma(double, double, double) noexcept;
extern "C" float fmaf(float, float, float) noexcept;
extern "C" double ldexp(double, int) noexcept;
extern "C" float ldexpf(float, int) noexcept;
extern "C" double scalbn(double, int) noexcept;
extern "C" float scalbnf(float, int) noexcept;
extern "C" double frexp(double, int*) noexcept;
extern "C" float frexpf(float, int*) noexcept;
extern "C" double modf(double, double*) noexcept;
extern "C" float modff(float, float*) noexcept;
extern "C" int abs(int) noexcept;
extern "C" long long llabs(long long) noexcept;

inline float rsqrtf(float x) { return 1.0f / __builtin_sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / __builtin_sqrt(x); }
inline float min(float a, float b) { return __builtin_fminf(a, b); }
inline float max(float a, float b) { return __builtin_fmaxf(a, b); }
inline double min(double a, double b) { return __builtin_fmin(a, b); }
inline double max(double a, double b) { return __builtin_fmax(a, b); }
#ifndef isnan
inline bool isnan(float x) { return __builtin_isnan(x); }
inline bool isnan(double x) { return __builtin_isnan(x); }
inline bool isinf(float x) { return __builtin_isinf(x) != 0; }
inline bool isinf(double x) { return __builtin_isinf(x) != 0; }
inline bool isfinite(float x) { return __builtin_isfinite(x); }
inline bool isfinite(double x) { return __builtin_isfinite(x); }
inline bool signbit(float x) { return __builtin_signbit(x) != 0; }
inline bool signbit(double x) { return __builtin_signbit(x) != 0; }
#endif

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return __builtin_sqrtf(a); }
inline float __frsqrt_rn(float a) { return float(1.0 / __builtin_sqrt(double(a))); }
inline float __fdividef(float a, float b) { return a / b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline double __drcp_rn(double a) { return 1.0 / a; }
inline double __dsqrt_rn(double a) { return __builtin_sqrt(a); }
inline float __expf(float x) { return expf(x); }
inline float __exp2f(float x) { return exp2f(x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }

// Conversions of a float on a GPU keep to the range of the integer, and NaN becomes 0.
template <class Integer, class Float>
inline Integer thalwegSaturate(Float x, Integer lowest, Integer highest) {
  if (x != x) return 0;
  if (x >= Float(highest)) return highest;
  return x <= Float(lowest) ? lowest : Integer(x);
}
inline int __float2int_rz(float x) { return thalwegSaturate<int>(x, -2147483647 - 1, 2147483647); }
inline int __float2int_rn(float x) { return __float2int_rz(__builtin_rintf(x)); }
inline int __float2int_rd(float x) { return __float2int_rz(__builtin_floorf(x)); }
inline int __float2int_ru(float x) { return __float2int_rz(__builtin_ceilf(x)); }
inline unsigned __float2uint_rz(float x) { return thalwegSaturate<unsigned>(x, 0u, 4294967295u); }
inline unsigned __float2uint_rn(float x) { return __float2uint_rz(__builtin_rintf(x)); }
inline int __double2int_rz(double x) { return thalwegSaturate<int>(x, -2147483647 - 1, 2147483647); }
inline int __double2int_rn(double x) { return __double2int_rz(__builtin_rint(x)); }
inline unsigned __double2uint_rz(double x) { return thalwegSaturate<unsigned>(x, 0u, 4294967295u); }
inline long long __float2ll_rz(float x) {
  return thalwegSaturate<long long>(x, -9223372036854775807LL - 1, 9223372036854775807LL);
}
inline long long __double2ll_rz(double x) {
  return thalwegSaturate<long long>(x, -9223372036854775807LL - 1, 9223372036854775807LL);
}
inline float __int2float_rn(int x) { return float(x); }
inline float __uint2float_rn(unsigned x) { return float(x); }
inline float __ll2float_rn(long long x) { return float(x); }
inline double __int2double_rn(int x) { return double(x); }
inline float __double2float_rn(double x) { return float(x); }

// ---- barriers and warps ----

inline void thalwegFence() { asm volatile("" ::: "memory"); }
inline int thalwegBarrier(int vote, int predicate) {
  thalwegFence();
  const int result = thalwegEmulationState.runtime->barrier(vote, predicate);
  thalwegFence();
  return result;
}
inline void __syncthreads() { thalwegBarrier(0, 0); }
inline int __syncthreads_or(int predicate) { return thalwegBarrier(1, predicate); }
inline int __syncthreads_and(int predicate) { return thalwegBarrier(2, predicate); }
inline int __syncthreads_count(int predicate) { return thalwegBarrier(3, predicate); }
inline void __threadfence() { thalwegFence(); }
inline void __threadfence_block() { thalwegFence(); }
inline void __threadfence_system() { thalwegFence(); }

inline unsigned __ballot_sync(unsigned mask, int predicate) {
  thalwegFence();
  const unsigned result = thalwegEmulationState.runtime->ballot(mask, predicate);
  thalwegFence();
  return result;
}
inline void __syncwarp(unsigned mask = 0xffffffffu) { __ballot_sync(mask, 0); }
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }
inline unsigned __activemask() { return thalwegEmulationState.runtime->live(); }

inline unsigned long long thalwegShuffle(unsigned mask, unsigned long long bits, int source) {
  return thalwegEmulationState.runtime->shuffle(mask, bits, source);
}
// The lane that each of the four shuffles reads, within segments of `width` lanes; a lane whose source lies outside keeps its own.
inline int thalwegIndexed(int source, int width) {
  const int lane = int(thalwegEmulationState.lane);
  return (lane & ~(width - 1)) | (source & (width - 1));
}
inline int thalwegUp(unsigned delta, int width) {
  const int lane = int(thalwegEmulationState.lane);
  return unsigned(lane & (width - 1)) >= delta ? lane - int(delta) : lane;
}
inline int thalwegDown(unsigned delta, int width) {
  const int lane = int(thalwegEmulationState.lane);
  return unsigned(lane & (width - 1)) + delta < unsigned(width) ? lane + int(delta) : lane;
}
inline int thalwegXor(int bits, int width) {
  const int lane = int(thalwegEmulationState.lane);
  return (lane ^ bits) <= (lane | (width - 1)) ? lane ^ bits : lane;
}
#define THALWEG_SHUFFLES(type, bits)                                                                                      \
  inline type thalwegShuffleOf(unsigned mask, type value, int source) {                                                   \
    return thalwegBits<type>((bits)thalwegShuffle(mask, thalwegBits<bits>(value), source));                               \
  }                                                                                                                       \
  inline type __shfl_sync(unsigned mask, type value, int source, int width = 32) {                                        \
    return thalwegShuffleOf(mask, value, thalwegIndexed(source, width));                                                  \
  }                                                                                                                       \
  inline type __shfl_up_sync(unsigned mask, type value, unsigned delta, int width = 32) {                                 \
    return thalwegShuffleOf(mask, value, thalwegUp(delta, width));                                                        \
  }                                                                                                                       \
  inline type __shfl_down_sync(unsigned mask, type value, unsigned delta, int width = 32) {                               \
    return thalwegShuffleOf(mask, value, thalwegDown(delta, width));                                                      \
  }                                                                                                                       \
  inline type __shfl_xor_sync(unsigned mask, type value, int lanes, int width = 32) {                                     \
    return thalwegShuffleOf(mask, value, thalwegXor(lanes, width));                                                       \
  }
THALWEG_SHUFFLES(int, unsigned)
THALWEG_SHUFFLES(unsigned, unsigned)
THALWEG_SHUFFLES(float, unsigned)
THALWEG_SHUFFLES(double, unsigned long long)
THALWEG_SHUFFLES(long, unsigned long)
THALWEG_SHUFFLES(unsigned long, unsigned long)
THALWEG_SHUFFLES(long long, unsigned long long)
THALWEG_SHUFFLES(unsigned long long, unsigned long long)
#undef THALWEG_SHUFFLES

// All 32 lanes' values (at most 64 bytes each), for the twin of an instruction that a whole warp executes together, such as
// mma: one wait instead of a shuffle per value. Valid until the lane's next but one gather.
template <class Value>
inline const Value* thalwegGather(const Value& value) {
  static_assert(sizeof(Value) <= 64, "at most 64 bytes of a lane");
  return static_cast<const Value*>(thalwegEmulationState.runtime->gather(&value, sizeof(Value)));
}
#define THALWEG_WARP_REDUCE(name, type, expression)                                                          \
  inline type name(unsigned mask, type value) {                                                              \
    bool first = true;                                                                                       \
    type a = value;                                                                                          \
    for (unsigned rest = mask & __activemask(); rest != 0; rest &= rest - 1) {                               \
      const type b = thalwegShuffleOf(mask, value, __builtin_ctz(rest));                                     \
      a = first ? b : type(expression);                                                                      \
      first = false;                                                                                         \
    }                                                                                                        \
    return a;                                                                                                \
  }
THALWEG_WARP_REDUCE(__reduce_add_sync, unsigned, a + b)
THALWEG_WARP_REDUCE(__reduce_min_sync, unsigned, a < b ? a : b)
THALWEG_WARP_REDUCE(__reduce_max_sync, unsigned, a > b ? a : b)
THALWEG_WARP_REDUCE(__reduce_and_sync, unsigned, a & b)
THALWEG_WARP_REDUCE(__reduce_or_sync, unsigned, a | b)
THALWEG_WARP_REDUCE(__reduce_xor_sync, unsigned, a ^ b)
THALWEG_WARP_REDUCE(__reduce_add_sync, int, unsigned(a) + unsigned(b))
THALWEG_WARP_REDUCE(__reduce_min_sync, int, a < b ? a : b)
THALWEG_WARP_REDUCE(__reduce_max_sync, int, a > b ? a : b)
#undef THALWEG_WARP_REDUCE

// ---- memory ----

template <class Value>
inline Value __ldg(const Value* address) { return *address; }
template <class Value>
inline Value __ldcs(const Value* address) { return *address; }
template <class Value>
inline Value __ldcg(const Value* address) { return *address; }
template <class Value>
inline Value __ldca(const Value* address) { return *address; }
template <class Value>
inline void __stcs(Value* address, Value value) { *address = value; }
template <class Value>
inline void __stcg(Value* address, Value value) { *address = value; }
template <class Value>
inline void __stwt(Value* address, Value value) { *address = value; }
extern "C" void* memcpy(void*, const void*, size_t) noexcept;
extern "C" void* memset(void*, int, size_t) noexcept;

// ---- atomics: one thread of a device runs at a time, so nothing comes between the read and the write ----

#define THALWEG_ATOMIC(name, type, expression)           \
  inline type name(type* address, type value) {          \
    thalwegFence();                                      \
    const type old = *address;                           \
    *address = (type)(expression);                       \
    thalwegFence();                                      \
    return old;                                          \
  }
#define THALWEG_ATOMICS(type)                                           \
  THALWEG_ATOMIC(atomicExch, type, value)                               \
  THALWEG_ATOMIC(atomicMax, type, old > value ? old : value)            \
  THALWEG_ATOMIC(atomicMin, type, old < value ? old : value)            \
  THALWEG_ATOMIC(atomicAnd, type, old & value)                          \
  THALWEG_ATOMIC(atomicOr, type, old | value)                           \
  THALWEG_ATOMIC(atomicXor, type, old ^ value)                          \
  inline type atomicCAS(type* address, type expected, type value) {     \
    thalwegFence();                                                     \
    const type old = *address;                                          \
    if (old == expected) *address = value;                              \
    thalwegFence();                                                     \
    return old;                                                         \
  }
THALWEG_ATOMICS(int)
THALWEG_ATOMICS(unsigned)
THALWEG_ATOMICS(long long)
THALWEG_ATOMICS(unsigned long long)
THALWEG_ATOMIC(atomicAdd, int, (unsigned)old + (unsigned)value)
THALWEG_ATOMIC(atomicAdd, unsigned, old + value)
THALWEG_ATOMIC(atomicAdd, unsigned long long, old + value)
THALWEG_ATOMIC(atomicAdd, float, old + value)
THALWEG_ATOMIC(atomicAdd, double, old + value)
THALWEG_ATOMIC(atomicSub, int, (unsigned)old - (unsigned)value)
THALWEG_ATOMIC(atomicSub, unsigned, old - value)
THALWEG_ATOMIC(atomicExch, float, value)
THALWEG_ATOMIC(atomicInc, unsigned, old >= value ? 0 : old + 1)
THALWEG_ATOMIC(atomicDec, unsigned, old == 0 || old > value ? value : old - 1)
#undef THALWEG_ATOMIC
#undef THALWEG_ATOMICS

// ---- the rest ----

extern "C" int printf(const char*, ...);
#define THALWEG_TEXT(x) #x
#define THALWEG_LINE(x) THALWEG_TEXT(x)
#undef assert
#define assert(condition) \
  ((condition) ? (void)0 : thalwegEmulationState.runtime->fail("assertion failed: " #condition " (line " THALWEG_LINE(__LINE__) ")"))
inline void __trap() { thalwegEmulationState.runtime->fail("__trap"); }
inline void __nanosleep(unsigned) { thalwegEmulationState.runtime->yield(); }
#ifdef __x86_64__
inline long long clock64() { return (long long)__builtin_ia32_rdtsc(); }
#else
inline long long clock64() {
  static long long calls = 0;
  return calls += 1000;
}
#endif
#define __builtin_assume(condition) ((void)0)
