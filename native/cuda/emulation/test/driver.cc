// The emulated libraries as a host uses them: memory that is checked, streams and events, graphs, modules that the host's
// compiler made, products, and faults that end a context and not the process.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "../../src/cublasLtApi.h"
#include "../../src/driverApi.h"
#include "../../src/nvrtcApi.h"

namespace thalweg::driver {
#define DECLARE(name, ...)         \
  using name##Type = __VA_ARGS__;  \
  extern "C" name##Type name;
THALWEG_DRIVER_FUNCTIONS(DECLARE)
}  // namespace thalweg::driver
namespace thalweg::nvrtc {
THALWEG_NVRTC_FUNCTIONS(DECLARE)
}
namespace thalweg::cublaslt {
THALWEG_CUBLASLT_FUNCTIONS(DECLARE)
}

using namespace thalweg::driver;
namespace rtc = thalweg::nvrtc;
namespace lt = thalweg::cublaslt;

static int failures = 0;

#define CHECK(condition)                                                                        \
  do {                                                                                          \
    if (!(condition) && failures++ < 20) printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
  } while (false)

static const char* const source = R"(
#include "scale.cuh"
extern "C" __global__ void scale(float* values, long long count, long long factor) {
  const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) values[i] = times(values[i], factor);
}
extern "C" __global__ void sums(float* values) {
  __shared__ float tile[64];
  DYNAMIC_SHARED(dynamic);
  const bool fresh = tile[threadIdx.x] != tile[threadIdx.x];
  tile[threadIdx.x] = values[threadIdx.x];
  __syncthreads();
  float sum = expf(0.0f) - 1.0f;
  for (int i = 0; i < 64; i++) sum += tile[i];
  __syncthreads();
  values[threadIdx.x] = fresh ? sum : -1;
  dynamic[threadIdx.x] = 0;
}
extern "C" __global__ void diverge(float* values) {
  if (threadIdx.x == 0) return;
  __syncthreads();
  values[0] = 1;
}
)";
static const char* const header = "__device__ inline float times(float value, long long factor) { return value * FACTOR * factor; }";

static std::string compile(const char* text, rtc::Status& status, std::string& log, const char* option = "--fmad=false") {
  const char* names[] = {"scale.cuh"};
  const char* headers[] = {header};
  rtc::Program program = nullptr;
  CHECK(rtc::nvrtcCreateProgram(&program, text, "source0.cu", 1, headers, names) == 0);
  const char* options[] = {"--gpu-architecture=sm_90", option, "--std=c++17", "-default-device", "-DFACTOR=2"};
  status = rtc::nvrtcCompileProgram(program, 5, options);
  std::size_t bytes = 0;
  CHECK(rtc::nvrtcGetProgramLogSize(program, &bytes) == 0);
  log.resize(bytes);
  CHECK(rtc::nvrtcGetProgramLog(program, log.data()) == 0);
  CHECK(rtc::nvrtcGetCUBINSize(program, &bytes) == 0);
  std::string image(bytes, 0);
  CHECK(rtc::nvrtcGetCUBIN(program, image.data()) == 0);
  CHECK(rtc::nvrtcDestroyProgram(&program) == 0 && program == nullptr);
  return image;
}

struct Extra {
  template <class... Values>
  explicit Extra(Values... values) : words{(unsigned long long)values...}, bytes(words.size() * 8) {}
  std::vector<unsigned long long> words;
  std::size_t bytes;
  void* list[5] = {reinterpret_cast<void*>(launchBufferPointerKey), words.data(), reinterpret_cast<void*>(launchBufferSizeKey),
                   &bytes, nullptr};
};

static void compiling() {
  rtc::Status status = 0;
  std::string log;
  compile("extern \"C\" __global__ void broken() { undeclared(); }", status, log);
  CHECK(status == 6 && log.find("source0.cu:1") != std::string::npos && log.find("undeclared") != std::string::npos);
  compile(source, status, log, "--no-such-option");
  CHECK(status == 5 && std::string(rtc::nvrtcGetErrorString(5)) == "NVRTC_ERROR_INVALID_OPTION");
  std::vector<std::thread> threads;
  bool done[4] = {};
  for (int i = 0; i < 4; i++)
    threads.emplace_back([&done, i] {
      rtc::Status itsStatus = 0;
      std::string itsLog;
      done[i] = !compile(source, itsStatus, itsLog).empty() && itsStatus == 0;
    });
  for (std::thread& thread : threads) thread.join();
  for (const bool each : done) CHECK(each);
}

