// cuBLASLt's functions. They refuse what the real library may refuse, so that whoever calls them has another way.
#include <algorithm>
#include <cstring>

#include "../src/cublasLtApi.h"
#include "driver.h"
#include "product.h"

namespace thalweg::cublaslt {

#define THALWEG_DECLARE(name, ...)   \
  using name##Type = __VA_ARGS__;    \
  THALWEG_EXPORT name##Type name;
THALWEG_CUBLASLT_FUNCTIONS(THALWEG_DECLARE)
#undef THALWEG_DECLARE

struct HandleHandle {
  driver::ContextHandle* context;
};

struct MatmulDescriptionHandle {
  int computeType;
  int scaleType;
  std::int32_t transposeA = plain;
  std::int32_t transposeB = plain;
  std::uint32_t epilogue = 1;
  const void* bias = nullptr;
  // Of D, unless it is set.
  std::int32_t biasType = -1;
};

struct MatrixLayoutHandle {
  int type;
  std::uint64_t rows;
  std::uint64_t columns;
  std::int64_t leading;
  std::int32_t batch = 1;
  std::int64_t batchStride = 0;
};

struct PreferenceHandle {
  std::uint64_t workspaceBytes = 0;
  std::uint32_t alignments[4] = {256, 256, 256, 256};
};

namespace {

constexpr Status notInitialized = 1;
constexpr Status executionFailed = 13;

constexpr int computeFloat32 = 68;
constexpr int computeTf32 = 77;
constexpr int computeFloat64 = 70;

constexpr std::uint32_t epilogueNone = 1;
constexpr std::uint32_t epilogueRelu = 2;

// The second algorithm is one that needs a workspace.
constexpr std::uint64_t algorithmMagic = 0x7468616c7765674cu;
constexpr size_t secondWorkspaceBytes = size_t(1) << 20;

struct Call {
  const MatmulDescriptionHandle& description;
  const MatrixLayoutHandle& a;
  const MatrixLayoutHandle& b;
  const MatrixLayoutHandle& c;
  const MatrixLayoutHandle& d;
};

bool isOneOf(int value, std::initializer_list<int> values) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

bool fits(const MatrixLayoutHandle& layout, std::int32_t batch) {
  return layout.rows > 0 && layout.columns > 0 && layout.leading >= std::int64_t(layout.rows) && layout.batch == batch &&
         layout.batchStride >= 0;
}

// Whether the sizes agree at all.
Status checkShapes(const Call& call) {
  const auto& [description, a, b, c, d] = call;
  for (const MatrixLayoutHandle* layout : {&a, &b, &c, &d})
    if (!fits(*layout, d.batch)) return invalidValue;
  const std::uint64_t m = description.transposeA == transposed ? a.columns : a.rows;
  const std::uint64_t k = description.transposeA == transposed ? a.rows : a.columns;
  const std::uint64_t n = description.transposeB == transposed ? b.rows : b.columns;
  const std::uint64_t inner = description.transposeB == transposed ? b.columns : b.rows;
  if (k != inner || d.rows != m || d.columns != n || c.rows != m || c.columns != n) return invalidValue;
  // All of a batch write different places.
  const std::int64_t extent = d.leading * (std::int64_t(n) - 1) + std::int64_t(m);
  return d.batch > 1 && d.batchStride < extent && d.batchStride < d.leading * std::int64_t(n) ? invalidValue : success;
}

// Whether there is an algorithm for these types: cuBLASLt's table.
Status checkTypes(const Call& call) {
  const auto& [description, a, b, c, d] = call;
  if (a.type != b.type || c.type != d.type) return notSupported;
  const bool plainEpilogue = description.epilogue == epilogueNone;
  if (!plainEpilogue && !isOneOf(int(description.epilogue), {2, 4, 6})) return notSupported;
  switch (description.computeType) {
    case computeFloat64:
      if (description.scaleType != emulation::float64 || a.type != emulation::float64 || d.type != emulation::float64)
        return notSupported;
      return plainEpilogue ? success : notSupported;
    case computeTf32:
      if (description.scaleType != emulation::float32 || a.type != emulation::float32 || d.type != emulation::float32)
        return notSupported;
      break;
    case computeFloat32:
      if (description.scaleType != emulation::float32) return notSupported;
      if (!isOneOf(a.type, {emulation::float32, emulation::float16, emulation::bfloat16})) return notSupported;
      if (d.type != a.type && d.type != emulation::float32) return notSupported;
      break;
    default: return notSupported;
  }
  if (plainEpilogue) return success;
  if ((description.epilogue & epilogueBias) != 0 && description.biasType != -1 && description.biasType != d.type)
    return notSupported;
  // Epilogues are only in kernels whose vectors of 16 bytes fit the columns of D.
  return d.leading * std::int64_t(emulation::bytesOf(d.type)) % 16 == 0 ? success : notSupported;
}

Status check(const Call& call) {
  const Status status = checkShapes(call);
  return status != success ? status : checkTypes(call);
}

template <class Value>
Status assign(Value& to, const void* value, std::size_t bytes) {
  if (value == nullptr || bytes != sizeof(Value)) return invalidValue;
  memcpy(&to, value, bytes);
  return success;
}

emulation::Matrix matrixOf(const MatrixLayoutHandle& layout, const void* data) {
  return {layout.type, layout.rows, layout.columns, layout.leading, layout.batchStride, const_cast<void*>(data)};
}

// Of all its bytes, the matrices of a batch together.
size_t extentOf(const emulation::Matrix& matrix, std::int64_t batch) {
  const std::int64_t last = matrix.batchStride * (batch - 1) + matrix.leading * (std::int64_t(matrix.columns) - 1);
  return size_t(last + std::int64_t(matrix.rows)) * emulation::bytesOf(matrix.type);
}

double scaleOf(const MatmulDescriptionHandle& description, const void* value) {
  if (description.scaleType == emulation::float64) return *static_cast<const double*>(value);
  return *static_cast<const float*>(value);
}

struct ProductCommand {
  emulation::Product product;
  void* workspace;
  size_t workspaceBytes;

