// Kernels over many sets of buffers: which of them a block belongs to.
#pragma once

// The segment with starts[segment] <= block < starts[segment + 1], of `count` in ascending order, the last `starts[count]`.
// All threads of the block look at once, each at its share of what is left: hundreds of segments take one look at memory
// instead of a chain of nine. `found` is shared memory.
__device__ inline int findSegment(const long long* __restrict__ starts, int count, long long block, int* found) {
  int first = 0;
  int left = count;
  while (left > 1) {
    const int step = (left + (int)blockDim.x - 1) / (int)blockDim.x;
    const int from = (int)threadIdx.x * step;
    if (from < left) {
      const int end = from + step < left ? from + step : left;
      if (starts[first + from] <= block && block < starts[first + end]) *found = first + from;
    }
    __syncthreads();
    const int next = *found;
    // Nobody writes the next answer before all have read this one.
    __syncthreads();
    left = first + left - next < step ? first + left - next : step;
    first = next;
  }
  return first;
}