static void memory() {
  Context context = nullptr, other = nullptr;
  CHECK(cuCtxCreate_v2(&other, 0, 0) == 0);
  Address foreign = 0;
  CHECK(cuMemAlloc_v2(&foreign, 64) == 0);
  CHECK(cuCtxCreate_v2(&context, 0, 0) == 0);
  std::size_t free = 0, total = 0, after = 0;
  CHECK(cuMemGetInfo_v2(&free, &total) == 0 && total == 1 << 20 && free == total - 256);
  Address a = 0, b = 0;
  CHECK(cuMemAlloc_v2(&a, 1000) == 0 && a % 256 == 0 && cuMemAlloc_v2(&b, 1000) == 0);
  CHECK(cuMemGetInfo_v2(&after, &total) == 0 && after == free - 2048);
  Address large = 0;
  CHECK(cuMemAlloc_v2(&large, 1 << 21) == 2 && cuMemAlloc_v2(&large, 0) == 1);
  unsigned words[250];
  CHECK(cuMemcpyDtoHAsync_v2(words, a, 1000, nullptr) == 0 && words[0] == 0xffffffffu && words[249] == 0xffffffffu);
  CHECK(cuMemsetD32Async(a, 7, 250, nullptr) == 0 && cuMemcpyDtoDAsync_v2(b, a, 1000, nullptr) == 0);
  CHECK(cuMemcpyDtoHAsync_v2(words, b, 1000, nullptr) == 0 && words[0] == 7 && words[249] == 7);
  CHECK(cuMemsetD32Async(a, 7, 251, nullptr) == 1 && cuMemsetD32Async(a + 2, 7, 10, nullptr) == 1);
  CHECK(cuMemcpyDtoDAsync_v2(b, foreign, 64, nullptr) == 1 && cuMemcpyHtoDAsync_v2(a + 4, words, 1000, nullptr) == 1);
  CHECK(cuMemFree_v2(b) == 0 && cuMemFree_v2(b) == 1 && cuMemcpyDtoHAsync_v2(words, b, 4, nullptr) == 1);
  CHECK(cuCtxDestroy_v2(context) == 0 && cuCtxDestroy_v2(context) == 201 && cuCtxDestroy_v2(other) == 0);
  CHECK(cuMemAlloc_v2(&a, 4) == 201);
  CHECK(cuCtxCreate_v2(&context, 0, 0) == 0 && cuMemGetInfo_v2(&free, &total) == 0 && free == total);
  CHECK(cuCtxDestroy_v2(context) == 0);
}

static Module load() {
  rtc::Status status = 0;
  std::string log;
  const std::string image = compile(source, status, log);
  if (status != 0) printf("%s\n", log.c_str());
  Module module = nullptr;
  CHECK(cuModuleLoadData(&module, image.data()) == 0);
  return module;
}

