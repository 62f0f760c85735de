/** NativeModule and NativeFunction. */
#pragma once

#include "module.h"
#include "wrapped.h"

namespace thalweg {

class ModuleObject final : public Wrapped<ModuleObject, Module> {
 public:
  static constexpr ObjectKind kind = ObjectKind::module;
  static constexpr const char* name = "NativeModule";
  /** Its functions, and sequences of them, may still need it. */
  static constexpr bool releasesOnDispose = false;
  static std::vector<Descriptor> properties();
  explicit ModuleObject(const Napi::CallbackInfo& info) : Wrapped(info) {}

 private:
  Napi::Value function(const Napi::CallbackInfo& info);
};

class FunctionObject final : public Wrapped<FunctionObject, Function> {
 public:
  static constexpr ObjectKind kind = ObjectKind::function;
  static constexpr const char* name = "NativeFunction";
  static std::vector<Descriptor> properties() { return {method<&FunctionObject::occupancy>("occupancy")}; }
  explicit FunctionObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value occupancy(const Napi::CallbackInfo& info);
};

}  // namespace thalweg
