/** NativeMemory and NativePinned. */
#pragma once

#include "memory.h"
#include "wrapped.h"

namespace thalweg {

class MemoryObject final : public Wrapped<MemoryObject, Memory> {
 public:
  static constexpr ObjectKind kind = ObjectKind::memory;
  static constexpr const char* name = "NativeMemory";
  static constexpr bool releasesOnDispose = true;
  static std::vector<Descriptor> properties() { return {method<&MemoryObject::dispose>("dispose")}; }
  explicit MemoryObject(const Napi::CallbackInfo& info);
};

class PinnedObject final : public Wrapped<PinnedObject, PinnedMemory> {
 public:
  static constexpr ObjectKind kind = ObjectKind::pinned;
  static constexpr const char* name = "NativePinned";
  static constexpr bool releasesOnDispose = true;
  static std::vector<Descriptor> properties() { return {method<&PinnedObject::dispose>("dispose")}; }
  explicit PinnedObject(const Napi::CallbackInfo& info);
};

}  // namespace thalweg