static void streams(bool lazy) {
  setenv("THALWEG_CUDA_EMULATION", lazy ? "lazy" : "eager", 1);
  Context context = nullptr;
  CHECK(cuCtxCreate_v2(&context, 0, 1) == 0);
  const Module module = load();
  CHECK(cuModuleLoadData(nullptr, "no image at all, but text") == 200);
  Function scale = nullptr;
  CHECK(cuModuleGetFunction(&scale, module, "missing") == 500 && cuModuleGetFunction(&scale, module, "scale") == 0);
  void* pinned = nullptr;
  CHECK(cuMemHostAlloc(&pinned, 400, hostAllocPortable) == 0);
  float* host = static_cast<float*>(pinned);
  Address device = 0;
  CHECK(cuMemAlloc_v2(&device, 400) == 0);
  Stream upload = nullptr, compute = nullptr;
  Event uploaded = nullptr, computed = nullptr, unused = nullptr;
  CHECK(cuStreamCreateWithPriority(&upload, streamNonBlocking, -5) == 0);
  CHECK(cuStreamCreateWithPriority(&compute, streamNonBlocking, 0) == 0);
  CHECK(cuEventCreate(&uploaded, eventDefault) == 0 && cuEventCreate(&computed, eventDefault) == 0);
  CHECK(cuEventCreate(&unused, eventDisableTiming) == 0);
  for (int i = 0; i < 100; i++) host[i] = float(i);
  CHECK(cuMemcpyHtoDAsync_v2(device, host, 400, upload) == 0);
  CHECK(cuEventRecord(uploaded, upload) == 0 && cuStreamWaitEvent(compute, uploaded, 0) == 0);
  Extra extra(device, 100, 3);
  CHECK(cuLaunchKernel(scale, 2, 1, 1, 64, 1, 1, 0, compute, nullptr, extra.list) == 0);
  CHECK(cuLaunchKernel(scale, 0, 1, 1, 64, 1, 1, 0, compute, nullptr, extra.list) == 1);
  CHECK(cuLaunchKernel(scale, 1, 1, 1, 64, 1, 1, 60000, compute, nullptr, extra.list) == 1);
  CHECK(cuMemcpyDtoHAsync_v2(host, device, 400, compute) == 0 && cuEventRecord(computed, compute) == 0);
  // A host that writes to pinned memory too early is found out only when the copy has not yet been made.
  host[1] = 50;
  CHECK(cuEventQuery(unused) == 0);
  int asked = 0;
  while (cuEventQuery(computed) == notReady) asked++;
  CHECK(lazy ? asked > 0 : asked == 0);
  CHECK(cuEventSynchronize(computed) == 0 && cuStreamSynchronize(compute) == 0 && cuStreamQuery(upload) == 0);
  CHECK(host[99] == 594 && host[1] == (lazy ? 300 : 50));
  float milliseconds = -1;
  CHECK(cuEventElapsedTime(&milliseconds, uploaded, computed) == 0 && milliseconds >= 0);
  CHECK(cuEventElapsedTime(&milliseconds, unused, computed) == 400);
  int blocks = 0, registers = 0;
  CHECK(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, scale, 256, 0) == 0 && blocks == 8);
  CHECK(cuFuncGetAttribute(&registers, functionRegisters, scale) == 0 && registers > 0);
  CHECK(cuModuleUnload(module) == 0 && cuModuleUnload(module) == 400);
  CHECK(cuLaunchKernel(scale, 2, 1, 1, 64, 1, 1, 0, compute, nullptr, extra.list) == 400);
  CHECK(cuStreamDestroy_v2(compute) == 0 && cuStreamDestroy_v2(upload) == 0 && cuEventDestroy_v2(computed) == 0);
  CHECK(cuMemFreeHost(pinned) == 0 && cuMemFreeHost(pinned) == 1);
  CHECK(cuCtxDestroy_v2(context) == 0);
}

