#include "module.h"

#include <algorithm>

namespace thalweg {
namespace {

/** Shared memory that every function may have. */
constexpr int unaskedSharedBytes = 48 * 1024;

}  // namespace

Module::Module(std::shared_ptr<Context> owner, const std::string& image) : Resource(std::move(owner)) {
  Context::Current current(*context());
  context()->check(driver().cuModuleLoadData(&handle_, image.c_str()),
                   [&] { return "cuModuleLoadData of " + std::to_string(image.size()) + " bytes"; });
}

void Module::destroy() noexcept { driver().cuModuleUnload(handle_); }

Function::Function(std::shared_ptr<Module> module, const std::string& name, int sharedBytes)
    : module_(std::move(module)), name_(name) {
  const Context& context = *module_->context();
  const driver::Functions& driver = context.driver();
  Context::Current current(context);
  context.check(driver.cuModuleGetFunction(&handle_, module_->handle(), name.c_str()),
                [&] { return "cuModuleGetFunction of " + name; });
  registers_ = attribute(driver::functionRegisters);
  localBytes_ = attribute(driver::functionLocalBytes);
  sharedBytes_ = attribute(driver::functionSharedBytes);
  // Only ever raised: the limit is the function's, and someone else may have asked for more. Static memory counts too:
  // above 48 KB of both together a function must have asked, even for what its limit was from the beginning.
  const int limit = attribute(driver::functionMaxDynamicSharedBytes);
  if (sharedBytes > limit || (sharedBytes > 0 && sharedBytes + sharedBytes_ > unaskedSharedBytes)) {
    const int wanted = std::max(sharedBytes, limit);
    context.check(driver.cuFuncSetAttribute(handle_, driver::functionMaxDynamicSharedBytes, wanted), [&] {
      return "cuFuncSetAttribute of " + name + " for " + std::to_string(wanted) + " bytes of shared memory";
    });
  }
}

int Function::attribute(int which) const {
  int value = 0;
  module_->context()->check(module_->context()->driver().cuFuncGetAttribute(&value, which, handle_),
                            [&] { return "cuFuncGetAttribute " + std::to_string(which) + " of " + name_; });
  return value;
}

int Function::occupancy(int threads, std::size_t sharedBytes) const {
  Context::Current current(*module_->context());
  int blocks = 0;
  module_->context()->check(module_->context()->driver().cuOccupancyMaxActiveBlocksPerMultiprocessor(
                                &blocks, handle_, threads, sharedBytes),
                            [&] { return "cuOccupancyMaxActiveBlocksPerMultiprocessor of " + name_; });
  return blocks;
}

}  // namespace thalweg
