/** The objects that JavaScript holds: each a share in the C++ object that does the work. */
#pragma once

#include <napi.h>

#include <array>
#include <memory>
#include <string>

#include "arguments.h"
#include "javaScriptError.h"

namespace thalweg {

enum class ObjectKind { libraries, context, memory, pinned, module, function, stream, event, sequence, product, count };

/** What an instance of the addon keeps: the constructors of its objects. */
struct AddonData {
  std::array<Napi::FunctionReference, static_cast<std::size_t>(ObjectKind::count)> constructors;
};

/**
 * Base of a class of objects. `Self` has `kind`, `name` (in messages), `releasesOnDispose` (whether disposing gives it up
 * at once, or only this object's share in what others may still use) and `properties()`.
 */
template <class Self, class Held>
class Wrapped : public Napi::ObjectWrap<Self> {
 public:
  using Descriptor = typename Napi::ObjectWrap<Self>::PropertyDescriptor;

  /** Defines the class; once for each instance of the addon. */
  static void define(Napi::Env env) {
    env.GetInstanceData<AddonData>()->constructors[index()] =
        Napi::Persistent(Self::DefineClass(env, Self::name, Self::properties()));
  }

  static Napi::Object create(Napi::Env env, std::shared_ptr<Held> held) {
    return env.GetInstanceData<AddonData>()->constructors[index()].New(
        {Napi::External<std::shared_ptr<Held>>::New(env, &held)});
  }

  /** What an object that JavaScript passed stands for. */
  static const std::shared_ptr<Held>& from(Napi::Value value, const char* what) {
    if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&tag())) failType(value, what, Self::name);
    return Self::Unwrap(value.As<Napi::Object>())->held();
  }

  explicit Wrapped(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Self>(info) {
    if (info.Length() != 1 || !info[0].IsExternal())
      throw Napi::TypeError::New(info.Env(), std::string(Self::name) + " cannot be constructed");
    held_ = *info[0].As<Napi::External<std::shared_ptr<Held>>>().Data();
    info.This().As<Napi::Object>().TypeTag(&tag());
  }

 protected:
  /** Throws CudaError once it has been disposed of. */
  const std::shared_ptr<Held>& held() const {
    bool gone = held_ == nullptr;
    if constexpr (requires { held_->released(); }) gone = gone || held_->released();
    if (gone)
      throw CudaError("driver", disposedCode, notALibraryStatus, {}, "use of a disposed " + std::string(Self::name));
    return held_;
  }

  Napi::Value dispose(const Napi::CallbackInfo& info) {
    if constexpr (Self::releasesOnDispose) {
      if (held_) held_->release();
    }
    held_.reset();
    return info.Env().Undefined();
  }

  /** `action`: a member of Self, or of this class. */
  template <auto action>
  static Descriptor method(const char* name) {
    return Self::InstanceMethod(name,
                                static_cast<Napi::Value (Self::*)(const Napi::CallbackInfo&)>(&Wrapped::call<action>));
  }

  /** A property that never changes. */
  static void constant(const Napi::CallbackInfo& info, const char* name, Napi::Value value) {
    info.This().As<Napi::Object>().DefineProperty(Napi::PropertyDescriptor::Value(name, value, napi_enumerable));
  }
  static void constant(const Napi::CallbackInfo& info, const char* name, double value) {
    constant(info, name, Napi::Number::New(info.Env(), value));
  }

 private:
  template <auto action>
  Napi::Value call(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return (static_cast<Self*>(this)->*action)(info); });
  }

  static constexpr std::size_t index() { return static_cast<std::size_t>(Self::kind); }

  /** Tells our objects from others, so that passing a wrong one is an error and not a crash. */
  static const napi_type_tag& tag() {
    static constexpr napi_type_tag tag{0x7468616c77656763, static_cast<std::uint64_t>(Self::kind) + 1};
    return tag;
  }

  std::shared_ptr<Held> held_;
};

}  // namespace thalweg