static void graphs(const char* order) {
  setenv("THALWEG_CUDA_EMULATION_ORDER", order, 1);
  setenv("THALWEG_CUDA_EMULATION", "lazy", 1);
  Context context = nullptr;
  CHECK(cuCtxCreate_v2(&context, 0, 0) == 0);
  const Module module = load();
  Function scale = nullptr, sums = nullptr;
  CHECK(cuModuleGetFunction(&scale, module, "scale") == 0 && cuModuleGetFunction(&sums, module, "sums") == 0);
  CHECK(cuFuncSetAttribute(sums, functionMaxDynamicSharedBytes, 300000) == 1);
  CHECK(cuFuncSetAttribute(sums, functionMaxDynamicSharedBytes, 100000) == 0);
  Address device = 0;
  CHECK(cuMemAlloc_v2(&device, 256) == 0);
  Stream stream = nullptr;
  CHECK(cuStreamCreateWithPriority(&stream, streamNonBlocking, 0) == 0);

  Graph graph = nullptr, captured = nullptr;
  GraphNode fill = nullptr, fillRest = nullptr, kernel = nullptr, child = nullptr;
  CHECK(cuGraphCreate(&graph, 0) == 0);
  // Two fills that need not be ordered, then a kernel, then what a stream recorded.
  MemsetNodeParameters parameters{device, 0, 0x3f800000u, 4, 32, 1};
  CHECK(cuGraphAddMemsetNode(&fill, graph, nullptr, 0, &parameters, context) == 0);
  parameters.to += 128;
  CHECK(cuGraphAddMemsetNode(&fillRest, graph, nullptr, 0, &parameters, context) == 0);
  Extra three(device, 64, 3);
  KernelNodeParameters launch{};
  launch.function = scale;
  launch.gridX = launch.gridY = launch.gridZ = launch.blockY = launch.blockZ = 1;
  launch.blockX = 64;
  launch.extra = three.list;
  const GraphNode fills[] = {fill, fillRest};
  CHECK(cuGraphAddKernelNode_v2(&kernel, graph, fills, 2, &launch) == 0);
  Extra all(device);
  CHECK(cuStreamBeginCapture_v2(stream, captureRelaxed) == 0);
  CHECK(cuLaunchKernel(sums, 1, 1, 1, 64, 1, 1, 90000, stream, nullptr, all.list) == 0);
  CHECK(cuStreamSynchronize(stream) == 900);
  CHECK(cuStreamEndCapture(stream, &captured) == 0 && cuGraphDestroy(captured) == 0);
  CHECK(cuStreamEndCapture(stream, &captured) == 903);
  CHECK(captured == nullptr);
  CHECK(cuStreamBeginCapture_v2(stream, captureRelaxed) == 0);
  CHECK(cuLaunchKernel(sums, 1, 1, 1, 64, 1, 1, 90000, stream, nullptr, all.list) == 0);
  CHECK(cuStreamEndCapture(stream, &captured) == 0);
  CHECK(cuGraphAddChildGraphNode(&child, graph, &kernel, 1, captured) == 0);
  GraphExec exec = nullptr;
  CHECK(cuGraphInstantiateWithFlags(&exec, graph, 0) == 0);

  float result[64];
  CHECK(cuGraphLaunch(exec, stream) == 0);
  // What is changed now is for the next launch.
  Extra five(device, 64, 5);
  launch.extra = five.list;
  CHECK(cuGraphExecKernelNodeSetParams_v2(exec, kernel, &launch) == 0);
  CHECK(cuGraphExecKernelNodeSetParams_v2(exec, fill, &launch) == 1);
  CHECK(cuMemcpyDtoHAsync_v2(result, device, 256, stream) == 0 && result[0] == 384 && result[63] == 384);
  parameters = {device, 0, 0x40000000u, 4, 32, 1};
  CHECK(cuGraphExecMemsetNodeSetParams(exec, fill, &parameters, context) == 0);
  CHECK(cuGraphExecChildGraphNodeSetParams(exec, child, captured) == 0);
  CHECK(cuGraphExecChildGraphNodeSetParams(exec, child, graph) == 910);
  CHECK(cuGraphLaunch(exec, stream) == 0);
  CHECK(cuMemcpyDtoHAsync_v2(result, device, 256, stream) == 0 && result[0] == 960 && result[63] == 960);
  CHECK(cuGraphDestroy(captured) == 0 && cuGraphExecDestroy(exec) == 0 && cuGraphDestroy(graph) == 0);
  CHECK(cuCtxDestroy_v2(context) == 0);
  unsetenv("THALWEG_CUDA_EMULATION");
  unsetenv("THALWEG_CUDA_EMULATION_ORDER");
}

