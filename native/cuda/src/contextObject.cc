#include "contextObject.h"

#include "memoryObjects.h"
#include "moduleObjects.h"
#include "sequenceObjects.h"
#include "streamObjects.h"

namespace thalweg {

std::vector<ContextObject::Descriptor> ContextObject::properties() {
  return {
      method<&ContextObject::allocate>("allocate"),
      method<&ContextObject::allocatePinned>("allocatePinned"),
      method<&ContextObject::loadModule>("loadModule"),
      method<&ContextObject::createStream>("createStream"),
      method<&ContextObject::createEvent>("createEvent"),
      method<&ContextObject::createSequence>("createSequence"),
      method<&ContextObject::createProduct>("createProduct"),
      method<&ContextObject::memoryInfo>("memoryInfo"),
      method<&ContextObject::synchronize>("synchronize"),
      method<&ContextObject::adjustExternalMemory>("adjustExternalMemory"),
      method<&ContextObject::dispose>("dispose"),
  };
}

Napi::Value ContextObject::allocate(const Napi::CallbackInfo& info) {
  return MemoryObject::create(info.Env(), std::make_shared<Memory>(held(), readSize(info[0], "bytes")));
}

Napi::Value ContextObject::allocatePinned(const Napi::CallbackInfo& info) {
  return PinnedObject::create(info.Env(), std::make_shared<PinnedMemory>(held(), readSize(info[0], "bytes")));
}

Napi::Value ContextObject::loadModule(const Napi::CallbackInfo& info) {
  return ModuleObject::create(info.Env(), std::make_shared<Module>(held(), readBytes(info[0], "image")));
}

Napi::Value ContextObject::createStream(const Napi::CallbackInfo& info) {
  return StreamObject::create(info.Env(), std::make_shared<Stream>(held(), readBoolean(info[0], "highPriority")));
}

Napi::Value ContextObject::createEvent(const Napi::CallbackInfo& info) {
  return EventObject::create(info.Env(), std::make_shared<Event>(held(), readBoolean(info[0], "timing")));
}

Napi::Value ContextObject::createSequence(const Napi::CallbackInfo& info) {
  return SequenceObject::create(info.Env(), std::make_shared<Sequence>(held(), readLaunches(held(), info[0])));
}

Napi::Value ContextObject::createProduct(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Product> product = Product::create(held(), readProductDescription(info[0]));
  if (product == nullptr) return info.Env().Undefined();
  return ProductObject::create(info.Env(), product);
}

Napi::Value ContextObject::memoryInfo(const Napi::CallbackInfo& info) {
  const Context::Current current(*held());
  std::size_t free = 0;
  std::size_t total = 0;
  held()->check(held()->driver().cuMemGetInfo_v2(&free, &total), "cuMemGetInfo_v2");
  Napi::Array result = Napi::Array::New(info.Env(), 2);
  result.Set(0u, Napi::Number::New(info.Env(), static_cast<double>(free)));
  result.Set(1u, Napi::Number::New(info.Env(), static_cast<double>(total)));
  return result;
}

Napi::Value ContextObject::adjustExternalMemory(const Napi::CallbackInfo& info) {
  const double bytes = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  const std::int64_t total = Napi::MemoryManagement::AdjustExternalMemory(info.Env(), static_cast<std::int64_t>(bytes));
  return Napi::Number::New(info.Env(), static_cast<double>(total));
}

Napi::Value ContextObject::synchronize(const Napi::CallbackInfo& info) {
  held()->synchronize();
  return info.Env().Undefined();
}

}  // namespace thalweg
