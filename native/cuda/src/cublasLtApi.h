/** The part of cuBLASLt's binary interface that the addon uses; see driverApi.h. The same in cuBLAS 12 and 13. */
#pragma once

#include <cstddef>
#include <cstdint>

#include "driverApi.h"

namespace thalweg::cublaslt {

using Status = int;
using Handle = struct HandleHandle*;
using MatmulDescription = struct MatmulDescriptionHandle*;
using MatrixLayout = struct MatrixLayoutHandle*;
using Preference = struct PreferenceHandle*;
using Stream = driver::Stream;

inline constexpr Status success = 0;
inline constexpr Status invalidValue = 7;
inline constexpr Status notSupported = 15;

/** cublasOperation_t. */
inline constexpr std::int32_t plain = 0;
inline constexpr std::int32_t transposed = 1;

/** cublasLtMatmulDescAttributes_t. */
inline constexpr int descriptionTransposeA = 3;
inline constexpr int descriptionTransposeB = 4;
inline constexpr int descriptionEpilogue = 7;
inline constexpr int descriptionBiasPointer = 8;
inline constexpr int descriptionBiasType = 26;

/** cublasLtMatrixLayoutAttribute_t. */
inline constexpr int layoutBatchCount = 5;
inline constexpr int layoutBatchStride = 6;

/** cublasLtMatmulPreferenceAttributes_t. */
inline constexpr int preferenceWorkspaceBytes = 1;
inline constexpr int preferenceAlignmentA = 5;
inline constexpr int preferenceAlignmentB = 6;
inline constexpr int preferenceAlignmentC = 7;
inline constexpr int preferenceAlignmentD = 8;

/** Bit of cublasLtEpilogue_t that all epilogues with a bias have. */
inline constexpr int epilogueBias = 4;

/** cublasLtMatmulAlgo_t: opaque, copied by value. */
struct Algorithm {
  std::uint64_t data[8];
};

/** cublasLtMatmulHeuristicResult_t. */
struct Heuristic {
  Algorithm algorithm;
  std::size_t workspaceBytes;
  Status state;
  float waves;
  int reserved[4];
};

}  // namespace thalweg::cublaslt

/** Every function of cuBLASLt that the addon calls: `X(exported name, its type)`. */
#define THALWEG_CUBLASLT_FUNCTIONS(X)                                                                                  \
  X(cublasLtGetVersion, std::size_t())                                                                                 \
  X(cublasLtCreate, Status(Handle* handle))                                                                            \
  X(cublasLtDestroy, Status(Handle handle))                                                                            \
  X(cublasLtMatmulDescCreate, Status(MatmulDescription* description, int computeType, int scaleType))                  \
  X(cublasLtMatmulDescDestroy, Status(MatmulDescription description))                                                  \
  X(cublasLtMatmulDescSetAttribute,                                                                                    \
    Status(MatmulDescription description, int attribute, const void* value, std::size_t bytes))                        \
  X(cublasLtMatrixLayoutCreate,                                                                                        \
    Status(MatrixLayout* layout, int type, std::uint64_t rows, std::uint64_t columns, std::int64_t leading))           \
  X(cublasLtMatrixLayoutDestroy, Status(MatrixLayout layout))                                                          \
  X(cublasLtMatrixLayoutSetAttribute,                                                                                  \
    Status(MatrixLayout layout, int attribute, const void* value, std::size_t bytes))                                  \
  X(cublasLtMatmulPreferenceCreate, Status(Preference* preference))                                                    \
  X(cublasLtMatmulPreferenceDestroy, Status(Preference preference))                                                    \
  X(cublasLtMatmulPreferenceSetAttribute,                                                                              \
    Status(Preference preference, int attribute, const void* value, std::size_t bytes))                                \
  X(cublasLtMatmulAlgoGetHeuristic,                                                                                    \
    Status(Handle handle, MatmulDescription description, MatrixLayout a, MatrixLayout b, MatrixLayout c,               \
           MatrixLayout d, Preference preference, int wanted, Heuristic* results, int* found))                         \
  X(cublasLtMatmul, Status(Handle handle, MatmulDescription description, const void* alpha, const void* a,             \
                           MatrixLayout aLayout, const void* b, MatrixLayout bLayout, const void* beta, const void* c, \
                           MatrixLayout cLayout, void* d, MatrixLayout dLayout, const Algorithm* algorithm,            \
                           void* workspace, std::size_t workspaceBytes, Stream stream))
