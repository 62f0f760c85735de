#include "product.h"

#include <vector>

namespace thalweg {
namespace {

/** cudaDataType_t: alpha and beta are doubles only where the scale type says so. */
constexpr int float64 = 1;

const void* pointer(driver::Address address) {
  return reinterpret_cast<const void*>(static_cast<std::uintptr_t>(address));
}

void* mutablePointer(driver::Address address) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address));
}

/** Alpha or beta in the type that cuBLASLt reads it in. */
class Scale {
 public:
  Scale(double value, int type) : type_(type), double_(value), float_(static_cast<float>(value)) {}
  const void* address() const { return type_ == float64 ? static_cast<const void*>(&double_) : &float_; }

 private:
  int type_;
  double double_;
  float float_;
};

}  // namespace

std::shared_ptr<Product> Product::create(std::shared_ptr<Context> context, const ProductDescription& description) {
  Context::Current current(*context);
  std::shared_ptr<Product> product(new Product(context, description));
  if (!product->choose()) return nullptr;
  return product;
}

/** What is made before something fails must be given back: `release` copes with the parts that are missing. */
Product::Product(std::shared_ptr<Context> owner, const ProductDescription& description)
    : Resource(std::move(owner)), description_(description) {
  try {
    const ProductDescription& it = description_;
    check(cublasLt().cublasLtMatmulDescCreate(&operation_, it.computeType, it.scaleType), "cublasLtMatmulDescCreate");
    const std::int32_t transposeA = it.a.transposed ? cublaslt::transposed : cublaslt::plain;
    const std::int32_t transposeB = it.b.transposed ? cublaslt::transposed : cublaslt::plain;
    const std::uint32_t epilogue = static_cast<std::uint32_t>(it.epilogue);
    describe(cublaslt::descriptionTransposeA, &transposeA, sizeof transposeA, "TRANSA");
    describe(cublaslt::descriptionTransposeB, &transposeB, sizeof transposeB, "TRANSB");
    describe(cublaslt::descriptionEpilogue, &epilogue, sizeof epilogue, "EPILOGUE");
    if ((it.epilogue & cublaslt::epilogueBias) != 0) {
      const std::int32_t type = it.biasType;
      describe(cublaslt::descriptionBiasType, &type, sizeof type, "BIAS_DATA_TYPE");
      // Not read when an algorithm is looked for, but it says how the bias will be aligned.
      const void* aligned = pointer(it.alignment);
      describe(cublaslt::descriptionBiasPointer, &aligned, sizeof aligned, "BIAS_POINTER");
    }
    a_ = layout(it.a, it.a.transposed ? it.k : it.m, it.a.transposed ? it.m : it.k);
    b_ = layout(it.b, it.b.transposed ? it.n : it.k, it.b.transposed ? it.k : it.n);
    d_ = layout(it.d, it.m, it.n);
  } catch (...) {
    destroy();
    throw;
  }
}

void Product::describe(int attribute, const void* value, std::size_t bytes, const char* what) const {
  check(cublasLt().cublasLtMatmulDescSetAttribute(operation_, attribute, value, bytes),
        [&] { return "cublasLtMatmulDescSetAttribute " + std::string(what) + " of " + size(); });
}

cublaslt::MatrixLayout Product::layout(const ProductMatrix& matrix, std::int64_t rows, std::int64_t columns) const {
  cublaslt::MatrixLayout layout = nullptr;
  check(cublasLt().cublasLtMatrixLayoutCreate(&layout, matrix.type, static_cast<std::uint64_t>(rows),
                                              static_cast<std::uint64_t>(columns), matrix.leading),
        [&] { return "cublasLtMatrixLayoutCreate of " + size(); });
  if (description_.batch > 1) {
    const std::int32_t batch = description_.batch;
    const auto set = [&](int attribute, const auto& value) {
      return cublasLt().cublasLtMatrixLayoutSetAttribute(layout, attribute, &value, sizeof value);
    };
    cublaslt::Status status = set(cublaslt::layoutBatchCount, batch);
    if (status == cublaslt::success) status = set(cublaslt::layoutBatchStride, matrix.batchStride);
    if (status != cublaslt::success) {
      cublasLt().cublasLtMatrixLayoutDestroy(layout);
      check(status, [&] { return "cublasLtMatrixLayoutSetAttribute of " + size(); });
    }
  }
  return layout;
}