  void operator()(driver::ContextHandle& context) const {
    const auto reachable = [&](const void* data, size_t bytes, const char* name) {
      if (driver::isAccessible(context, reinterpret_cast<std::uint64_t>(data), bytes)) return true;
      char text[120];
      snprintf(text, sizeof text, "a product: %s, %zu bytes at %p", name, bytes, data);
      context.fail(driver::illegalAddress, text);
      return false;
    };
    const auto matrix = [&](const emulation::Matrix& one, const char* name) {
      return reachable(one.data, extentOf(one, product.batch), name);
    };
    if (!matrix(product.a, "A") || !matrix(product.b, "B") || !matrix(product.d, "D")) return;
    if (product.beta != 0 && !matrix(product.c, "C")) return;
    if (product.bias != nullptr && !reachable(product.bias, product.d.rows * emulation::bytesOf(product.d.type), "bias")) return;
    if (workspaceBytes != 0) {
      if (!reachable(workspace, workspaceBytes, "workspace")) return;
      memset(workspace, 0xff, workspaceBytes);
    }
    emulation::multiply(product);
  }
};

}  // namespace

THALWEG_EXPORT std::size_t cublasLtGetVersion() { return 130000; }

THALWEG_EXPORT Status cublasLtCreate(Handle* handle) {
  const driver::Lock lock(driver::driverMutex());
  if (driver::contextStatus() != driver::success) return notInitialized;
  *handle = new HandleHandle{driver::currentContext()};
  return success;
}

THALWEG_EXPORT Status cublasLtDestroy(Handle handle) {
  delete handle;
  return success;
}

THALWEG_EXPORT Status cublasLtMatmulDescCreate(MatmulDescription* description, int computeType, int scaleType) {
  *description = new MatmulDescriptionHandle{computeType, scaleType};
  return success;
}

THALWEG_EXPORT Status cublasLtMatmulDescDestroy(MatmulDescription description) {
  delete description;
  return success;
}

THALWEG_EXPORT Status cublasLtMatmulDescSetAttribute(MatmulDescription description, int attribute, const void* value,
                                                     std::size_t bytes) {
  switch (attribute) {
    case descriptionTransposeA: return assign(description->transposeA, value, bytes);
    case descriptionTransposeB: return assign(description->transposeB, value, bytes);
    case descriptionEpilogue: return assign(description->epilogue, value, bytes);
    case descriptionBiasPointer: return assign(description->bias, value, bytes);
    case descriptionBiasType: return assign(description->biasType, value, bytes);
    default: return invalidValue;
  }
}

THALWEG_EXPORT Status cublasLtMatrixLayoutCreate(MatrixLayout* layout, int type, std::uint64_t rows, std::uint64_t columns,
                                                 std::int64_t leading) {
  *layout = new MatrixLayoutHandle{type, rows, columns, leading};
  return success;
}

THALWEG_EXPORT Status cublasLtMatrixLayoutDestroy(MatrixLayout layout) {
  delete layout;
  return success;
}

THALWEG_EXPORT Status cublasLtMatrixLayoutSetAttribute(MatrixLayout layout, int attribute, const void* value,
                                                       std::size_t bytes) {
  switch (attribute) {
    case layoutBatchCount: return assign(layout->batch, value, bytes);
    case layoutBatchStride: return assign(layout->batchStride, value, bytes);
    default: return invalidValue;
  }
}

THALWEG_EXPORT Status cublasLtMatmulPreferenceCreate(Preference* preference) {
  *preference = new PreferenceHandle();
  return success;
}

THALWEG_EXPORT Status cublasLtMatmulPreferenceDestroy(Preference preference) {
  delete preference;
  return success;
}

THALWEG_EXPORT Status cublasLtMatmulPreferenceSetAttribute(Preference preference, int attribute, const void* value,
                                                           std::size_t bytes) {
  switch (attribute) {
    case preferenceWorkspaceBytes: return assign(preference->workspaceBytes, value, bytes);
    case preferenceAlignmentA: return assign(preference->alignments[0], value, bytes);
    case preferenceAlignmentB: return assign(preference->alignments[1], value, bytes);
    case preferenceAlignmentC: return assign(preference->alignments[2], value, bytes);
    case preferenceAlignmentD: return assign(preference->alignments[3], value, bytes);
    default: return invalidValue;
  }
}

THALWEG_EXPORT Status cublasLtMatmulAlgoGetHeuristic(Handle handle, MatmulDescription description, MatrixLayout a,
                                                     MatrixLayout b, MatrixLayout c, MatrixLayout d,
                                                     Preference preference, int wanted, Heuristic* results, int* found) {
  *found = 0;
  if (handle == nullptr || wanted < 1) return invalidValue;
  const Status status = check({*description, *a, *b, *c, *d});
  if (status != success) return status;
  for (int index = 0; index < std::min(wanted, 2); index++) {
    const size_t workspace = index == 0 ? 0 : secondWorkspaceBytes;
    if (workspace > preference->workspaceBytes) break;
    Heuristic& result = results[(*found)++];
    result = {};
    result.algorithm.data[0] = algorithmMagic;
    result.algorithm.data[1] = workspace;
    for (int i = 0; i < 4; i++) result.algorithm.data[2 + i] = preference->alignments[i];
    result.workspaceBytes = workspace;
    result.waves = 1;
  }
  return success;
}

THALWEG_EXPORT Status cublasLtMatmul(Handle handle, MatmulDescription description, const void* alpha, const void* a,
                                     MatrixLayout aLayout, const void* b, MatrixLayout bLayout, const void* beta,
                                     const void* c, MatrixLayout cLayout, void* d, MatrixLayout dLayout,
                                     const Algorithm* algorithm, void* workspace, std::size_t workspaceBytes,
                                     Stream handleOfStream) {
  const driver::Lock lock(driver::driverMutex());
  if (driver::contextStatus() != driver::success) return executionFailed;
  driver::ContextHandle& context = *driver::currentContext();
  if (handle == nullptr || handle->context != &context) return notInitialized;
  const Status status = check({*description, *aLayout, *bLayout, *cLayout, *dLayout});
  if (status != success) return status;
  if (algorithm == nullptr || algorithm->data[0] != algorithmMagic || workspaceBytes < algorithm->data[1]) return invalidValue;
  const void* const operands[] = {a, b, c, d};
  for (int i = 0; i < 4; i++)
    if (reinterpret_cast<std::uintptr_t>(operands[i]) % std::max<std::uint64_t>(algorithm->data[2 + i], 1) != 0) return invalidValue;
  const bool hasBias = (description->epilogue & epilogueBias) != 0;
  if (hasBias && description->bias == nullptr) return invalidValue;
  driver::StreamHandle* stream = driver::streamOf(handleOfStream, context);
  if (stream == nullptr) return invalidValue;
  driver::enqueue(*stream, ProductCommand{{description->transposeA == transposed, description->transposeB == transposed,
                                           description->computeType == computeTf32, dLayout->batch,
                                           scaleOf(*description, alpha), scaleOf(*description, beta), matrixOf(*aLayout, a),
                                           matrixOf(*bLayout, b), matrixOf(*cLayout, c), matrixOf(*dLayout, d),
                                           hasBias ? description->bias : nullptr,
                                           (description->epilogue & epilogueRelu) != 0},
                                          workspace, size_t(algorithm->data[1])});
  return success;
}

}  // namespace thalweg::cublaslt
