#include "product.h"

#include <cmath>
#include <cstring>
#include <vector>

namespace emulation {
namespace {

uint32_t bitsOf(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}

float floatOf(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

// To the nearest of those with 10 bits of mantissa, ties away from zero, as the instruction that tensor cores are fed with does.
float roundToTf32(float value) {
  return std::isfinite(value) ? floatOf((bitsOf(value) + 0x1000u) & ~0x1fffu) : value;
}

float fromHalf(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000u) << 16;
  const uint32_t exponent = half >> 10 & 31;
  const uint32_t mantissa = half & 0x3ffu;
  if (exponent == 31) return floatOf(sign | 0x7f800000u | mantissa << 13);
  if (exponent != 0) return floatOf(sign | (exponent + 112) << 23 | mantissa << 13);
  const float small = float(mantissa) * 0x1p-24f;
  return sign != 0 ? -small : small;
}

uint16_t toHalf(float value) {
  const uint32_t bits = bitsOf(value);
  const uint32_t sign = bits >> 16 & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return uint16_t(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return uint16_t(sign | 0x7c00u);
  // Below the least normal number the addition rounds to multiples of 2^-24.
  if (magnitude < 0x38800000u) return uint16_t(sign | (bitsOf(floatOf(magnitude) + 0.5f) - bitsOf(0.5f)));
  const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1);
  return uint16_t(sign | (rounded - 0x38000000u) >> 13);
}

uint16_t toBfloat16(float value) {
  const uint32_t bits = bitsOf(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return uint16_t(bits >> 16 | 0x40u);
  return uint16_t((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

template <class Number>
Number load(const void* data, int type, int64_t index) {
  switch (type) {
    case float64: return Number(static_cast<const double*>(data)[index]);
    case float16: return Number(fromHalf(static_cast<const uint16_t*>(data)[index]));
    case bfloat16: return Number(floatOf(uint32_t(static_cast<const uint16_t*>(data)[index]) << 16));
    default: return Number(static_cast<const float*>(data)[index]);
  }
}

template <class Number>
void store(void* data, int type, int64_t index, Number value) {
  switch (type) {
    case float64: static_cast<double*>(data)[index] = double(value); return;
    case float16: static_cast<uint16_t*>(data)[index] = toHalf(float(value)); return;
    case bfloat16: static_cast<uint16_t*>(data)[index] = toBfloat16(float(value)); return;
    default: static_cast<float*>(data)[index] = float(value);
  }
}

// A matrix, transposed or not, as numbers column by column without gaps.
template <class Number>
std::vector<Number> unpack(const Matrix& matrix, int64_t batch, bool transposed, bool tf32) {
  const int64_t rows = int64_t(matrix.rows), columns = int64_t(matrix.columns);
  std::vector<Number> all(size_t(rows * columns));
  for (int64_t column = 0; column < columns; column++)
    for (int64_t row = 0; row < rows; row++) {
      Number value = load<Number>(matrix.data, matrix.type, batch * matrix.batchStride + column * matrix.leading + row);
      if (tf32) value = Number(roundToTf32(float(value)));
      all[size_t(transposed ? row * columns + column : column * rows + row)] = value;
    }
  return all;
}

template <class Number>
void multiplyOne(const Product& product, int64_t batch) {
  const int64_t m = int64_t(product.d.rows), n = int64_t(product.d.columns);
  const int64_t k = int64_t(product.transposeA ? product.a.rows : product.a.columns);
  const std::vector<Number> a = unpack<Number>(product.a, batch, product.transposeA, product.tf32);
  const std::vector<Number> b = unpack<Number>(product.b, batch, product.transposeB, product.tf32);
  std::vector<Number> sums(static_cast<size_t>(m));
  for (int64_t column = 0; column < n; column++) {
    std::fill(sums.begin(), sums.end(), Number(0));
    for (int64_t inner = 0; inner < k; inner++) {
      const Number factor = b[size_t(column * k + inner)];
      const Number* from = a.data() + inner * m;
      for (int64_t row = 0; row < m; row++) sums[size_t(row)] += from[row] * factor;
    }
    for (int64_t row = 0; row < m; row++) {
      Number value = Number(product.alpha) * sums[size_t(row)];
      if (product.beta != 0)
        value += Number(product.beta) *
                 load<Number>(product.c.data, product.c.type, batch * product.c.batchStride + column * product.c.leading + row);
      if (product.bias != nullptr) value += load<Number>(product.bias, product.d.type, row);
      // NaN stays NaN.
      if (product.relu && value <= 0) value = 0;
      store(product.d.data, product.d.type, batch * product.d.batchStride + column * product.d.leading + row, value);
    }
  }
}

}  // namespace

size_t bytesOf(int type) { return type == float64 ? 8 : type == float32 ? 4 : 2; }

void multiply(const Product& product) {
  for (int64_t batch = 0; batch < product.batch; batch++) {
    if (product.a.type == float64)
      multiplyOne<double>(product, batch);
    else
      multiplyOne<float>(product, batch);
  }
}

}  // namespace emulation
