/** The addon's entry: `interfaceVersion` and `open`, from which all else is reached. */
#include <napi.h>

#include "contextObject.h"
#include "librariesObject.h"
#include "memoryObjects.h"
#include "moduleObjects.h"
#include "sequenceObjects.h"
#include "streamObjects.h"

namespace thalweg {
namespace {

/** Of packages/cuda/src/native/addon.ts; raised whenever JavaScript written for the one cannot use the other. */
constexpr int interfaceVersion = 1;

Napi::Value open(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object candidates = readObject(info[0], "candidates");
    return LibrariesObject::create(
        info.Env(), std::make_shared<const Libraries>(readTexts(candidates.Get("driver"), "driver"),
                                                      readTexts(candidates.Get("nvrtc"), "nvrtc"),
                                                      readTexts(candidates.Get("cublasLt"), "cublasLt")));
  });
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new AddonData());
  LibrariesObject::define(env);
  ContextObject::define(env);
  MemoryObject::define(env);
  PinnedObject::define(env);
  ModuleObject::define(env);
  FunctionObject::define(env);
  StreamObject::define(env);
  EventObject::define(env);
  SequenceObject::define(env);
  ProductObject::define(env);
  exports.Set("interfaceVersion", Napi::Number::New(env, interfaceVersion));
  exports.Set("open", Napi::Function::New(env, open, "open"));
  return exports;
}

}  // namespace

NODE_API_MODULE(thalweg_cuda, initialize)

}  // namespace thalweg
