// Runs a kernel on the calling thread: blocks one after another, the threads of a block as fibers. See README.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "state.h"

// What became of a launch.
enum EmulationStatus : int {
  emulationDone = 0,
  // The launch itself cannot be: too many threads, too much shared memory.
  emulationInvalid = 1,
  // A memory access that the processor refused.
  emulationIllegalAddress = 2,
  emulationMisaligned = 3,
  // Everything else: threads that do not meet, assert, __trap, division by zero.
  emulationFailed = 4,
};

constexpr uint32_t emulationSharedLimit = 227 * 1024;
constexpr uint32_t emulationArgumentLimit = 64;

// `function`: a `__global__` function whose parameters have 8 bytes each; `state`: that of its library (`thalwegEmulation`).
// On failure `error` is a sentence. Launches of one library must not overlap.
EmulationStatus emulationLaunchIn(EmulationState* state, void* function, const uint32_t grid[3], const uint32_t block[3],
                                  uint32_t sharedBytes, const uint64_t* arguments, uint32_t count, char* error,
                                  size_t errorSize);

// The same for kernels linked into the program itself, or in the library last given to `emulationBind`.
extern "C" int emulationLaunch(void* function, const uint32_t grid[3], const uint32_t block[3], uint32_t sharedBytes,
                               const uint64_t* arguments, uint32_t count, char* error, size_t errorSize);

// Of which library (a handle from dlopen) the kernels are that `emulationLaunch` gets; whether it has kernels at all.
extern "C" bool emulationBind(void* library);
