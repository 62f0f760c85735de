// What a kernel library and the runtime that runs it share. Included by device code before anything else, so no headers here.
#pragma once

struct uint3 {
  unsigned x, y, z;
};

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// What threads of a block ask of each other. A kernel library calls all of it through this table, so that it has no symbols to
// resolve but those of libc and libm.
struct EmulationRuntime {
  // Waits for all threads of the block. What `vote` is of all threads' predicates: 0 nothing, 1 or, 2 and, 3 count.
  int (*barrier)(int vote, int predicate);
  // Waits for the lanes of the mask; the 64 bits that `source` gave.
  unsigned long long (*shuffle)(unsigned mask, unsigned long long bits, int source);
  // Waits for the lanes of the mask; which of them had a predicate.
  unsigned (*ballot)(unsigned mask, int predicate);
  // Waits for the whole warp and gives all lanes' values, 32 times `bytes` (at most 64), until the lane's next but one gather.
  const void* (*gather)(const void* value, unsigned bytes);
  // Lanes of the warp that exist and have not returned.
  unsigned (*live)();
  // Lets other threads of the block run.
  void (*yield)();
  // Ends the launch with this error.
  void (*fail)(const char* message);
};

// The built-in variables of the thread that runs.
struct EmulationState {
  uint3 threadIdx;
  // Of the thread in its warp.
  unsigned lane;
  uint3 blockIdx;
  dim3 blockDim;
  dim3 gridDim;
  unsigned char* dynamicShared;
  const EmulationRuntime* runtime;
  // The static shared memory of a library built by the emulated NVRTC (nothing but that is in its .bss); null elsewhere.
  unsigned char* staticShared;
  unsigned char* staticSharedEnd;
};
