#include "memoryObjects.h"

namespace thalweg {

MemoryObject::MemoryObject(const Napi::CallbackInfo& info) : Wrapped(info) {
  constant(info, "address", static_cast<double>(held()->address()));
  constant(info, "bytes", static_cast<double>(held()->bytes()));
}

/*
 * The view keeps the memory, and before the memory goes by `dispose` the view is detached: what JavaScript still holds of
 * it then has no elements, rather than being memory of someone else.
 */
PinnedObject::PinnedObject(const Napi::CallbackInfo& info) : Wrapped(info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<PinnedMemory>& memory = held();
  auto* share = new std::shared_ptr<PinnedMemory>(memory);
  const Napi::ArrayBuffer view = Napi::ArrayBuffer::New(
      env, memory->data(), memory->bytes(),
      [](Napi::Env, void*, std::shared_ptr<PinnedMemory>* kept) { delete kept; }, share);
  const auto reference = std::make_shared<Napi::Reference<Napi::ArrayBuffer>>(Napi::Weak(view));
  memory->beforeRelease([env, reference] {
    const Napi::HandleScope scope(env);
    try {
      Napi::ArrayBuffer buffer = reference->Value();
      if (!buffer.IsEmpty()) buffer.Detach();
    } catch (const Napi::Error&) {
      // Cannot be detached: JavaScript was told not to use it any more.
    }
  });
  constant(info, "data", view);
  constant(info, "address", static_cast<double>(reinterpret_cast<std::uintptr_t>(memory->data())));
}

}  // namespace thalweg
