/** NativeLibraries. */
#pragma once

#include "libraries.h"
#include "wrapped.h"

namespace thalweg {

class LibrariesObject final : public Wrapped<LibrariesObject, const Libraries> {
 public:
  static constexpr ObjectKind kind = ObjectKind::libraries;
  static constexpr const char* name = "NativeLibraries";
  static std::vector<Descriptor> properties();
  explicit LibrariesObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value devices(const Napi::CallbackInfo& info);
  Napi::Value createContext(const Napi::CallbackInfo& info);
  Napi::Value compile(const Napi::CallbackInfo& info);
};

}  // namespace thalweg
