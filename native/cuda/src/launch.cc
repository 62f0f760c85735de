#include "launch.h"

namespace thalweg {
namespace {

std::string extents(const std::array<unsigned, 3>& sizes) {
  return std::to_string(sizes[0]) + "×" + std::to_string(sizes[1]) + "×" + std::to_string(sizes[2]);
}

void sendKernel(const Context& context, const KernelLaunch& launch, driver::Stream stream) {
  const auto& [gridX, gridY, gridZ] = launch.grid;
  const auto& [blockX, blockY, blockZ] = launch.block;
  PackedArguments arguments(launch);
  context.check(context.driver().cuLaunchKernel(launch.function->handle(), gridX, gridY, gridZ, blockX, blockY, blockZ,
                                                launch.sharedBytes, stream, nullptr, arguments.extra()),
                [&] { return "cuLaunchKernel of " + describe(launch); });
}

void sendFill(const Context& context, const FillLaunch& launch, driver::Stream stream) {
  context.check(context.driver().cuMemsetD32Async(launch.to, launch.word, launch.words, stream), [&] {
    return "cuMemsetD32Async of " + std::to_string(launch.words) + " words at " + std::to_string(launch.to);
  });
}

}  // namespace

PackedArguments::PackedArguments(const KernelLaunch& launch)
    : bytes_(launch.arguments.size() * sizeof(long long)),
      extra_{reinterpret_cast<void*>(driver::launchBufferPointerKey), const_cast<long long*>(launch.arguments.data()),
             reinterpret_cast<void*>(driver::launchBufferSizeKey), &bytes_,
             reinterpret_cast<void*>(driver::launchEndKey)} {}

std::string describe(const KernelLaunch& launch) {
  return launch.function->name() + " on " + extents(launch.grid) + " blocks of " + extents(launch.block) +
         " threads with " + std::to_string(launch.arguments.size()) + " arguments";
}

void send(const Context& context, const Launch& launch, driver::Stream stream) {
  if (const auto* kernel = std::get_if<KernelLaunch>(&launch.what)) {
    sendKernel(context, *kernel, stream);
  } else if (const auto* fill = std::get_if<FillLaunch>(&launch.what)) {
    sendFill(context, *fill, stream);
  } else {
    const ProductLaunch& product = std::get<ProductLaunch>(launch.what);
    product.product->launch(product.addresses, stream);
  }
}

}  // namespace thalweg
