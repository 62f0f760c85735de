// What the operations of the scalar language mean where C++ itself says less or something else: integers wrap, division
// by zero gives 0, maximum and minimum pass NaN on, and conversions to integers saturate.
#pragma once
#include "storage.cuh"

__device__ inline int wrapNegate(int a) { return (int)(0u - (unsigned)a); }
__device__ inline unsigned wrapNegate(unsigned a) { return 0u - a; }
__device__ inline int wrapAdd(int a, int b) { return (int)((unsigned)a + (unsigned)b); }
__device__ inline unsigned wrapAdd(unsigned a, unsigned b) { return a + b; }
__device__ inline int wrapSubtract(int a, int b) { return (int)((unsigned)a - (unsigned)b); }
__device__ inline unsigned wrapSubtract(unsigned a, unsigned b) { return a - b; }
__device__ inline int wrapMultiply(int a, int b) { return (int)((unsigned)a * (unsigned)b); }
__device__ inline unsigned wrapMultiply(unsigned a, unsigned b) { return a * b; }

__device__ inline int mulHigh(int a, int b) { return (int)(((long long)a * b) >> 32); }
__device__ inline unsigned mulHigh(unsigned a, unsigned b) { return (unsigned)(((unsigned long long)a * b) >> 32); }

__device__ inline int shiftLeft(int a, int b) { return (int)((unsigned)a << (b & 31)); }
__device__ inline unsigned shiftLeft(unsigned a, unsigned b) { return a << (b & 31u); }
__device__ inline int shiftRight(int a, int b) { return a >> (b & 31); }
__device__ inline unsigned shiftRight(unsigned a, unsigned b) { return a >> (b & 31u); }

__device__ inline int divide(int a, int b) { return b == 0 ? 0 : b == -1 ? wrapNegate(a) : a / b; }
__device__ inline unsigned divide(unsigned a, unsigned b) { return b == 0u ? 0u : a / b; }

