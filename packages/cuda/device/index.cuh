// Dynamic indices where all index arithmetic is of 32 bits: one comparison when they are in range.
#pragma once

__device__ inline int checkedIndex(Status* status, int index, int size) {
  return (unsigned)index < (unsigned)size ? index : (int)checkIndex(status, index, size);
}

__device__ inline int checkedIndex(Status* status, unsigned index, int size) {
  return index < (unsigned)size ? (int)index : (int)checkIndex(status, index, size);
}