static void faults() {
  Context context = nullptr, other = nullptr;
  CHECK(cuCtxCreate_v2(&other, 0, 0) == 0);
  Address foreign = 0;
  CHECK(cuMemAlloc_v2(&foreign, 256) == 0);
  for (int kind = 0; kind < 4; kind++) {
    CHECK(cuCtxCreate_v2(&context, 0, 0) == 0);
    const Module module = load();
    Function scale = nullptr, diverge = nullptr;
    CHECK(cuModuleGetFunction(&scale, module, "scale") == 0 && cuModuleGetFunction(&diverge, module, "diverge") == 0);
    Address device = 0, freed = 0;
    CHECK(cuMemAlloc_v2(&device, 4096) == 0 && cuMemAlloc_v2(&freed, 256) == 0 && cuMemFree_v2(freed) == 0);
    Extra beyond(device, 1025, 1), stale(freed, 64, 1), alien(foreign, 64, 1), values(device);
    void** extras[] = {beyond.list, stale.list, alien.list, values.list};
    CHECK(cuLaunchKernel(kind == 3 ? diverge : scale, 5, 1, 1, 256, 1, 1, 0, nullptr, nullptr, extras[kind]) == 0);
    const Status expected = kind == 3 ? 719 : 700;
    CHECK(cuCtxSynchronize() == expected && cuMemAlloc_v2(&freed, 4) == expected);
    const char *name = nullptr, *text = nullptr;
    CHECK(cuGetErrorName(expected, &name) == 0 && cuGetErrorString(expected, &text) == 0);
    CHECK(strstr(name, kind == 3 ? "LAUNCH_FAILED" : "ILLEGAL_ADDRESS") != nullptr);
    CHECK(strstr(text, kind == 3 ? "diverge: block (0, 0, 0)" : "scale: ") != nullptr);
    CHECK(cuCtxDestroy_v2(context) == 0);
    // The other context is none the worse.
    CHECK(cuMemsetD32Async(foreign, 1, 64, nullptr) == 0 && cuCtxSynchronize() == 0);
  }
  CHECK(cuCtxDestroy_v2(other) == 0);
}

// Of whole numbers and 2^-12 more: only where the whole number is 0 do the ten bits hold it.
static float roundedToTf32(float value) { return std::fabs(value) < 0.5f ? value : std::round(value); }

