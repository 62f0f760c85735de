// Where a dynamic index that is out of range is reported. One per Program; cleared before each run.
#pragma once

struct Status {
  // 1 once an index was out of range: kernels that write what outlives the run then do nothing.
  int failed;
  int unused;
  long long index;
  long long size;
};

// `index` if it lies in [0, size); otherwise reports it and gives 0, so that the access stays inside the buffer.
__device__ inline long long checkIndex(Status* status, long long index, long long size) {
  if (index >= 0 && index < size) return index;
  if (atomicCAS(&status->failed, 0, 1) == 0) {
    status->index = index;
    status->size = size;
  }
  return 0;
}
