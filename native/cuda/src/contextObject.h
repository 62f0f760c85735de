/** NativeContext. */
#pragma once

#include "context.h"
#include "wrapped.h"

namespace thalweg {

class ContextObject final : public Wrapped<ContextObject, Context> {
 public:
  static constexpr ObjectKind kind = ObjectKind::context;
  static constexpr const char* name = "NativeContext";
  static constexpr bool releasesOnDispose = true;
  static std::vector<Descriptor> properties();
  explicit ContextObject(const Napi::CallbackInfo& info) : Wrapped(info) {}

 private:
  Napi::Value allocate(const Napi::CallbackInfo& info);
  Napi::Value allocatePinned(const Napi::CallbackInfo& info);
  Napi::Value loadModule(const Napi::CallbackInfo& info);
  Napi::Value createStream(const Napi::CallbackInfo& info);
  Napi::Value createEvent(const Napi::CallbackInfo& info);
  Napi::Value createSequence(const Napi::CallbackInfo& info);
  Napi::Value createProduct(const Napi::CallbackInfo& info);
  Napi::Value memoryInfo(const Napi::CallbackInfo& info);
  Napi::Value synchronize(const Napi::CallbackInfo& info);
  Napi::Value adjustExternalMemory(const Napi::CallbackInfo& info);
};

}  // namespace thalweg
