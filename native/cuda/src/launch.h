/** One step of a sequence: a kernel, a fill or a product, with its arguments. */
#pragma once

#include <array>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "module.h"
#include "product.h"

namespace thalweg {

struct KernelLaunch {
  std::shared_ptr<Function> function;
  std::array<unsigned, 3> grid;
  std::array<unsigned, 3> block;
  unsigned sharedBytes;
  /** Every parameter of a kernel is 8 bytes. */
  std::vector<long long> arguments;

  bool operator==(const KernelLaunch&) const = default;
};

struct FillLaunch {
  unsigned word;
  std::size_t words;
  driver::Address to;

  bool operator==(const FillLaunch&) const = default;
};

struct ProductLaunch {
  std::shared_ptr<Product> product;
  ProductAddresses addresses;

  bool operator==(const ProductLaunch&) const = default;
};

struct Launch {
  std::variant<KernelLaunch, FillLaunch, ProductLaunch> what;
  /** Earlier launches that must be done; none given: the one before. */
  std::optional<std::vector<std::size_t>> after;
};

/**
 * The parameters of a kernel as the `extra` of a launch: one packed buffer with its size, so that how many there are is
 * said rather than taken from the kernel. Points into the launch, which must outlive the call; the driver copies.
 */
class PackedArguments {
 public:
  explicit PackedArguments(const KernelLaunch& launch);
  PackedArguments(const PackedArguments&) = delete;
  PackedArguments& operator=(const PackedArguments&) = delete;

  /** Null for a kernel without parameters. */
  void** extra() { return bytes_ == 0 ? nullptr : extra_.data(); }

 private:
  std::size_t bytes_;
  std::array<void*, 5> extra_;
};

/** What a launch is, for messages: `kernelName on 12×1×1 blocks of 256×1×1 threads`. */
std::string describe(const KernelLaunch& launch);

/** Sends one launch; its context must be current. */
void send(const Context& context, const Launch& launch, driver::Stream stream);

}  // namespace thalweg
