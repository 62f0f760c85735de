/**
 * The part of the CUDA driver's binary interface that the addon uses, in our own words, so that building needs no
 * toolkit. The names with suffixes are the exported symbols: a driver keeps exporting them for ever, so what is written
 * here holds for CUDA 12 and for CUDA 13 alike. `test/abi.cc` compares all of it with the toolkit's header where there is
 * one.
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace thalweg::driver {

using Status = int;
using Device = int;
using Address = unsigned long long;
using Context = struct ContextHandle*;
using Module = struct ModuleHandle*;
using Function = struct FunctionHandle*;
using Kernel = struct KernelHandle*;
using Stream = struct StreamHandle*;
using Event = struct EventHandle*;
using Graph = struct GraphHandle*;
using GraphNode = struct GraphNodeHandle*;
using GraphExec = struct GraphExecHandle*;

inline constexpr Status success = 0;
inline constexpr Status notReady = 600;

inline constexpr int attributeClockRate = 13;
inline constexpr int attributeMultiprocessorCount = 16;
inline constexpr int attributeMemoryClockRate = 36;
inline constexpr int attributeMemoryBusWidth = 37;
inline constexpr int attributeL2CacheSize = 38;
inline constexpr int attributeComputeCapabilityMajor = 75;
inline constexpr int attributeComputeCapabilityMinor = 76;
inline constexpr int attributeSharedBytesPerMultiprocessor = 81;
inline constexpr int attributeSharedBytesPerBlock = 97;

inline constexpr int functionSharedBytes = 1;
inline constexpr int functionLocalBytes = 3;
inline constexpr int functionRegisters = 4;
inline constexpr int functionMaxDynamicSharedBytes = 8;

inline constexpr unsigned scheduleAuto = 0;
inline constexpr unsigned hostAllocPortable = 1;
inline constexpr unsigned streamNonBlocking = 1;
inline constexpr unsigned eventDefault = 0;
inline constexpr unsigned eventDisableTiming = 2;
inline constexpr int captureRelaxed = 2;

/** Keys of the `extra` of a launch: the parameters as one packed buffer, and its size. Written as pointers. */
inline constexpr std::uintptr_t launchEndKey = 0;
inline constexpr std::uintptr_t launchBufferPointerKey = 1;
inline constexpr std::uintptr_t launchBufferSizeKey = 2;

struct Uuid {
  char bytes[16];
};

/** CUDA_KERNEL_NODE_PARAMS_v2. */
struct KernelNodeParameters {
  Function function;
  unsigned gridX;
  unsigned gridY;
  unsigned gridZ;
  unsigned blockX;
  unsigned blockY;
  unsigned blockZ;
  unsigned sharedBytes;
  void** parameters;
  void** extra;
  Kernel kernel;
  Context context;
};

/** CUDA_MEMSET_NODE_PARAMS_v1. */
struct MemsetNodeParameters {
  Address to;
  std::size_t pitch;
  unsigned value;
  unsigned elementBytes;
  std::size_t width;
  std::size_t height;
};

}  // namespace thalweg::driver

