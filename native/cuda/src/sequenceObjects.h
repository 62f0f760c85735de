/** NativeSequence and NativeProduct. */
#pragma once

#include "sequence.h"
#include "wrapped.h"

namespace thalweg {

class ProductObject final : public Wrapped<ProductObject, Product> {
 public:
  static constexpr ObjectKind kind = ObjectKind::product;
  static constexpr const char* name = "NativeProduct";
  /** Sequences may still need it. */
  static constexpr bool releasesOnDispose = false;
  static std::vector<Descriptor> properties() { return {method<&ProductObject::dispose>("dispose")}; }
  explicit ProductObject(const Napi::CallbackInfo& info);
};

class SequenceObject final : public Wrapped<SequenceObject, Sequence> {
 public:
  static constexpr ObjectKind kind = ObjectKind::sequence;
  static constexpr const char* name = "NativeSequence";
  static constexpr bool releasesOnDispose = true;
  static std::vector<Descriptor> properties();
  explicit SequenceObject(const Napi::CallbackInfo& info) : Wrapped(info) {}

 private:
  Napi::Value instantiate(const Napi::CallbackInfo& info);
  Napi::Value setArguments(const Napi::CallbackInfo& info);
  Napi::Value launch(const Napi::CallbackInfo& info);
};

/** ProductDescription of the interface. */
ProductDescription readProductDescription(Napi::Value value);

/** Takes the `arguments` of the interface over into a launch of a known kind. */
void readArguments(Launch& launch, Napi::Value value);

/** An array of NativeLaunch of the interface. */
std::vector<Launch> readLaunches(const std::shared_ptr<Context>& context, Napi::Value value);

}  // namespace thalweg