static void products() {
  Context context = nullptr;
  CHECK(cuCtxCreate_v2(&context, 0, 0) == 0);
  lt::Handle handle = nullptr;
  CHECK(lt::cublasLtCreate(&handle) == 0);
  constexpr int m = 8, n = 5, k = 3;
  Address memory[4];
  for (Address& each : memory) CHECK(cuMemAlloc_v2(&each, 1024) == 0);
  float a[k * m], b[k * n], bias[m], d[n * m];
  for (int i = 0; i < k * m; i++) a[i] = float(i % 5) - 2 + 0x1p-12f;
  for (int i = 0; i < k * n; i++) b[i] = float(i % 7) - 3;
  for (int i = 0; i < m; i++) bias[i] = float(i);
  CHECK(cuMemcpyHtoDAsync_v2(memory[0], a, sizeof a, nullptr) == 0 && cuMemcpyHtoDAsync_v2(memory[1], b, sizeof b, nullptr) == 0);
  CHECK(cuMemcpyHtoDAsync_v2(memory[3], bias, sizeof bias, nullptr) == 0);
  for (const int computeType : {68, 77}) {
    lt::MatmulDescription description = nullptr;
    CHECK(lt::cublasLtMatmulDescCreate(&description, computeType, 0) == 0);
    const std::int32_t transposeA = 1;
    std::uint32_t epilogue = 6;
    CHECK(lt::cublasLtMatmulDescSetAttribute(description, lt::descriptionTransposeA, &transposeA, 4) == 0);
    CHECK(lt::cublasLtMatmulDescSetAttribute(description, lt::descriptionTransposeA, &transposeA, 8) == 7);
    CHECK(lt::cublasLtMatmulDescSetAttribute(description, lt::descriptionEpilogue, &epilogue, 4) == 0);
    const void* pointer = reinterpret_cast<const void*>(memory[3]);
    CHECK(lt::cublasLtMatmulDescSetAttribute(description, lt::descriptionBiasPointer, &pointer, 8) == 0);
    // A is transposed: as it lies it has k rows.
    lt::MatrixLayout aLayout = nullptr, bLayout = nullptr, dLayout = nullptr, odd = nullptr;
    CHECK(lt::cublasLtMatrixLayoutCreate(&aLayout, 0, k, m, k) == 0 && lt::cublasLtMatrixLayoutCreate(&bLayout, 0, k, n, k) == 0);
    CHECK(lt::cublasLtMatrixLayoutCreate(&dLayout, 0, m, n, m) == 0 && lt::cublasLtMatrixLayoutCreate(&odd, 0, m, n, m + 1) == 0);
    lt::Preference preference = nullptr;
    CHECK(lt::cublasLtMatmulPreferenceCreate(&preference) == 0);
    const std::uint64_t workspace = 1 << 20;
    const std::uint32_t alignment = 16;
    CHECK(lt::cublasLtMatmulPreferenceSetAttribute(preference, lt::preferenceWorkspaceBytes, &workspace, 8) == 0);
    for (const int attribute : {5, 6, 7, 8})
      CHECK(lt::cublasLtMatmulPreferenceSetAttribute(preference, attribute, &alignment, 4) == 0);
    lt::Heuristic found[3];
    int count = 0;
    CHECK(lt::cublasLtMatmulAlgoGetHeuristic(handle, description, aLayout, bLayout, odd, odd, preference, 3, found, &count) == 15);
    CHECK(lt::cublasLtMatmulAlgoGetHeuristic(handle, description, bLayout, bLayout, dLayout, dLayout, preference, 3, found, &count) == 7);
    CHECK(lt::cublasLtMatmulAlgoGetHeuristic(handle, description, aLayout, bLayout, dLayout, dLayout, preference, 3, found, &count) == 0);
    CHECK(count == 2 && found[0].workspaceBytes == 0 && found[1].workspaceBytes == workspace);
    CHECK(cuMemsetD32Async(memory[2], 0x3f800000u, m * n, nullptr) == 0);
    const float alpha = 2, beta = 3;
    const auto run = [&](Address at, const lt::Algorithm& algorithm) {
      void* out = reinterpret_cast<void*>(at);
      return lt::cublasLtMatmul(handle, description, &alpha, reinterpret_cast<void*>(memory[0]), aLayout,
                                reinterpret_cast<void*>(memory[1]), bLayout, &beta, out, dLayout, out, dLayout, &algorithm,
                                nullptr, 0, nullptr);
    };
    CHECK(run(memory[2] + 4, found[0].algorithm) == 7 && run(memory[2], found[1].algorithm) == 7);
    CHECK(run(memory[2], found[0].algorithm) == 0);
    CHECK(cuMemcpyDtoHAsync_v2(d, memory[2], sizeof d, nullptr) == 0);
    for (int column = 0; column < n; column++)
      for (int row = 0; row < m; row++) {
        float sum = 0;
        for (int inner = 0; inner < k; inner++)
          sum += (computeType == 77 ? roundedToTf32(a[row * k + inner]) : a[row * k + inner]) * b[column * k + inner];
        const float expected = std::fmax(2 * sum + 3 + bias[row], 0.0f);
        CHECK(std::fabs(d[column * m + row] - expected) < 1e-5f);
      }
    lt::cublasLtMatmulPreferenceDestroy(preference);
    for (const lt::MatrixLayout layout : {aLayout, bLayout, dLayout, odd}) lt::cublasLtMatrixLayoutDestroy(layout);
    lt::cublasLtMatmulDescDestroy(description);
  }
  CHECK(lt::cublasLtDestroy(handle) == 0 && cuCtxDestroy_v2(context) == 0);
}

