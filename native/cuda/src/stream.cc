#include "stream.h"

#include "event.h"

namespace thalweg {
namespace {

std::string ofCopy(const char* call, driver::Address to, driver::Address from, std::size_t bytes) {
  return std::string(call) + " of " + std::to_string(bytes) + " bytes from " + std::to_string(from) + " to " +
         std::to_string(to);
}

/** Host memory by its address, which JavaScript has as a number. */
void* hostMemory(driver::Address address) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address)); }

}  // namespace

Stream::Stream(std::shared_ptr<Context> owner, bool highPriority) : Resource(std::move(owner)) {
  Context::Current current(*context());
  int least = 0;
  int greatest = 0;
  context()->check(driver().cuCtxGetStreamPriorityRange(&least, &greatest), "cuCtxGetStreamPriorityRange");
  context()->check(
      driver().cuStreamCreateWithPriority(&handle_, driver::streamNonBlocking, highPriority ? greatest : least),
      "cuStreamCreateWithPriority");
}

void Stream::waitFor(const Event& event) {
  Context::Current current(*context());
  context()->check(driver().cuStreamWaitEvent(handle_, event.handle(), 0), "cuStreamWaitEvent");
}

void Stream::copyToDevice(driver::Address to, driver::Address from, std::size_t bytes) {
  Context::Current current(*context());
  context()->check(driver().cuMemcpyHtoDAsync_v2(to, hostMemory(from), bytes, handle_),
                   [&] { return ofCopy("cuMemcpyHtoDAsync_v2", to, from, bytes); });
}

void Stream::copyToHost(driver::Address to, driver::Address from, std::size_t bytes) {
  Context::Current current(*context());
  context()->check(driver().cuMemcpyDtoHAsync_v2(hostMemory(to), from, bytes, handle_),
                   [&] { return ofCopy("cuMemcpyDtoHAsync_v2", to, from, bytes); });
}

void Stream::copyOnDevice(driver::Address to, driver::Address from, std::size_t bytes) {
  Context::Current current(*context());
  context()->check(driver().cuMemcpyDtoDAsync_v2(to, from, bytes, handle_),
                   [&] { return ofCopy("cuMemcpyDtoDAsync_v2", to, from, bytes); });
}

void Stream::fill(driver::Address to, unsigned word, std::size_t words) {
  Context::Current current(*context());
  context()->check(driver().cuMemsetD32Async(to, word, words, handle_), [&] {
    return "cuMemsetD32Async of " + std::to_string(words) + " words at " + std::to_string(to);
  });
}

bool Stream::done() {
  Context::Current current(*context());
  const driver::Status status = driver().cuStreamQuery(handle_);
  if (status == driver::notReady) return false;
  context()->check(status, "cuStreamQuery");
  return true;
}

void Stream::synchronize() {
  Context::Current current(*context());
  context()->check(driver().cuStreamSynchronize(handle_), "cuStreamSynchronize");
}

void Stream::destroy() noexcept { driver().cuStreamDestroy_v2(handle_); }

}  // namespace thalweg
