// The state of a launch, and who runs: the threads of a block are fibers, and each runs until it waits or returns.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <memory>
#include <vector>

#include "fiber.h"
#include "launch.h"
#include "order.h"

namespace emulation {

// Calls a function with so many words.
using Invoke = void (*)(void* function, const uint64_t* arguments);

constexpr uint32_t warpLimit = 32;
constexpr uint32_t threadLimit = warpLimit * 32;
constexpr uint32_t gatherBytes = 64;
constexpr int none = -1;

// What lanes of a warp do together.
enum class Together : uint8_t { nothing, shuffle, ballot, gather };

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

// The calling thread's.
inline Multiprocessor& here() {
  static thread_local Multiprocessor multiprocessor;
  return multiprocessor;
}

void beginWork();

}  // namespace emulation