/** Every function of the driver that the addon calls: `X(exported name, its type)`. */
#define THALWEG_DRIVER_FUNCTIONS(X)                                                                                    \
  X(cuInit, Status(unsigned flags))                                                                                    \
  X(cuDriverGetVersion, Status(int* version))                                                                          \
  X(cuGetErrorName, Status(Status status, const char** name))                                                          \
  X(cuGetErrorString, Status(Status status, const char** description))                                                 \
  X(cuDeviceGetCount, Status(int* count))                                                                              \
  X(cuDeviceGet, Status(Device* device, int ordinal))                                                                  \
  X(cuDeviceGetName, Status(char* name, int bytes, Device device))                                                     \
  X(cuDeviceGetAttribute, Status(int* value, int attribute, Device device))                                            \
  X(cuDeviceTotalMem_v2, Status(std::size_t* bytes, Device device))                                                    \
  X(cuDeviceGetUuid_v2, Status(Uuid* uuid, Device device))                                                             \
  X(cuCtxCreate_v2, Status(Context* context, unsigned flags, Device device))                                           \
  X(cuCtxDestroy_v2, Status(Context context))                                                                          \
  X(cuCtxPushCurrent_v2, Status(Context context))                                                                      \
  X(cuCtxPopCurrent_v2, Status(Context* context))                                                                      \
  X(cuCtxSynchronize, Status())                                                                                        \
  X(cuCtxGetStreamPriorityRange, Status(int* least, int* greatest))                                                    \
  X(cuMemGetInfo_v2, Status(std::size_t* free, std::size_t* total))                                                    \
  X(cuMemAlloc_v2, Status(Address* address, std::size_t bytes))                                                        \
  X(cuMemFree_v2, Status(Address address))                                                                             \
  X(cuMemHostAlloc, Status(void** memory, std::size_t bytes, unsigned flags))                                          \
  X(cuMemFreeHost, Status(void* memory))                                                                               \
  X(cuMemcpyHtoDAsync_v2, Status(Address to, const void* from, std::size_t bytes, Stream stream))                      \
  X(cuMemcpyDtoHAsync_v2, Status(void* to, Address from, std::size_t bytes, Stream stream))                            \
  X(cuMemcpyDtoDAsync_v2, Status(Address to, Address from, std::size_t bytes, Stream stream))                          \
  X(cuMemsetD32Async, Status(Address to, unsigned word, std::size_t words, Stream stream))                             \
  X(cuModuleLoadData, Status(Module* module, const void* image))                                                       \
  X(cuModuleUnload, Status(Module module))                                                                             \
  X(cuModuleGetFunction, Status(Function* function, Module module, const char* name))                                  \
  X(cuFuncGetAttribute, Status(int* value, int attribute, Function function))                                          \
  X(cuFuncSetAttribute, Status(Function function, int attribute, int value))                                           \
  X(cuOccupancyMaxActiveBlocksPerMultiprocessor,                                                                       \
    Status(int* blocks, Function function, int threads, std::size_t sharedBytes))                                      \
  X(cuLaunchKernel, Status(Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,         \
                           unsigned blockY, unsigned blockZ, unsigned sharedBytes, Stream stream, void** parameters,   \
                           void** extra))                                                                              \
  X(cuStreamCreateWithPriority, Status(Stream* stream, unsigned flags, int priority))                                  \
  X(cuStreamDestroy_v2, Status(Stream stream))                                                                         \
  X(cuStreamQuery, Status(Stream stream))                                                                              \
  X(cuStreamSynchronize, Status(Stream stream))                                                                        \
  X(cuStreamWaitEvent, Status(Stream stream, Event event, unsigned flags))                                             \
  X(cuStreamBeginCapture_v2, Status(Stream stream, int mode))                                                          \
  X(cuStreamEndCapture, Status(Stream stream, Graph* graph))                                                           \
  X(cuEventCreate, Status(Event* event, unsigned flags))                                                               \
  X(cuEventDestroy_v2, Status(Event event))                                                                            \
  X(cuEventRecord, Status(Event event, Stream stream))                                                                 \
  X(cuEventQuery, Status(Event event))                                                                                 \
  X(cuEventSynchronize, Status(Event event))                                                                           \
  X(cuEventElapsedTime, Status(float* milliseconds, Event start, Event end))                                           \
  X(cuGraphCreate, Status(Graph* graph, unsigned flags))                                                               \
  X(cuGraphDestroy, Status(Graph graph))                                                                               \
  X(cuGraphAddKernelNode_v2, Status(GraphNode* node, Graph graph, const GraphNode* dependencies,                       \
                                    std::size_t dependencyCount, const KernelNodeParameters* parameters))              \
  X(cuGraphAddMemsetNode, Status(GraphNode* node, Graph graph, const GraphNode* dependencies,                          \
                                 std::size_t dependencyCount, const MemsetNodeParameters* parameters, Context context)) \
  X(cuGraphAddChildGraphNode, Status(GraphNode* node, Graph graph, const GraphNode* dependencies,                      \
                                     std::size_t dependencyCount, Graph child))                                        \
  X(cuGraphInstantiateWithFlags, Status(GraphExec* exec, Graph graph, unsigned long long flags))                       \
  X(cuGraphExecKernelNodeSetParams_v2,                                                                                 \
    Status(GraphExec exec, GraphNode node, const KernelNodeParameters* parameters))                                    \
  X(cuGraphExecMemsetNodeSetParams,                                                                                    \
    Status(GraphExec exec, GraphNode node, const MemsetNodeParameters* parameters, Context context))                   \
  X(cuGraphExecChildGraphNodeSetParams, Status(GraphExec exec, GraphNode node, Graph child))                           \
  X(cuGraphLaunch, Status(GraphExec exec, Stream stream))                                                              \
  X(cuGraphExecDestroy, Status(GraphExec exec))
