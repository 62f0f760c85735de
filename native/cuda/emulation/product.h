// Products of matrices on the host, as cuBLASLt defines them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace emulation {

// cudaDataType_t.
inline constexpr int float32 = 0;
inline constexpr int float64 = 1;
inline constexpr int float16 = 2;
inline constexpr int bfloat16 = 14;

size_t bytesOf(int type);

struct Matrix {
  int type;
  // As it lies in memory, column by column.
  uint64_t rows;
  uint64_t columns;
  int64_t leading;
  int64_t batchStride;
  void* data;
};

struct Product {
  bool transposeA;
  bool transposeB;
  // Inputs are rounded to 10 bits of mantissa.
  bool tf32;
  int64_t batch;
  double alpha;
  double beta;
  Matrix a;
  Matrix b;
  Matrix c;
  Matrix d;
  // One for each row of D; null if there is none.
  const void* bias;
  bool relu;
};

void multiply(const Product& product);

}  // namespace emulation
