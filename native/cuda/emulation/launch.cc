#include "launch.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "faults.h"
#include "fiber.h"
#include "order.h"

namespace emulation {
namespace {

using Invoke = void (*)(void*, const uint64_t*);

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

constexpr uint32_t warpLimit = 32;
constexpr uint32_t threadLimit = warpLimit * 32;
constexpr uint32_t gatherBytes = 64;
constexpr int none = -1;

// What lanes of a warp do together.
enum class Together : uint8_t { nothing, shuffle, ballot, gather };

const char* nameOf(Together kind) {
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

struct Thread {
  uint3 index;
  // Where it waits; null before it has started.
  Fiber* fiber = nullptr;
  // What it waits for, and what it gave and got.
  Together together = Together::nothing;
  uint32_t mask = 0;
  int source = 0;
  uint64_t bits = 0;
};

// The lanes of a warp, a bit each.
struct Warp {
  uint32_t existing;
  // Could run.
  uint32_t ready;
  // Wait for each other.
  uint32_t together;
  uint32_t atBarrier;
  uint32_t returned;
  // Completed gathers.
  uint32_t gathers;
};

// One operating-system thread's emulation of a multiprocessor.
class Multiprocessor {
 public:
  Multiprocessor();
  ~Multiprocessor();

  EmulationStatus launch(EmulationState* state, void* function, const uint32_t grid[3], const uint32_t block[3],
                         uint32_t sharedBytes, const uint64_t* arguments, uint32_t count);
  const char* error() const { return message; }

  int barrier(int vote, int predicate);
  uint64_t shuffle(uint32_t mask, uint64_t bits, int source);
  uint32_t ballot(uint32_t mask, int predicate);
  const void* gather(const void* value, uint32_t bytes);
  uint32_t live() const { return warps[current >> 5].existing & ~warps[current >> 5].returned; }
  void yield();
  [[noreturn]] void fail(EmulationStatus status, const char* format, ...) __attribute__((format(printf, 3, 4)));
  [[noreturn]] void fault(int signal, const void* address);
  [[noreturn]] void work();

 private:
  bool shape(const uint32_t block[3]);
  bool nextBlock();
  int choose();
  void enter(int thread);
  Fiber& takeFiber();
  void wait();
  void meet(Together kind, uint32_t mask, uint64_t bits, int source);
  void releaseBarrier();
  [[noreturn]] void reportStuck();
  [[noreturn]] void abandon();

  // The launch.
  EmulationState* state = nullptr;
  void* function = nullptr;
  const uint64_t* arguments = nullptr;
  Invoke call = nullptr;
  uint64_t blocks = 0;
  uint64_t blocksBegun = 0;
  Order order;
  uint32_t sharedBytes = 0;
  EmulationStatus status = emulationDone;
  char message[512] = "";

  // The block.
  Thread threads[threadLimit];
  Warp warps[warpLimit];
  uint32_t threadCount = 0;
  uint32_t warpCount = 0;
  uint32_t blockShape[3] = {0, 0, 0};
  uint32_t readyWarps = 0;
  uint32_t alive = 0;
  uint32_t waitingAtBarrier = 0;
  int barrierVote = 0;
  uint32_t barrierPredicates = 0;
  int barrierResult = 0;
  int current = none;

  // Threads that wait keep the fiber they began on; all others begin on one that is free.
  Fiber host;
  Fiber* running = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Fiber*> free;

  // Dynamic shared memory ends where a page begins that must not be touched.
  unsigned char* shared = nullptr;
  static constexpr size_t sharedPages = 228 * 1024;
  std::unique_ptr<unsigned char[]> gathered;
};

Multiprocessor& here() {
  static thread_local Multiprocessor multiprocessor;
  return multiprocessor;
}

const EmulationRuntime runtime = {
    [](int vote, int predicate) { return here().barrier(vote, predicate); },
    [](unsigned mask, unsigned long long bits, int source) -> unsigned long long { return here().shuffle(mask, bits, source); },
    [](unsigned mask, int predicate) -> unsigned { return here().ballot(mask, predicate); },
    [](const void* value, unsigned bytes) { return here().gather(value, bytes); },
    []() -> unsigned { return here().live(); },
    []() { here().yield(); },
    [](const char* text) { here().fail(emulationFailed, "%s", text); },
};

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
    memset(state->staticShared, 0xff, size_t(state->staticSharedEnd - state->staticShared));
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

// ---- waiting for each other ----

int Multiprocessor::barrier(int vote, int predicate) {
  static const char* const names[] = {"__syncthreads", "__syncthreads_or", "__syncthreads_and", "__syncthreads_count"};
  if (waitingAtBarrier == 0) {
    barrierVote = vote;
    barrierPredicates = 0;
  } else if (vote != barrierVote) {
    fail(emulationFailed, "reaches %s while others wait at %s", names[vote], names[barrierVote]);
  }
  waitingAtBarrier++;
  barrierPredicates += predicate != 0;
  warps[current >> 5].atBarrier |= 1u << (current & 31);
  wait();
  return barrierResult;
}

void Multiprocessor::releaseBarrier() {
  barrierResult = barrierVote == 1   ? barrierPredicates != 0
                  : barrierVote == 2 ? barrierPredicates == threadCount
                  : barrierVote == 3 ? int(barrierPredicates)
                                     : 0;
  waitingAtBarrier = 0;
  for (uint32_t warp = 0; warp < warpCount; warp++) {
    warps[warp].ready = warps[warp].existing;
    warps[warp].atBarrier = 0;
  }
  readyWarps = warpCount == 32 ? 0xffffffffu : (1u << warpCount) - 1;
}

// Waits for all lanes of the mask to come with the same kind and mask. The last to come works out what each gets.
void Multiprocessor::meet(Together kind, uint32_t mask, uint64_t bits, int source) {
  const uint32_t first = uint32_t(current) & ~31u;
  const uint32_t lane = uint32_t(current) & 31;
  Warp& warp = warps[current >> 5];
  if ((mask >> lane & 1) == 0) fail(emulationFailed, "calls %s whose mask 0x%08x leaves it out", nameOf(kind), mask);
  mask &= warp.existing;
  Thread& self = threads[current];
  self.together = kind;
  self.mask = mask;
  self.bits = bits;
  self.source = source;
  warp.together |= 1u << lane;

  bool complete = (warp.together & mask) == mask;
  for (uint32_t rest = mask; complete && rest != 0; rest &= rest - 1) {
    const Thread& other = threads[first + uint32_t(__builtin_ctz(rest))];
    complete = other.together == kind && other.mask == mask;
  }
  if (!complete) {
    wait();
    return;
  }

  if (kind == Together::shuffle) {
    uint64_t given[32];
    for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
      const uint32_t from = uint32_t(__builtin_ctz(rest));
      given[from] = threads[first + from].bits;
    }
    for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
      Thread& to = threads[first + uint32_t(__builtin_ctz(rest))];
      const uint32_t from = uint32_t(to.source) & 31;
      // Of a lane that takes no part, what comes is undefined.
      to.bits = (mask >> from & 1) != 0 ? given[from] : ~uint64_t(0);
    }
  } else if (kind == Together::ballot) {
    uint32_t votes = 0;
    for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
      const uint32_t from = uint32_t(__builtin_ctz(rest));
      votes |= uint32_t(threads[first + from].bits) << from;
    }
    for (uint32_t rest = mask; rest != 0; rest &= rest - 1) threads[first + uint32_t(__builtin_ctz(rest))].bits = votes;
  } else {
    warp.gathers++;
  }
  warp.together &= ~mask;
  const uint32_t others = mask & ~(1u << lane);
  warp.ready |= others;
  if (others != 0) readyWarps |= 1u << (current >> 5);
}

