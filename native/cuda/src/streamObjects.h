/** NativeStream and NativeEvent. */
#pragma once

#include "event.h"
#include "stream.h"
#include "wrapped.h"

namespace thalweg {

class StreamObject final : public Wrapped<StreamObject, Stream> {
 public:
  static constexpr ObjectKind kind = ObjectKind::stream;
  static constexpr const char* name = "NativeStream";
  static constexpr bool releasesOnDispose = true;
  static std::vector<Descriptor> properties();
  explicit StreamObject(const Napi::CallbackInfo& info) : Wrapped(info) {}

 private:
  Napi::Value waitFor(const Napi::CallbackInfo& info);
  Napi::Value copyToDevice(const Napi::CallbackInfo& info);
  Napi::Value copyToHost(const Napi::CallbackInfo& info);
  Napi::Value copyOnDevice(const Napi::CallbackInfo& info);
  Napi::Value fill(const Napi::CallbackInfo& info);
  Napi::Value done(const Napi::CallbackInfo& info);
  Napi::Value synchronize(const Napi::CallbackInfo& info);
};

class EventObject final : public Wrapped<EventObject, Event> {
 public:
  static constexpr ObjectKind kind = ObjectKind::event;
  static constexpr const char* name = "NativeEvent";
  static constexpr bool releasesOnDispose = true;
  static std::vector<Descriptor> properties();
  explicit EventObject(const Napi::CallbackInfo& info) : Wrapped(info) {}

 private:
  Napi::Value record(const Napi::CallbackInfo& info);
  Napi::Value done(const Napi::CallbackInfo& info);
  Napi::Value synchronize(const Napi::CallbackInfo& info);
  Napi::Value wait(const Napi::CallbackInfo& info);
  Napi::Value elapsed(const Napi::CallbackInfo& info);
};

}  // namespace thalweg
