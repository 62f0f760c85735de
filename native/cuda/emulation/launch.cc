#include "launch.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

#include "failure.h"
#include "faults.h"
#include "multiprocessor.h"
#include "together.h"

namespace emulation {
namespace {

template <size_t>
using Word = uint64_t;

template <size_t... Index>
void invokeWith(void* function, const uint64_t* arguments, std::index_sequence<Index...>) {
  reinterpret_cast<void (*)(Word<Index>...)>(function)(arguments[Index]...);
}

template <size_t Count>
void invoke(void* function, const uint64_t* arguments) {
  invokeWith(function, arguments, std::make_index_sequence<Count>());
}

template <size_t... Count>
constexpr auto invokeTable(std::index_sequence<Count...>) {
  struct Table {
    Invoke entries[sizeof...(Count)];
  };
  return Table{{invoke<Count>...}};
}

// How to call a function of so many parameters.
constexpr auto invokes = invokeTable(std::make_index_sequence<emulationArgumentLimit + 1>());

const EmulationRuntime runtime = {
    [](int vote, int predicate) { return here().barrier(vote, predicate); },
    [](unsigned mask, unsigned long long bits, int source) -> unsigned long long { return here().shuffle(mask, bits, source); },
    [](unsigned mask, int predicate) -> unsigned { return here().ballot(mask, predicate); },
    [](const void* value, unsigned bytes) { return here().gather(value, bytes); },
    []() -> unsigned { return here().live(); },
    []() { here().yield(); },
    [](const char* text) { here().fail(emulationFailed, "%s", text); },
};

}  // namespace

Multiprocessor::Multiprocessor() {
  void* mapped = mmap(nullptr, sharedPages + 64 * 1024, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED || mprotect(mapped, sharedPages, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  shared = static_cast<unsigned char*>(mapped);
  gathered.reset(new unsigned char[size_t(warpLimit) * 3 * 32 * gatherBytes]);
}

Multiprocessor::~Multiprocessor() {
  munmap(shared, sharedPages + 64 * 1024);
  for (const auto& fiber : fibers) fiber->release();
}

// ---- launching ----

EmulationStatus Multiprocessor::launch(EmulationState* itsState, void* itsFunction, const uint32_t grid[3],
                                       const uint32_t block[3], uint32_t bytes, const uint64_t* itsArguments,
                                       uint32_t count) {
  message[0] = 0;
  const auto refuse = [&](const char* text) {
    snprintf(message, sizeof message, "%s", text);
    return emulationInvalid;
  };
  if (grid[0] == 0 || grid[1] == 0 || grid[2] == 0 || grid[0] > 0x7fffffffu || grid[1] > 65535 || grid[2] > 65535)
    return refuse("a grid has from 1 to 2147483647 × 65535 × 65535 blocks");
  if (!shape(block)) return refuse("a block has from 1 to 1024 threads, at most 64 along z");
  if (bytes > emulationSharedLimit) return refuse("a block has at most 232448 bytes of dynamic shared memory");
  if (count > emulationArgumentLimit) return refuse("a kernel has at most 64 parameters");

  state = itsState;
  function = itsFunction;
  arguments = itsArguments;
  call = invokes.entries[count];
  blocks = uint64_t(grid[0]) * grid[1] * grid[2];
  blocksBegun = 0;
  order.begin(blocks);
  sharedBytes = bytes;
  status = emulationDone;
  state->gridDim = {grid[0], grid[1], grid[2]};
  state->blockDim = {block[0], block[1], block[2]};
  state->dynamicShared = shared + sharedPages - (bytes + 127) / 128 * 128;
  state->runtime = &runtime;
  current = none;

  nextBlock();
  enter(choose());
  running = &takeFiber();
  {
    const FaultGuard guard([](int signal, const void* address) { here().fault(signal, address); });
    Fiber::change(host, *running);
  }
  running = nullptr;
  return status;
}

// Sets up the threads of a block; most launches have the shape of the one before.
bool Multiprocessor::shape(const uint32_t block[3]) {
  if (std::equal(block, block + 3, blockShape)) return true;
  if (block[0] == 0 || block[1] == 0 || block[2] == 0 || block[2] > 64) return false;
  if (block[0] > threadLimit || block[1] > threadLimit || block[0] * block[1] * block[2] > threadLimit) return false;
  std::copy(block, block + 3, blockShape);
  threadCount = 0;
  for (uint32_t z = 0; z < block[2]; z++)
    for (uint32_t y = 0; y < block[1]; y++)
      for (uint32_t x = 0; x < block[0]; x++) threads[threadCount++].index = {x, y, z};
  warpCount = (threadCount + 31) / 32;
  for (uint32_t warp = 0; warp < warpCount; warp++) {
    const uint32_t lanes = std::min(threadCount - warp * 32, 32u);
    warps[warp].existing = lanes == 32 ? 0xffffffffu : (1u << lanes) - 1;
  }
  return true;
}

namespace {

#ifdef THALWEG_SANITIZE
// Kernels may be instrumented too: then gaps lie between the variables, which AddressSanitizer's memset refuses to write.
void spoil(unsigned char* from, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) static_cast<volatile unsigned char*>(from)[i] = 0xff;
}
#else
void spoil(unsigned char* from, size_t bytes) { memset(from, 0xff, bytes); }
#endif

}  // namespace

bool Multiprocessor::nextBlock() {
  if (blocksBegun == blocks) return false;
  const uint64_t block = order.block(blocksBegun++);
  const dim3& grid = state->gridDim;
  state->blockIdx = {uint32_t(block % grid.x), uint32_t(block / grid.x % grid.y), uint32_t(block / grid.x / grid.y)};
  for (uint32_t warp = 0; warp < warpCount; warp++) {
    const uint32_t existing = warps[warp].existing;
    warps[warp] = {existing, existing, 0, 0, 0, 0};
  }
  readyWarps = warpCount == 32 ? 0xffffffffu : (1u << warpCount) - 1;
  alive = threadCount;
  waitingAtBarrier = 0;
  current = none;
  // What no thread has written is not a number.
  if (sharedBytes != 0) memset(state->dynamicShared, 0xff, (sharedBytes + 127) / 128 * 128);
  if (state->staticShared != state->staticSharedEnd)
    spoil(state->staticShared, size_t(state->staticSharedEnd - state->staticShared));
  return true;
}

// ---- which thread runs ----

// The thread to run next, taken out of those that are ready; none once the whole grid is done.
int Multiprocessor::choose() {
  for (;;) {
    if (readyWarps != 0) {
      const uint32_t own = current == none ? warpLimit : uint32_t(current) >> 5;
      const uint32_t warp = order.warp(readyWarps, own);
      Warp& lanes = warps[warp];
      const uint32_t lane = order.lane(lanes.ready);
      lanes.ready &= ~(1u << lane);
      if (lanes.ready == 0) readyWarps &= ~(1u << warp);
      return int(warp * 32 + lane);
    }
    if (alive == 0) {
      if (!nextBlock()) return none;
    } else if (waitingAtBarrier == threadCount) {
      releaseBarrier();
    } else {
      reportStuck();
    }
  }
}

void Multiprocessor::enter(int thread) {
  current = thread;
  state->threadIdx = threads[thread].index;
  state->lane = uint32_t(thread) & 31;
}

void beginWork() { here().work(); }

Fiber& Multiprocessor::takeFiber() {
  if (free.empty()) {
    fibers.push_back(std::make_unique<Fiber>());
    if (!fibers.back()->allocate(fibers.size())) {
      fibers.pop_back();
      fail(emulationFailed, "no memory for a stack");
    }
    fibers.back()->begin(beginWork);
    free.push_back(fibers.back().get());
  }
  Fiber* fiber = free.back();
  free.pop_back();
  return *fiber;
}

// What every fiber does: it runs the current thread and, as long as that returns without ever having waited, the next.
void Multiprocessor::work() {
  for (;;) {
    call(function, arguments);
    Thread& thread = threads[current];
    thread.fiber = nullptr;
    warps[current >> 5].returned |= 1u << (current & 31);
    alive--;
    const int next = choose();
    if (next != none) {
      enter(next);
      if (threads[next].fiber == nullptr) continue;
    }
    Fiber* self = running;
    free.push_back(self);
    running = next == none ? nullptr : threads[next].fiber;
    Fiber::change(*self, next == none ? host : *running);
  }
}

// The current thread stops here until it has become ready and is chosen.
void Multiprocessor::wait() {
  Fiber* self = running;
  const int thread = current;
  threads[thread].fiber = self;
  const int next = choose();
  enter(next);
  if (next == thread) return;
  running = threads[next].fiber == nullptr ? &takeFiber() : threads[next].fiber;
  Fiber::change(*self, *running);
}

void Multiprocessor::yield() {
  Warp& own = warps[current >> 5];
  // Not as `order` has it, or two threads that wait for a third could choose each other for ever.
  for (uint32_t step = 1; step < threadCount; step++) {
    const uint32_t thread = (uint32_t(current) + step) % threadCount;
    Warp& warp = warps[thread >> 5];
    if ((warp.ready >> (thread & 31) & 1) == 0) continue;
    own.ready |= 1u << (current & 31);
    readyWarps |= 1u << (current >> 5);
    warp.ready &= ~(1u << (thread & 31));
    if (warp.ready == 0) readyWarps &= ~(1u << (thread >> 5));
    Fiber* self = running;
    threads[current].fiber = self;
    enter(int(thread));
    running = threads[thread].fiber == nullptr ? &takeFiber() : threads[thread].fiber;
    Fiber::change(*self, *running);
    return;
  }
}

}  // namespace emulation

EmulationStatus emulationLaunchIn(EmulationState* state, void* function, const uint32_t grid[3], const uint32_t block[3],
                                  uint32_t sharedBytes, const uint64_t* arguments, uint32_t count, char* error,
                                  size_t errorSize) {
  emulation::Multiprocessor& multiprocessor = emulation::here();
  const EmulationStatus status = multiprocessor.launch(state, function, grid, block, sharedBytes, arguments, count);
  if (errorSize != 0) snprintf(error, errorSize, "%s", multiprocessor.error());
  return status;
}

// Where emulation.h was included by a text that is linked with this file, what it defines; at no address elsewhere.
extern "C" __attribute__((weak)) EmulationState* const linkedState asm("thalwegEmulation");

namespace {
EmulationState* bound = nullptr;
}

extern "C" bool emulationBind(void* library) {
  auto* const* state = static_cast<EmulationState* const*>(dlsym(library, "thalwegEmulation"));
  bound = state == nullptr ? nullptr : *state;
  return bound != nullptr;
}

extern "C" int emulationLaunch(void* function, const uint32_t grid[3], const uint32_t block[3], uint32_t sharedBytes,
                               const uint64_t* arguments, uint32_t count, char* error, size_t errorSize) {
  EmulationState* state = bound != nullptr || &linkedState == nullptr ? bound : linkedState;
  if (state == nullptr) {
    if (errorSize != 0) snprintf(error, errorSize, "no kernels are linked or bound");
    return emulationInvalid;
  }
  return emulationLaunchIn(state, function, grid, block, sharedBytes, arguments, count, error, errorSize);
}