uint64_t Multiprocessor::shuffle(uint32_t mask, uint64_t bits, int source) {
  meet(Together::shuffle, mask, bits, source);
  return threads[current].bits;
}

uint32_t Multiprocessor::ballot(uint32_t mask, int predicate) {
  meet(Together::ballot, mask, predicate != 0 ? 1 : 0, 0);
  return uint32_t(threads[current].bits);
}

const void* Multiprocessor::gather(const void* value, uint32_t bytes) {
  const uint32_t warp = uint32_t(current) >> 5;
  // Three in turn: a lane may still read those of its last gather and of the one before.
  unsigned char* all = gathered.get() + (size_t(warp) * 3 + warps[warp].gathers % 3) * 32 * gatherBytes;
  memcpy(all + (uint32_t(current) & 31) * bytes, value, bytes);
  meet(Together::gather, 0xffffffffu, 0, 0);
  return all;
}

// ---- when it goes wrong ----

void Multiprocessor::reportStuck() {
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

void Multiprocessor::fail(EmulationStatus itsStatus, const char* format, ...) {
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
void Multiprocessor::fault(int signal, const void* address) {
  if (signal == SIGFPE) fail(emulationFailed, "an integer division by zero");
  // What -fsanitize=alignment -fsanitize-undefined-trap-on-error does at an access that is not aligned.
  if (signal == SIGILL) fail(emulationMisaligned, "an access that is not aligned, or an instruction that must not be reached");
  for (const auto& fiber : fibers)
    if (fiber->overflows(address)) fail(emulationIllegalAddress, "the stack overflows");
  fail(emulationIllegalAddress, "an access to %p, where no memory is (or one that is not aligned)", address);
}

// Leaves all threads where they are and goes back to the launch. Their stacks begin anew.
void Multiprocessor::abandon() {
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

}  // namespace
}  // namespace emulation

EmulationStatus emulationLaunchIn(EmulationState* state, void* function, const uint32_t grid[3], const uint32_t block[3],
                                  uint32_t sharedBytes, const uint64_t* arguments, uint32_t count, char* error,
                                  size_t errorSize) {
  emulation::Multiprocessor& multiprocessor = emulation::here();
  const EmulationStatus status = multiprocessor.launch(state, function, grid, block, sharedBytes, arguments, count);
  if (errorSize != 0) snprintf(error, errorSize, "%s", multiprocessor.error());
  return status;
}

// Defined by emulation.h in a text that is linked with this file.
extern "C" __attribute__((weak)) EmulationState* const thalwegEmulation;

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
  EmulationState* state = bound != nullptr || &thalwegEmulation == nullptr ? bound : thalwegEmulation;
  if (state == nullptr) {
    if (errorSize != 0) snprintf(error, errorSize, "no kernels are linked or bound");
    return emulationInvalid;
  }
  return emulationLaunchIn(state, function, grid, block, sharedBytes, arguments, count, error, errorSize);
}