// With the sign of the divisor.
__device__ inline int modulo(int a, int b) {
  if (b == 0 || b == -1) return 0;
  int rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
__device__ inline unsigned modulo(unsigned a, unsigned b) { return b == 0u ? 0u : a % b; }
__device__ inline float modulo(float a, float b) {
  float rest = fmodf(a, b);
  return rest != 0.0f && (rest < 0.0f) != (b < 0.0f) ? rest + b : rest;
}
__device__ inline double modulo(double a, double b) {
  double rest = fmod(a, b);
  return rest != 0.0 && (rest < 0.0) != (b < 0.0) ? rest + b : rest;
}

__device__ inline unsigned power(unsigned a, unsigned b) {
  unsigned result = 1u;
  for (unsigned exponent = b; exponent != 0u; exponent >>= 1) {
    if (exponent & 1u) result *= a;
    a *= a;
  }
  return result;
}
// A negative exponent gives the truncated quotient, 0 for 0.
__device__ inline int power(int a, int b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? ((b & 1) ? -1 : 1) : 0;
  return (int)power((unsigned)a, (unsigned)b);
}
__device__ inline float power(float a, float b) { return powf(a, b); }
__device__ inline double power(double a, double b) { return pow(a, b); }
// a to the power of 1/2: a square root but for -0 and -infinity.
__device__ inline float powerHalf(float a) { return a == asFloat(0xff800000u) ? asFloat(0x7f800000u) : sqrtf(a) + 0.0f; }
__device__ inline double powerHalf(double a) {
  return a == asDouble(0xfff0000000000000ull) ? asDouble(0x7ff0000000000000ull) : sqrt(a) + 0.0;
}

// NaN if either is; 0 is larger than -0.
__device__ inline float maximum(float a, float b) {
#ifdef THALWEG_EMULATION
  if (a != a || b != b) return a + b;
  return a > b ? a : b > a ? b : asFloat(bitsOf(a) & bitsOf(b));
#else
  float result;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
#endif
}
__device__ inline float minimum(float a, float b) {
#ifdef THALWEG_EMULATION
  if (a != a || b != b) return a + b;
  return a < b ? a : b < a ? b : asFloat(bitsOf(a) | bitsOf(b));
#else
  float result;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
#endif
}
// Equal numbers are the same but for zeros, whose sum is -0 only if both are.
__device__ inline double maximum(double a, double b) { return a > b ? a : b > a ? b : a == b && a != 0.0 ? a : a + b; }
__device__ inline double minimum(double a, double b) {
  return a < b ? a : b < a ? b : a == b && a != 0.0 ? a : -(-a - b);
}
__device__ inline int maximum(int a, int b) { return a > b ? a : b; }
__device__ inline int minimum(int a, int b) { return a < b ? a : b; }
__device__ inline unsigned maximum(unsigned a, unsigned b) { return a > b ? a : b; }
__device__ inline unsigned minimum(unsigned a, unsigned b) { return a < b ? a : b; }
__device__ inline bool maximum(bool a, bool b) { return a || b; }
__device__ inline bool minimum(bool a, bool b) { return a && b; }

__device__ inline float absolute(float a) { return fabsf(a); }
__device__ inline double absolute(double a) { return fabs(a); }
__device__ inline int absolute(int a) { return a < 0 ? wrapNegate(a) : a; }
__device__ inline unsigned absolute(unsigned a) { return a; }

// 0 for NaN.
template <class T>
__device__ inline T signOf(T a) {
  return a > T(0) ? T(1) : a < T(0) ? T(-1) : T(0);
}
__device__ inline unsigned signOf(unsigned a) { return a == 0u ? 0u : 1u; }

template <class T>
__device__ inline T relu(T a) {
  return a < T(0) ? T(0) : a;
}
__device__ inline unsigned relu(unsigned a) { return a; }

__device__ inline float reciprocalRoot(float a) { return rsqrtf(a); }
__device__ inline double reciprocalRoot(double a) { return 1.0 / sqrt(a); }

__device__ inline float sigmoid(float a) {
  float e = expf(-fabsf(a));
  return (a < 0.0f ? e : 1.0f) / (1.0f + e);
}
__device__ inline double sigmoid(double a) {
  double e = exp(-fabs(a));
  return (a < 0.0 ? e : 1.0) / (1.0 + e);
}

// log(1 + e^a) without overflow or cancellation.
__device__ inline float softplus(float a) { return fmaxf(a, 0.0f) + log1pf(expf(-fabsf(a))); }
__device__ inline double softplus(double a) { return fmax(a, 0.0) + log1p(exp(-fabs(a))); }

// To integers: towards 0, saturating, NaN to 0.
__device__ inline int toInt(double a) { return a != a ? 0 : __double2int_rz(a); }
__device__ inline int toInt(float a) { return a != a ? 0 : __float2int_rz(a); }
__device__ inline int toInt(int a) { return a; }
__device__ inline int toInt(unsigned a) { return (int)a; }
__device__ inline int toInt(bool a) { return a ? 1 : 0; }
__device__ inline unsigned toUnsigned(double a) { return a != a ? 0u : __double2uint_rz(a); }
__device__ inline unsigned toUnsigned(float a) { return a != a ? 0u : __float2uint_rz(a); }
__device__ inline unsigned toUnsigned(unsigned a) { return a; }
__device__ inline unsigned toUnsigned(int a) { return (unsigned)a; }
__device__ inline unsigned toUnsigned(bool a) { return a ? 1u : 0u; }

// Rounded to a storage dtype and back.
__device__ inline float roundToBFloat16(float a) { return fromBFloat16(toBFloat16(a)); }
__device__ inline double roundToBFloat16(double a) { return fromBFloat16(toBFloat16((float)a)); }
__device__ inline float roundToFloat16(float a) { return fromFloat16(toFloat16(a)); }
__device__ inline double roundToFloat16(double a) { return fromFloat16(toFloat16((float)a)); }
__device__ inline float roundToFloat32(float a) { return a; }
__device__ inline double roundToFloat32(double a) { return (double)(float)a; }
