// Tensor cores: products of small matrices by a warp, and the loads that bring their operands from shared memory in the
// layout they want. Registers of a lane, with g = lane / 4 and t = lane % 4:
//   m16n8k8 (tf32, one element per register):       a[0…3] = A[g][t], A[g+8][t], A[g][t+4], A[g+8][t+4]
//                                                   b[0…1] = B[t][g], B[t+4][g]
//   m16n8k16 (16 bits, two neighbours along k each): a[0…3] = A[g][2t], A[g+8][2t], A[g][2t+8], A[g+8][2t+8]
//                                                   b[0…1] = B[2t][g], B[2t+8][g]
//   both:                                           d[0…3] = D[g][2t], D[g][2t+1], D[g+8][2t], D[g+8][2t+1]
// The emulation has the same layouts, so that what addresses and shuffles do is tested without a device.
#pragma once

#include "storage.cuh"

#ifdef THALWEG_EMULATION

// Every lane's registers, seen by its whole warp between two barriers of the warp.
template <int COUNT>
struct WarpExchange {
  unsigned long long words[32][32][COUNT];
};

inline float tf32Value(unsigned bits) { return asFloat(bits & 0xffffe000u); }

// To nearest, halves away from zero, as cvt.rna.tf32.f32 does.
inline unsigned toTf32(float value) {
  const unsigned bits = bitsOf(value);
  return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & 0xffffe000u;
}

template <class Value>
inline void multiplyByDefinition(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], int perRegister, Value value) {
  __shared__ WarpExchange<6> exchange;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int i = 0; i < 4; i++) exchange.words[warp][lane][i] = a[i];
  for (int i = 0; i < 2; i++) exchange.words[warp][lane][4 + i] = b[i];
  __syncwarp();
  for (int i = 0; i < 4; i++) {
    const int half = i / 2, column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < 8 * perRegister; k++) {
      const int upper = k / (4 * perRegister), source = k / perRegister % 4, part = k % perRegister;
      const float left = value((unsigned)exchange.words[warp][lane / 4 * 4 + source][half + 2 * upper], part);
      const float right = value((unsigned)exchange.words[warp][column * 4 + source][4 + upper], part);
      d[i] += left * right;
    }
  }
  __syncwarp();
}

inline void multiplyTf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  multiplyByDefinition(d, a, b, 1, [](unsigned word, int) { return tf32Value(word); });
}

inline void multiplyBFloat16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  multiplyByDefinition(d, a, b, 2, [](unsigned word, int part) { return fromBFloat16((unsigned short)(word >> (16 * part))); });
}

inline void multiplyFloat16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  multiplyByDefinition(d, a, b, 2, [](unsigned word, int part) { return fromFloat16((unsigned short)(word >> (16 * part))); });
}

// ldmatrix: four matrices of 8 rows of 16 bytes; lane 8·i + r gives the address of row r of matrix i.
inline void loadMatrices(unsigned (&to)[4], const void* row) {
  __shared__ WarpExchange<1> exchange;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  exchange.words[warp][lane][0] = (unsigned long long)row;
  __syncwarp();
  for (int i = 0; i < 4; i++)
    to[i] = ((const unsigned*)exchange.words[warp][8 * i + lane / 4][0])[lane % 4];
  __syncwarp();
}

inline void loadMatricesTransposed(unsigned (&to)[4], const void* row) {
  __shared__ WarpExchange<1> exchange;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  exchange.words[warp][lane][0] = (unsigned long long)row;
  __syncwarp();
  for (int i = 0; i < 4; i++) {
    const unsigned low = ((const unsigned short*)exchange.words[warp][8 * i + lane % 4 * 2][0])[lane / 4];
    const unsigned high = ((const unsigned short*)exchange.words[warp][8 * i + lane % 4 * 2 + 1][0])[lane / 4];
    to[i] = low | high << 16;
  }
  __syncwarp();
}

#else

__device__ inline unsigned toTf32(float value) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return bits;
}

// Volatile, like all that a whole warp does together: the compiler must not move it to where only some lanes come by.
__device__ inline void multiplyTf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ inline void multiplyBFloat16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ inline void multiplyFloat16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ inline unsigned sharedAddress(const void* pointer) { return (unsigned)__cvta_generic_to_shared(pointer); }

__device__ inline void loadMatrices(unsigned (&to)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(sharedAddress(row))
               : "memory");
}

__device__ inline void loadMatricesTransposed(unsigned (&to)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(sharedAddress(row))
               : "memory");
}

#endif
