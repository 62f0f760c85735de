// How elements lie in memory, and loads and stores of one or of several neighbours.
#pragma once

__device__ inline unsigned bitsOf(float x) { return __float_as_uint(x); }
__device__ inline float asFloat(unsigned bits) { return __uint_as_float(bits); }
__device__ inline double asDouble(unsigned long long bits) { return __longlong_as_double((long long)bits); }

// Bits of the bfloat16 nearest to `x`, ties to even; NaN stays NaN.
__device__ inline unsigned short toBFloat16(float x) {
#ifdef THALWEG_EMULATION
  unsigned bits = bitsOf(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (unsigned short)((bits >> 16) | 0x40u);
  return (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
#else
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
#endif
}

// Two of them, `low` in the low half.
__device__ inline unsigned toBFloat16Pair(float low, float high) {
#ifdef THALWEG_EMULATION
  return toBFloat16(low) | (unsigned)toBFloat16(high) << 16;
#else
  unsigned bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
#endif
}

__device__ inline float fromBFloat16(unsigned short bits) { return asFloat((unsigned)bits << 16); }

// Bits of the IEEE binary16 nearest to `x`, ties to even; NaN stays NaN.
__device__ inline unsigned short toFloat16(float x) {
#ifdef THALWEG_EMULATION
  unsigned bits = bitsOf(x);
  unsigned sign = (bits >> 16) & 0x8000u;
  unsigned magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return (unsigned short)(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return (unsigned short)(sign | 0x7c00u);
  // Subnormal half: adding 0.5 puts its 10 fraction bits in the low bits of the float, rounded by the addition.
  if (magnitude < 0x38800000u) return (unsigned short)(sign | (bitsOf(asFloat(magnitude) + 0.5f) - 0x3f000000u));
  unsigned odd = (magnitude >> 13) & 1u;
  return (unsigned short)(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
#else
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
#endif
}

__device__ inline unsigned toFloat16Pair(float low, float high) {
#ifdef THALWEG_EMULATION
  return toFloat16(low) | (unsigned)toFloat16(high) << 16;
#else
  unsigned bits;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
#endif
}

__device__ inline float fromFloat16(unsigned short bits) {
#ifdef THALWEG_EMULATION
  unsigned sign = (unsigned)(bits & 0x8000u) << 16;
  unsigned exponent = (bits >> 10) & 0x1fu;
  unsigned fraction = bits & 0x3ffu;
  if (exponent == 31u) return asFloat(sign | 0x7f800000u | (fraction ? 0x400000u | (fraction << 13) : 0u));
  if (exponent == 0u) {
    // 2^-24 units, whole: exact in a float.
    float magnitude = (float)fraction * 5.9604644775390625e-8f;
    return asFloat(sign | bitsOf(magnitude));
  }
  return asFloat(sign | ((exponent + 112u) << 23) | (fraction << 13));
#else
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
  return x;
#endif
}

// One type per dtype: what an element is in memory (Storage), in registers (Compute), and the way between.
struct Float32 {
  using Storage = float;
  using Compute = float;
  __device__ static inline float decode(float x) { return x; }
  __device__ static inline float encode(float x) { return x; }
};
struct Float64 {
  using Storage = double;
  using Compute = double;
  __device__ static inline double decode(double x) { return x; }
  __device__ static inline double encode(double x) { return x; }
};
struct Int32 {
  using Storage = int;
  using Compute = int;
  __device__ static inline int decode(int x) { return x; }
  __device__ static inline int encode(int x) { return x; }
};
struct UInt32 {
  using Storage = unsigned;
  using Compute = unsigned;
  __device__ static inline unsigned decode(unsigned x) { return x; }
  __device__ static inline unsigned encode(unsigned x) { return x; }
};
struct Bool {
  using Storage = unsigned char;
  using Compute = bool;
  __device__ static inline bool decode(unsigned char x) { return x != 0; }
  __device__ static inline unsigned char encode(bool x) { return x ? 1 : 0; }
};
struct BFloat16 {
  using Storage = unsigned short;
  using Compute = float;
  __device__ static inline float decode(unsigned short x) { return fromBFloat16(x); }
  __device__ static inline unsigned short encode(float x) { return toBFloat16(x); }
  __device__ static inline unsigned encodePair(float low, float high) { return toBFloat16Pair(low, high); }
};
struct Float16 {
  using Storage = unsigned short;
  using Compute = float;
  __device__ static inline float decode(unsigned short x) { return fromFloat16(x); }
  __device__ static inline unsigned short encode(float x) { return toFloat16(x); }
  __device__ static inline unsigned encodePair(float low, float high) { return toFloat16Pair(low, high); }
};

// Values of neighbouring elements, in registers: indices must be constants.
template <class T, int N>
struct Vec {
  T v[N];
};

// Elements that one instruction of the memory moves: at most 16 bytes, aligned to their size.
template <class S, int N>
struct alignas(sizeof(S) * N) Packet {
  S v[N];
};

// Of `N` neighbours, the most that one instruction moves.
template <class D, int N>
constexpr int widest = sizeof(typename D::Storage) * N > 16 ? 16 / (int)sizeof(typename D::Storage) : N;

template <class D>
__device__ inline typename D::Compute load(const typename D::Storage* from) {
  return D::decode(*from);
}

// Of memory that nothing writes while the kernel runs.
template <class D>
__device__ inline typename D::Compute loadReadOnly(const typename D::Storage* from) {
  return D::decode(__ldg(from));
}

template <class D>
__device__ inline void store(typename D::Storage* to, typename D::Compute value) {
  *to = D::encode(value);
}

// `N` neighbours, `P` at a time; `from` is aligned to the size of `P` of them.
template <class D, int N, int P = widest<D, N>>
__device__ inline Vec<typename D::Compute, N> loadVector(const typename D::Storage* from) {
  using Part = Packet<typename D::Storage, P>;
  Vec<typename D::Compute, N> result;
#pragma unroll
  for (int first = 0; first < N; first += P) {
    const Part part = *reinterpret_cast<const Part*>(from + first);
#pragma unroll
    for (int i = 0; i < P; i++) result.v[first + i] = D::decode(part.v[i]);
  }
  return result;
}

#ifndef THALWEG_EMULATION
template <int Bytes>
struct ReadOnly;
template <>
struct ReadOnly<16> {
  __device__ static inline uint4 get(const void* from) { return __ldg(static_cast<const uint4*>(from)); }
};
template <>
struct ReadOnly<8> {
  __device__ static inline uint2 get(const void* from) { return __ldg(static_cast<const uint2*>(from)); }
};
template <>
struct ReadOnly<4> {
  __device__ static inline unsigned get(const void* from) { return __ldg(static_cast<const unsigned*>(from)); }
};
template <>
struct ReadOnly<2> {
  __device__ static inline unsigned short get(const void* from) {
    return __ldg(static_cast<const unsigned short*>(from));
  }
};
template <>
struct ReadOnly<1> {
  __device__ static inline unsigned char get(const void* from) { return __ldg(static_cast<const unsigned char*>(from)); }
};
#endif

template <class D, int N, int P = widest<D, N>>
__device__ inline Vec<typename D::Compute, N> loadVectorReadOnly(const typename D::Storage* from) {
#ifdef THALWEG_EMULATION
  return loadVector<D, N, P>(from);
#else
  using Part = Packet<typename D::Storage, P>;
  Vec<typename D::Compute, N> result;
#pragma unroll
  for (int first = 0; first < N; first += P) {
    const auto words = ReadOnly<sizeof(Part)>::get(from + first);
    Part part;
    static_assert(sizeof part == sizeof words, "one instruction");
    memcpy(&part, &words, sizeof part);
#pragma unroll
    for (int i = 0; i < P; i++) result.v[first + i] = D::decode(part.v[i]);
  }
  return result;
#endif
}

template <class D, int N, int P = widest<D, N>>
__device__ inline void storeVector(typename D::Storage* to, const Vec<typename D::Compute, N>& values) {
  using Part = Packet<typename D::Storage, P>;
#pragma unroll
  for (int first = 0; first < N; first += P) {
    Part part;
    if constexpr (sizeof(typename D::Storage) == 2) {
      // One instruction converts two.
#pragma unroll
      for (int i = 0; i < P; i += 2) {
        const unsigned pair = D::encodePair(values.v[first + i], values.v[first + i + 1]);
        memcpy(&part.v[i], &pair, sizeof pair);
      }
    } else {
#pragma unroll
      for (int i = 0; i < P; i++) part.v[i] = D::encode(values.v[first + i]);
    }
    *reinterpret_cast<Part*>(to + first) = part;
  }
}

// As above, but only the first `count` of them exist: the others are 0, and their memory is not touched.
template <class D, int N, int P = widest<D, N>>
__device__ inline Vec<typename D::Compute, N> loadVector(const typename D::Storage* from, long long count) {
  if (count >= N) return loadVector<D, N, P>(from);
  Vec<typename D::Compute, N> result;
#pragma unroll
  for (int i = 0; i < N; i++) result.v[i] = i < count ? load<D>(from + i) : typename D::Compute(0);
  return result;
}

template <class D, int N, int P = widest<D, N>>
__device__ inline Vec<typename D::Compute, N> loadVectorReadOnly(const typename D::Storage* from, long long count) {
  if (count >= N) return loadVectorReadOnly<D, N, P>(from);
  Vec<typename D::Compute, N> result;
#pragma unroll
  for (int i = 0; i < N; i++) result.v[i] = i < count ? loadReadOnly<D>(from + i) : typename D::Compute(0);
  return result;
}

template <class D, int N, int P = widest<D, N>>
__device__ inline void storeVector(typename D::Storage* to, const Vec<typename D::Compute, N>& values, long long count) {
  if (count >= N) return storeVector<D, N, P>(to, values);
#pragma unroll
  for (int i = 0; i < N; i++) {
    if (i < count) store<D>(to + i, values.v[i]);
  }
}

// Uniform `index` of the Program, of type `T`.
template <class T>
__device__ inline T uniformOf(const unsigned char* uniforms, int index) {
  return *reinterpret_cast<const T*>(uniforms + 8 * index);
}
template <>
__device__ inline bool uniformOf<bool>(const unsigned char* uniforms, int index) {
  return *reinterpret_cast<const int*>(uniforms + 8 * index) != 0;
}
