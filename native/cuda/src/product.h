/** Products of matrices by cuBLASLt. */
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "context.h"

namespace thalweg {

struct ProductMatrix {
  int type = 0;
  bool transposed = false;
  std::int64_t leading = 0;
  std::int64_t batchStride = 0;
};

/** As ProductDescription of the interface. */
struct ProductDescription {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  int batch = 1;
  int computeType = 0;
  int scaleType = 0;
  double alpha = 1;
  double beta = 0;
  ProductMatrix a;
  ProductMatrix b;
  ProductMatrix d;
  int epilogue = 1;
  int biasType = 0;
  std::size_t workspaceBytes = 0;
  int choice = 0;
  /** All addresses are multiples of it. */
  unsigned alignment = 256;
};

/** Addresses of a, b, c, d, the bias and the workspace; 0 where there is none. */
using ProductAddresses = std::array<driver::Address, 6>;

class Product final : public Resource {
 public:
  /** Null if the library has no algorithm for it. */
  static std::shared_ptr<Product> create(std::shared_ptr<Context> context, const ProductDescription& description);
  ~Product() override { release(); }

  std::size_t workspaceBytes() const { return workspaceBytes_; }
  /** The context must be current. */
  void launch(const ProductAddresses& addresses, driver::Stream stream) const;

 private:
  Product(std::shared_ptr<Context> context, const ProductDescription& description);
  void destroy() noexcept override;
  /** Chooses the algorithm; false if there is none. */
  bool choose();
  void describe(int attribute, const void* value, std::size_t bytes, const char* what) const;
  cublaslt::MatrixLayout layout(const ProductMatrix& matrix, std::int64_t rows, std::int64_t columns) const;
  template <class Call>
  void check(cublaslt::Status status, const Call& call) const {
    context()->libraries().checkCublasLt(status, call);
  }
  const cublaslt::Functions& cublasLt() const { return context()->libraries().cublasLt(); }
  /** `m × n × k`, for messages. */
  std::string size() const;

  ProductDescription description_;
  cublaslt::MatmulDescription operation_ = nullptr;
  cublaslt::MatrixLayout a_ = nullptr;
  cublaslt::MatrixLayout b_ = nullptr;
  cublaslt::MatrixLayout d_ = nullptr;
  cublaslt::Algorithm algorithm_{};
  std::size_t workspaceBytes_ = 0;
};

}  // namespace thalweg
