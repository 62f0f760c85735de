/**
 * Compares our declarations of CUDA's binary interface (the headers named Api) with the toolkit's own headers: names,
 * parameters, layouts and numbers. Nothing of it is run; that it compiles is the check.
 */

// Declares the older versions of functions too, under the names that drivers export.
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>

#include <cstddef>
#include <type_traits>

#include "../src/cublasLtApi.h"
#include "../src/driverApi.h"
#include "../src/nvrtcApi.h"

#if __has_include(<nvrtc.h>)
#include <nvrtc.h>
#endif
#if __has_include(<cublasLt.h>)
#include <cublasLt.h>
#endif

namespace {

/**
 * A type as the calling convention sees it: enumerations are ints, integers of one size and sign are one type, and pointers to
 * structures (whose layouts are compared below) and to nothing in particular are one type.
 */
template <class Type>
struct Plain {
  using type = Type;
};

template <class Type>
using PlainOf = typename Plain<Type>::type;

template <class Type>
  requires std::is_enum_v<Type>
struct Plain<Type> {
  using type = int;
  static_assert(sizeof(Type) == sizeof(int));
};

template <>
struct Plain<unsigned long> {
  using type = std::conditional_t<sizeof(unsigned long) == 8, unsigned long long, unsigned>;
};

template <>
struct Plain<long> {
  using type = std::conditional_t<sizeof(long) == 8, long long, int>;
};

template <class Type>
struct Plain<const Type> {
  using type = const PlainOf<Type>;
};

template <class Type>
struct Plain<Type*> {
  using type = std::conditional_t<
      std::is_class_v<Type> || std::is_void_v<Type>,
      std::conditional_t<std::is_const_v<Type>, const void*, void*>,
      PlainOf<Type>*>;
};

template <class Result, class... Parameters>
struct Plain<Result(Parameters...)> {
  using type = PlainOf<Result>(PlainOf<Parameters>...);
};

#define COMPARE_FUNCTION(name, ...) \
  static_assert(std::is_same_v<PlainOf<decltype(::name)>, PlainOf<__VA_ARGS__>>, #name);

namespace driver {
using namespace thalweg::driver;

THALWEG_DRIVER_FUNCTIONS(COMPARE_FUNCTION)

static_assert(success == CUDA_SUCCESS);
static_assert(notReady == CUDA_ERROR_NOT_READY);
static_assert(attributeClockRate == CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
static_assert(attributeMultiprocessorCount == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
static_assert(attributeMemoryClockRate == CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE);
static_assert(attributeMemoryBusWidth == CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
static_assert(attributeL2CacheSize == CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
static_assert(attributeComputeCapabilityMajor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
static_assert(attributeComputeCapabilityMinor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
static_assert(attributeSharedBytesPerMultiprocessor == CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
static_assert(attributeSharedBytesPerBlock == CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
static_assert(functionSharedBytes == CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
static_assert(functionLocalBytes == CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
static_assert(functionRegisters == CU_FUNC_ATTRIBUTE_NUM_REGS);
static_assert(functionMaxDynamicSharedBytes == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
static_assert(scheduleAuto == CU_CTX_SCHED_AUTO);
static_assert(hostAllocPortable == CU_MEMHOSTALLOC_PORTABLE);
static_assert(streamNonBlocking == CU_STREAM_NON_BLOCKING);
static_assert(eventDefault == CU_EVENT_DEFAULT);
static_assert(eventDisableTiming == CU_EVENT_DISABLE_TIMING);
static_assert(captureRelaxed == CU_STREAM_CAPTURE_MODE_RELAXED);
static_assert(launchEndKey == CU_LAUNCH_PARAM_END_AS_INT);
static_assert(launchBufferPointerKey == CU_LAUNCH_PARAM_BUFFER_POINTER_AS_INT);
static_assert(launchBufferSizeKey == CU_LAUNCH_PARAM_BUFFER_SIZE_AS_INT);

#define COMPARE_FIELD(ours, field, theirs, theirField) \
  static_assert(offsetof(ours, field) == offsetof(theirs, theirField) && sizeof(ours::field) == sizeof(theirs::theirField));

static_assert(sizeof(Uuid) == sizeof(CUuuid));
static_assert(sizeof(KernelNodeParameters) == sizeof(CUDA_KERNEL_NODE_PARAMS_v2));
COMPARE_FIELD(KernelNodeParameters, function, CUDA_KERNEL_NODE_PARAMS_v2, func)
COMPARE_FIELD(KernelNodeParameters, gridX, CUDA_KERNEL_NODE_PARAMS_v2, gridDimX)
COMPARE_FIELD(KernelNodeParameters, gridY, CUDA_KERNEL_NODE_PARAMS_v2, gridDimY)
COMPARE_FIELD(KernelNodeParameters, gridZ, CUDA_KERNEL_NODE_PARAMS_v2, gridDimZ)
COMPARE_FIELD(KernelNodeParameters, blockX, CUDA_KERNEL_NODE_PARAMS_v2, blockDimX)
COMPARE_FIELD(KernelNodeParameters, blockY, CUDA_KERNEL_NODE_PARAMS_v2, blockDimY)
COMPARE_FIELD(KernelNodeParameters, blockZ, CUDA_KERNEL_NODE_PARAMS_v2, blockDimZ)
COMPARE_FIELD(KernelNodeParameters, sharedBytes, CUDA_KERNEL_NODE_PARAMS_v2, sharedMemBytes)
COMPARE_FIELD(KernelNodeParameters, parameters, CUDA_KERNEL_NODE_PARAMS_v2, kernelParams)
COMPARE_FIELD(KernelNodeParameters, extra, CUDA_KERNEL_NODE_PARAMS_v2, extra)
COMPARE_FIELD(KernelNodeParameters, kernel, CUDA_KERNEL_NODE_PARAMS_v2, kern)
COMPARE_FIELD(KernelNodeParameters, context, CUDA_KERNEL_NODE_PARAMS_v2, ctx)
static_assert(sizeof(MemsetNodeParameters) == sizeof(CUDA_MEMSET_NODE_PARAMS_v1));
COMPARE_FIELD(MemsetNodeParameters, to, CUDA_MEMSET_NODE_PARAMS_v1, dst)
COMPARE_FIELD(MemsetNodeParameters, pitch, CUDA_MEMSET_NODE_PARAMS_v1, pitch)
COMPARE_FIELD(MemsetNodeParameters, value, CUDA_MEMSET_NODE_PARAMS_v1, value)
COMPARE_FIELD(MemsetNodeParameters, elementBytes, CUDA_MEMSET_NODE_PARAMS_v1, elementSize)
COMPARE_FIELD(MemsetNodeParameters, width, CUDA_MEMSET_NODE_PARAMS_v1, width)
COMPARE_FIELD(MemsetNodeParameters, height, CUDA_MEMSET_NODE_PARAMS_v1, height)
}  // namespace driver

#if __has_include(<nvrtc.h>)
namespace nvrtc {
using namespace thalweg::nvrtc;

THALWEG_NVRTC_FUNCTIONS(COMPARE_FUNCTION)

static_assert(success == NVRTC_SUCCESS);
}  // namespace nvrtc
#endif

#if __has_include(<cublasLt.h>)
namespace cublaslt {
using namespace thalweg::cublaslt;

THALWEG_CUBLASLT_FUNCTIONS(COMPARE_FUNCTION)

static_assert(success == CUBLAS_STATUS_SUCCESS);
static_assert(invalidValue == CUBLAS_STATUS_INVALID_VALUE);
static_assert(notSupported == CUBLAS_STATUS_NOT_SUPPORTED);
static_assert(plain == CUBLAS_OP_N);
static_assert(transposed == CUBLAS_OP_T);
static_assert(descriptionTransposeA == CUBLASLT_MATMUL_DESC_TRANSA);
static_assert(descriptionTransposeB == CUBLASLT_MATMUL_DESC_TRANSB);
static_assert(descriptionEpilogue == CUBLASLT_MATMUL_DESC_EPILOGUE);
static_assert(descriptionBiasPointer == CUBLASLT_MATMUL_DESC_BIAS_POINTER);
static_assert(descriptionBiasType == CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE);
static_assert(layoutBatchCount == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT);
static_assert(layoutBatchStride == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET);
static_assert(preferenceWorkspaceBytes == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
static_assert(preferenceAlignmentA == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
static_assert(preferenceAlignmentB == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
static_assert(preferenceAlignmentC == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
static_assert(preferenceAlignmentD == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
static_assert(epilogueBias == CUBLASLT_EPILOGUE_BIAS);
// The numbers that JavaScript passes through us (ProductDescription).
static_assert(CUBLAS_COMPUTE_32F == 68 && CUBLAS_COMPUTE_32F_FAST_TF32 == 77 && CUBLAS_COMPUTE_64F == 70);
static_assert(CUDA_R_32F == 0 && CUDA_R_64F == 1 && CUDA_R_16F == 2 && CUDA_R_16BF == 14);
static_assert(CUBLASLT_EPILOGUE_DEFAULT == 1 && CUBLASLT_EPILOGUE_RELU == 2 && CUBLASLT_EPILOGUE_RELU_BIAS == 6);
static_assert(sizeof(Algorithm) == sizeof(cublasLtMatmulAlgo_t));
static_assert(sizeof(Heuristic) == sizeof(cublasLtMatmulHeuristicResult_t));
COMPARE_FIELD(Heuristic, algorithm, cublasLtMatmulHeuristicResult_t, algo)
COMPARE_FIELD(Heuristic, workspaceBytes, cublasLtMatmulHeuristicResult_t, workspaceSize)
COMPARE_FIELD(Heuristic, state, cublasLtMatmulHeuristicResult_t, state)
}  // namespace cublaslt
#endif

}  // namespace
