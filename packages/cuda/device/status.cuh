// Where a dynamic index that is out of range is reported. One per Program; cleared before each run.
#pragma once

struct Status {
  // 1 once an index was out of range: kernels that write what outlives the run then do nothing.
  int failed;
  // Number of the Program, for the host.
  int program;
  long long index;
  long long size;
  // Of the backend: keeps the first failure of any run until the host has reported it. May be null.
  Status* first;
};

__device__ inline bool keepFailure(Status* status, int program, long long index, long long size) {
  if (atomicCAS(&status->failed, 0, 1) != 0) return false;
  status->program = program;
  status->index = index;
  status->size = size;
  return true;
}

// `index` if it lies in [0, size); otherwise reports it and gives 0, so that the access stays inside the buffer.
__device__ inline long long checkIndex(Status* status, long long index, long long size) {
  if (index >= 0 && index < size) return index;
  if (keepFailure(status, status->program, index, size) && status->first != nullptr)
    keepFailure(status->first, status->program, index, size);
  return 0;
}
