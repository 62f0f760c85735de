// What the tests of the emulation share: each is a program whose main launches kernels of its own text.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>

#include "../launch.h"

inline int failures = 0;

#define CHECK(condition)                                                  \
  do {                                                                    \
    if (!(condition)) {                                                   \
      if (failures++ < 20) printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
    }                                                                     \
  } while (false)

struct Outcome {
  int status;
  std::string error;
  bool says(const char* words) const { return error.find(words) != std::string::npos; }
};

template <class... Parameters>
Outcome launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, uint32_t sharedBytes, Parameters... values) {
  static_assert(((sizeof(Parameters) == 8) && ...), "parameters have 8 bytes");
  const uint64_t arguments[sizeof...(Parameters) + 1] = {thalwegBits<uint64_t>(values)...};
  const uint32_t gridSize[3] = {grid.x, grid.y, grid.z};
  const uint32_t blockSize[3] = {block.x, block.y, block.z};
  char error[512];
  const int status = emulationLaunch(reinterpret_cast<void*>(kernel), gridSize, blockSize, sharedBytes, arguments,
                                     sizeof...(Parameters), error, sizeof error);
  return {status, error};
}

// Runs the tests in every order of threads and blocks.
template <class Tests>
int inAllOrders(Tests tests) {
  for (const char* order : {"forward", "reverse", "shuffled"}) {
    setenv("THALWEG_CUDA_EMULATION_ORDER", order, 1);
    const int before = failures;
    tests();
    if (failures != before) printf("  in order %s\n", order);
  }
  if (failures == 0) printf("ok\n");
  return failures == 0 ? 0 : 1;
}
