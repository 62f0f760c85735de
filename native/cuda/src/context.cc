#include "context.h"

namespace thalweg {

std::shared_ptr<Context> Context::create(std::shared_ptr<const Libraries> libraries, int ordinal) {
  const driver::Functions& driver = libraries->driver();
  const auto call = [&](const char* name) { return std::string(name) + " for device " + std::to_string(ordinal); };
  driver::Device device = 0;
  libraries->checkDriver(driver.cuDeviceGet(&device, ordinal), [&] { return call("cuDeviceGet"); });
  std::shared_ptr<Context> context(new Context(libraries));
  libraries->checkDriver(driver.cuCtxCreate_v2(&context->handle_, driver::scheduleAuto, device),
                         [&] { return call("cuCtxCreate_v2"); });
  // Creating makes it current.
  driver::Context popped;
  libraries->checkDriver(driver.cuCtxPopCurrent_v2(&popped), "cuCtxPopCurrent_v2");
  return context;
}

Context::~Context() { release(); }

Context::Current::Current(const Context& context) : driver_(context.driver()) {
  if (context.released())
    throw CudaError("driver", disposedCode, notALibraryStatus, {}, "use of a disposed NativeContext");
  context.check(driver_.cuCtxPushCurrent_v2(context.handle_), "cuCtxPushCurrent_v2");
}

Context::Current::~Current() {
  driver::Context popped;
  driver_.cuCtxPopCurrent_v2(&popped);
}

cublaslt::Handle Context::cublasLt() {
  if (cublasLt_ == nullptr)
    libraries_->checkCublasLt(libraries_->cublasLt().cublasLtCreate(&cublasLt_), "cublasLtCreate");
  return cublasLt_;
}

driver::Stream Context::captureStream() {
  if (captureStream_ == nullptr)
    check(driver().cuStreamCreateWithPriority(&captureStream_, driver::streamNonBlocking, 0),
          "cuStreamCreateWithPriority for capturing");
  return captureStream_;
}

void Context::synchronize() {
  Current current(*this);
  check(driver().cuCtxSynchronize(), "cuCtxSynchronize");
}

void Context::release() noexcept {
  if (released()) return;
  // The latest first: what was made of others goes before them.
  while (!resources_.empty()) resources_.back()->release();
  try {
    Current current(*this);
    driver().cuCtxSynchronize();
    if (cublasLt_ != nullptr) libraries_->cublasLt().cublasLtDestroy(cublasLt_);
    if (captureStream_ != nullptr) driver().cuStreamDestroy_v2(captureStream_);
  } catch (const std::exception&) {
    // Beyond use after a fault: what is in it goes with it.
  }
  driver().cuCtxDestroy_v2(handle_);
  handle_ = nullptr;
}

Resource::Resource(std::shared_ptr<Context> context) : context_(std::move(context)) {
  place_ = context_->resources_.insert(context_->resources_.end(), this);
}

Resource::~Resource() {
  if (!released_) context_->resources_.erase(place_);
}

void Resource::release() noexcept {
  if (released_) return;
  released_ = true;
  context_->resources_.erase(place_);
  try {
    Context::Current current(*context_);
    destroy();
  } catch (const std::exception&) {
    // Not even current: beyond use after a fault. The handles still have to be forgotten.
    destroy();
  }
}

}  // namespace thalweg
