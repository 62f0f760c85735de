// What a launch ends with when it goes wrong: a sentence that says where and why.
#pragma once

#include <signal.h>

#include <cstdio>

#include "multiprocessor.h"

namespace emulation {

inline const char* nameOf(Together kind) {
  switch (kind) {
    case Together::shuffle:
      return "a shuffle";
    case Together::ballot:
      return "a ballot or __syncwarp";
    case Together::gather:
      return "an instruction of the whole warp";
    default:
      return "nothing";
  }
}

inline void Multiprocessor::reportStuck() {
  uint32_t together = 0;
  int example = none;
  int returned = none;
  uint32_t returnedCount = 0;
  for (uint32_t thread = 0; thread < threadCount; thread++) {
    const Warp& warp = warps[thread >> 5];
    const uint32_t bit = 1u << (thread & 31);
    if ((warp.together & bit) != 0) {
      together++;
      if (example == none) example = int(thread);
    }
    if ((warp.returned & bit) != 0) {
      returnedCount++;
      if (returned == none) returned = int(thread);
    }
  }
  char text[400];
  int length = snprintf(text, sizeof text, "threads wait for others that never come: of %u threads, %u wait at a barrier",
                        threadCount, waitingAtBarrier);
  const auto add = [&](const char* format, auto... values) {
    length += snprintf(text + length, sizeof text - size_t(length), format, values...);
  };
  if (example != none) {
    const Thread& thread = threads[example];
    const uint3& at = thread.index;
    add(", %u in their warp (first: thread (%u, %u, %u) in %s with mask 0x%08x)", together, at.x, at.y, at.z,
        nameOf(thread.together), thread.mask);
  }
  if (returned != none) {
    const uint3& at = threads[returned].index;
    add(", %u have returned (first: thread (%u, %u, %u))", returnedCount, at.x, at.y, at.z);
  }
  current = none;
  fail(emulationFailed, "%s", text);
}

inline void Multiprocessor::fail(EmulationStatus itsStatus, const char* format, ...) {
  status = itsStatus;
  const uint3& block = state->blockIdx;
  int length = snprintf(message, sizeof message, "block (%u, %u, %u)", block.x, block.y, block.z);
  if (current != none) {
    const uint3& thread = threads[current].index;
    length += snprintf(message + length, sizeof message - size_t(length), ", thread (%u, %u, %u)", thread.x, thread.y, thread.z);
  }
  length += snprintf(message + length, sizeof message - size_t(length), ": ");
  va_list values;
  va_start(values, format);
  vsnprintf(message + length, sizeof message - size_t(length), format, values);
  va_end(values);
  abandon();
}

// Called on the stack for signals, when the processor refused an instruction of device code.
inline void Multiprocessor::fault(int signal, const void* address) {
  if (signal == SIGFPE) fail(emulationFailed, "an integer division by zero");
  // What -fsanitize=alignment -fsanitize-undefined-trap-on-error does at an access that is not aligned.
  if (signal == SIGILL) fail(emulationMisaligned, "an access that is not aligned, or an instruction that must not be reached");
  for (const auto& fiber : fibers)
    if (fiber->overflows(address)) fail(emulationIllegalAddress, "the stack overflows");
  fail(emulationIllegalAddress, "an access to %p, where no memory is (or one that is not aligned)", address);
}

// Leaves all threads where they are and goes back to the launch. Their stacks begin anew.
inline void Multiprocessor::abandon() {
  for (uint32_t thread = 0; thread < threadCount; thread++) threads[thread].fiber = nullptr;
  free.clear();
  for (const auto& fiber : fibers) {
    fiber->begin(beginWork);
    free.push_back(fiber.get());
  }
  Fiber nowhere;
  Fiber::change(nowhere, host);
  __builtin_unreachable();
}

}  // namespace emulation
