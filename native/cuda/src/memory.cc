#include "memory.h"

namespace thalweg {
namespace {

std::string ofBytes(const char* call, std::size_t bytes) {
  return std::string(call) + " of " + std::to_string(bytes) + " bytes";
}

}  // namespace

Memory::Memory(std::shared_ptr<Context> owner, std::size_t bytes) : Resource(std::move(owner)), bytes_(bytes) {
  Context::Current current(*context());
  context()->check(driver().cuMemAlloc_v2(&address_, bytes), [&] { return ofBytes("cuMemAlloc_v2", bytes); });
}

void Memory::destroy() noexcept { driver().cuMemFree_v2(address_); }

PinnedMemory::PinnedMemory(std::shared_ptr<Context> owner, std::size_t bytes)
    : Resource(std::move(owner)), bytes_(bytes) {
  Context::Current current(*context());
  context()->check(driver().cuMemHostAlloc(&data_, bytes, driver::hostAllocPortable),
                   [&] { return ofBytes("cuMemHostAlloc", bytes); });
}

void PinnedMemory::destroy() noexcept {
  if (beforeRelease_) beforeRelease_();
  driver().cuMemFreeHost(data_);
}

}  // namespace thalweg