bool Product::choose() {
  cublaslt::Preference preference = nullptr;
  check(cublasLt().cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
  const auto prefer = [&](int attribute, const auto& value) {
    return cublasLt().cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value);
  };
  const std::uint64_t workspaceBytes = description_.workspaceBytes;
  const std::uint32_t alignment = description_.alignment;
  std::vector<cublaslt::Heuristic> found(static_cast<std::size_t>(description_.choice) + 1);
  int count = 0;
  const char* call = "cublasLtMatmulPreferenceSetAttribute";
  cublaslt::Status status = prefer(cublaslt::preferenceWorkspaceBytes, workspaceBytes);
  for (const int attribute : {cublaslt::preferenceAlignmentA, cublaslt::preferenceAlignmentB,
                              cublaslt::preferenceAlignmentC, cublaslt::preferenceAlignmentD})
    if (status == cublaslt::success) status = prefer(attribute, alignment);
  if (status == cublaslt::success) {
    call = "cublasLtMatmulAlgoGetHeuristic";
    status = cublasLt().cublasLtMatmulAlgoGetHeuristic(context()->cublasLt(), operation_, a_, b_, d_, d_, preference,
                                                       static_cast<int>(found.size()), found.data(), &count);
    // Some versions answer so, others with no algorithm, for what they cannot do.
    if (status == cublaslt::notSupported || status == cublaslt::invalidValue) {
      status = cublaslt::success;
      count = 0;
    }
  }
  cublasLt().cublasLtMatmulPreferenceDestroy(preference);
  check(status, [&] { return std::string(call) + " of " + size(); });
  if (count <= description_.choice) return false;
  const cublaslt::Heuristic& chosen = found[static_cast<std::size_t>(description_.choice)];
  if (chosen.state != cublaslt::success) return false;
  algorithm_ = chosen.algorithm;
  workspaceBytes_ = chosen.workspaceBytes;
  return true;
}

void Product::launch(const ProductAddresses& addresses, driver::Stream stream) const {
  const auto [a, b, c, d, bias, workspace] = addresses;
  if ((description_.epilogue & cublaslt::epilogueBias) != 0) {
    const void* address = pointer(bias);
    describe(cublaslt::descriptionBiasPointer, &address, sizeof address, "BIAS_POINTER");
  }
  const Scale alpha(description_.alpha, description_.scaleType);
  const Scale beta(description_.beta, description_.scaleType);
  // Without beta nothing is read of C, but an address is asked for.
  check(cublasLt().cublasLtMatmul(context()->cublasLt(), operation_, alpha.address(), pointer(a), a_, pointer(b), b_,
                                  beta.address(), pointer(c != 0 ? c : d), d_, mutablePointer(d), d_, &algorithm_,
                                  mutablePointer(workspace), workspace != 0 ? workspaceBytes_ : 0, stream),
        [&] { return "cublasLtMatmul of " + size(); });
}

void Product::destroy() noexcept {
  for (const cublaslt::MatrixLayout layout : {a_, b_, d_})
    if (layout != nullptr) cublasLt().cublasLtMatrixLayoutDestroy(layout);
  if (operation_ != nullptr) cublasLt().cublasLtMatmulDescDestroy(operation_);
}

std::string Product::size() const {
  return std::to_string(description_.m) + " × " + std::to_string(description_.n) + " × " +
         std::to_string(description_.k) + (description_.batch > 1 ? " × " + std::to_string(description_.batch) : "");
}

}  // namespace thalweg