// 16-bit numbers, batches and float64, each against sums that are exact.
static void types() {
  Context context = nullptr;
  CHECK(cuCtxCreate_v2(&context, 0, 0) == 0);
  lt::Handle handle = nullptr;
  CHECK(lt::cublasLtCreate(&handle) == 0);
  struct Case {
    int inputs, output, compute, scale;
    bool possible;
  };
  for (const Case& its : {Case{2, 2, 68, 0, true}, Case{2, 0, 68, 0, true}, Case{14, 14, 68, 0, true}, Case{14, 0, 68, 0, true},
                          Case{1, 1, 70, 1, true}, Case{14, 2, 68, 0, false}, Case{2, 2, 77, 0, false}, Case{0, 0, 70, 1, false}}) {
    lt::MatmulDescription description = nullptr;
    lt::MatrixLayout layouts[3];
    lt::Preference preference = nullptr;
    CHECK(lt::cublasLtMatmulDescCreate(&description, its.compute, its.scale) == 0);
    const std::int32_t batch = 2;
    const std::int64_t stride = 64;
    for (int i = 0; i < 3; i++) {
      CHECK(lt::cublasLtMatrixLayoutCreate(&layouts[i], i == 2 ? its.output : its.inputs, 8, 8, 8) == 0);
      CHECK(lt::cublasLtMatrixLayoutSetAttribute(layouts[i], lt::layoutBatchCount, &batch, 4) == 0);
      CHECK(lt::cublasLtMatrixLayoutSetAttribute(layouts[i], lt::layoutBatchStride, &stride, 8) == 0);
    }
    CHECK(lt::cublasLtMatmulPreferenceCreate(&preference) == 0);
    lt::Heuristic found[1];
    int count = 0;
    const lt::Status status = lt::cublasLtMatmulAlgoGetHeuristic(handle, description, layouts[0], layouts[1], layouts[2],
                                                                 layouts[2], preference, 1, found, &count);
    CHECK(status == (its.possible ? 0 : 15) && count == (its.possible ? 1 : 0));
    if (its.possible) {
      // 1.5 in each type, everywhere: each sum is 8 · 1.5 · 1.5 = 18.
      const unsigned long long oneAndHalf = its.inputs == 1 ? 0x3ff8000000000000u : its.inputs == 2 ? 0x3e003e003e003e00u : 0x3fc03fc03fc03fc0u;
      const unsigned long long eighteen = its.output == 1   ? 0x4032000000000000u
                                          : its.output == 2 ? 0x4c804c804c804c80u
                                          : its.output == 0 ? 0x4190000041900000u
                                                            : 0x4190419041904190u;
      const std::size_t inBytes = its.inputs == 1 ? 1024 : 256, outBytes = its.output == 1 ? 1024 : its.output == 0 ? 512 : 256;
      Address in = 0, out = 0;
      CHECK(cuMemAlloc_v2(&in, inBytes) == 0 && cuMemAlloc_v2(&out, outBytes) == 0);
      const std::vector<unsigned long long> inputs(inBytes / 8, oneAndHalf);
      std::vector<unsigned long long> outputs(outBytes / 8);
      CHECK(cuMemcpyHtoDAsync_v2(in, inputs.data(), inBytes, nullptr) == 0);
      const double one = 1, none = 0;
      const float oneFloat = 1, noneFloat = 0;
      const void* alpha = its.scale == 1 ? static_cast<const void*>(&one) : &oneFloat;
      const void* beta = its.scale == 1 ? static_cast<const void*>(&none) : &noneFloat;
      CHECK(lt::cublasLtMatmul(handle, description, alpha, reinterpret_cast<void*>(in), layouts[0], reinterpret_cast<void*>(in),
                               layouts[1], beta, reinterpret_cast<void*>(out), layouts[2], reinterpret_cast<void*>(out),
                               layouts[2], &found[0].algorithm, nullptr, 0, nullptr) == 0);
      CHECK(cuMemcpyDtoHAsync_v2(outputs.data(), out, outBytes, nullptr) == 0);
      for (const unsigned long long word : outputs) CHECK(word == eighteen);
      CHECK(cuMemFree_v2(in) == 0 && cuMemFree_v2(out) == 0);
    }
    lt::cublasLtMatmulPreferenceDestroy(preference);
    for (const lt::MatrixLayout layout : layouts) lt::cublasLtMatrixLayoutDestroy(layout);
    lt::cublasLtMatmulDescDestroy(description);
  }
  CHECK(lt::cublasLtDestroy(handle) == 0 && cuCtxDestroy_v2(context) == 0);
}

int main() {
  setenv("THALWEG_CUDA_EMULATION_MEMORY", "1048576", 1);
  int count = 0;
  CHECK(cuDeviceGetCount(&count) == 3);
  CHECK(cuInit(0) == 0 && cuDeviceGetCount(&count) == 0 && count == 2);
  compiling();
  memory();
  streams(false);
  streams(true);
  for (const char* order : {"forward", "reverse", "shuffled"}) graphs(order);
  faults();
  products();
  types();
  if (failures == 0) printf("ok\n");
  return failures == 0 ? 0 : 1;
}
