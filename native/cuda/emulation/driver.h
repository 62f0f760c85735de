// What the emulated driver's functions share. Its interface is that of ../src/driverApi.h, so a function that does not agree with
// what the addon calls does not compile.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "../src/driverApi.h"
#include "launch.h"

#define THALWEG_EXPORT extern "C" __attribute__((visibility("default")))

namespace thalweg::driver {

#define THALWEG_DECLARE(name, ...)   \
  using name##Type = __VA_ARGS__;    \
  THALWEG_EXPORT name##Type name;
THALWEG_DRIVER_FUNCTIONS(THALWEG_DECLARE)
#undef THALWEG_DECLARE

inline constexpr Status invalidValue = 1;
inline constexpr Status outOfMemory = 2;
inline constexpr Status notInitialized = 3;
inline constexpr Status invalidDevice = 101;
inline constexpr Status invalidImage = 200;
inline constexpr Status invalidContext = 201;
inline constexpr Status noBinaryForGpu = 209;
inline constexpr Status invalidHandle = 400;
inline constexpr Status notFound = 500;
inline constexpr Status illegalAddress = 700;
inline constexpr Status misalignedAddress = 716;
inline constexpr Status launchFailed = 719;
inline constexpr Status captureUnsupported = 900;
inline constexpr Status captureUnmatched = 903;
inline constexpr Status graphUpdateFailure = 910;

// One for the whole driver: two threads never run device code at once.
using Lock = std::lock_guard<std::recursive_mutex>;
std::recursive_mutex& driverMutex();

// Work of a stream, done some time after it was enqueued. What goes wrong then is the context's failure.
using Command = std::function<void(ContextHandle&)>;

struct DeviceState {
  size_t limit = 0;
  size_t used = 0;
};
DeviceState& deviceState(Device device);

struct ContextHandle {
  explicit ContextHandle(Device device) : device(device) {}
  Device device;
  // As on a GPU, after a fault every call of this context gives it, until the context is destroyed.
  Status failure = success;
  std::set<StreamHandle*> streams;
  std::set<EventHandle*> events;
  std::set<ModuleHandle*> modules;
  StreamHandle* defaultStream = nullptr;

  void fail(Status status, const std::string& what);
};

// The calling thread's context; null if it has none.
ContextHandle* currentContext();
// Why a call in the current context cannot be: none is current, or it has failed.
Status contextStatus();

// Handles that have been given out and not destroyed.
bool isLive(const void* handle);
void addHandle(const void* handle);
void removeHandle(const void* handle);

// ---- memory ----

struct Allocation {
  uint64_t address;
  size_t bytes;
  ContextHandle* context;
  // Else page-locked host memory.
  bool onDevice;
  void* mapped;
  size_t mappedBytes;
};

// The allocation that has all of these bytes.
const Allocation* findAllocation(uint64_t address, size_t bytes);
// Whether device code of the context may touch them.
bool isAccessible(const ContextHandle& context, uint64_t address, size_t bytes);
void freeAllocations(ContextHandle& context);
Command fillCommand(Address to, unsigned word, size_t words);

// ---- streams ----

struct StreamHandle {
  explicit StreamHandle(ContextHandle& context) : context(context) {}
  ContextHandle& context;
  std::deque<Command> queue;
  // The graph that records instead.
  GraphHandle* capture = nullptr;
};

// THALWEG_CUDA_EMULATION=lazy: nothing is done before something waits for it, which shows up a host that reuses memory early.
bool isLazy();
// The stream of a handle, the context's default stream for null; null if there is no such stream in this context.
StreamHandle* streamOf(Stream handle, ContextHandle& context);
void enqueue(StreamHandle& stream, Command command);
void runNext(StreamHandle& stream);
void drain(StreamHandle& stream);
void drain(ContextHandle& context);
void destroyStreams(ContextHandle& context);

// ---- modules ----

struct FunctionHandle {
  ModuleHandle* module;
  std::string name;
  void* entry;
  uint32_t dynamicSharedLimit = 48 * 1024;
};

void destroyModule(ModuleHandle* module);

struct KernelCommand {
  FunctionHandle* function;
  uint32_t grid[3];
  uint32_t block[3];
  uint32_t sharedBytes;
  std::vector<uint64_t> arguments;

  Status check(const ContextHandle& context) const;
  void operator()(ContextHandle& context) const;
};

// The parameters from the `extra` of a launch; false if it has none.
bool unpackExtra(void** extra, std::vector<uint64_t>& arguments);

// ---- graphs ----

struct GraphBody;

enum class NodeKind { kernel, fill, child, other };

struct Node {
  NodeKind kind;
  std::vector<size_t> after;
  Command command;
  std::shared_ptr<const GraphBody> child;
};

struct GraphBody {
  std::vector<Node> nodes;
};

struct GraphNodeHandle {
  GraphHandle* graph;
  size_t index;
};

struct GraphHandle {
  GraphBody body;
  std::vector<std::unique_ptr<GraphNodeHandle>> nodes;
  // Adds a node after the one added last.
  void append(NodeKind kind, Command command);
};

// What an emulated cubin begins with; a shared object follows.
struct ImageHeader {
  char magic[8];
  uint64_t version;
  uint64_t bytes;
};
inline constexpr char imageMagic[9] = "thalweg\n";
// Of the texts that device code is compiled with: an image of others has another layout.
uint64_t imageVersion();

}  // namespace thalweg::driver
