#include "librariesObject.h"

#include <cstring>

#include "compile.h"
#include "contextObject.h"
#include "device.h"

namespace thalweg {
namespace {

Napi::Object loadedLibrary(Napi::Env env, const LoadedLibrary& library) {
  Napi::Object result = Napi::Object::New(env);
  if (library.found()) result.Set("path", library.path);
  Napi::Array tried = Napi::Array::New(env, library.tried.size());
  for (std::uint32_t index = 0; index < library.tried.size(); ++index) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("path", library.tried[index].path);
    entry.Set("error", library.tried[index].error);
    tried.Set(index, entry);
  }
  result.Set("tried", tried);
  return result;
}

Napi::Object deviceObject(Napi::Env env, const DeviceInfo& device) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("ordinal", device.ordinal);
  result.Set("name", device.name);
  result.Set("architecture", device.architecture);
  result.Set("multiprocessors", device.multiprocessors);
  result.Set("memoryBytes", static_cast<double>(device.memoryBytes));
  result.Set("l2Bytes", device.l2Bytes);
  result.Set("sharedBytesPerBlock", device.sharedBytesPerBlock);
  result.Set("sharedBytesPerMultiprocessor", device.sharedBytesPerMultiprocessor);
  result.Set("clockKiloHertz", device.clockKiloHertz);
  result.Set("memoryClockKiloHertz", device.memoryClockKiloHertz);
  result.Set("memoryBusBits", device.memoryBusBits);
  result.Set("uuid", device.uuid);
  return result;
}

std::vector<Header> readHeaders(Napi::Value value) {
  const Napi::Object object = readObject(value, "headers");
  const Napi::Array names = object.GetPropertyNames();
  std::vector<Header> headers;
  for (std::uint32_t index = 0; index < names.Length(); ++index) {
    const Napi::Value name = names.Get(index);
    headers.emplace_back(readText(name, "a header's name"), readText(object.Get(name), "a header"));
  }
  return headers;
}

}  // namespace

std::vector<LibrariesObject::Descriptor> LibrariesObject::properties() {
  return {method<&LibrariesObject::devices>("devices"), method<&LibrariesObject::createContext>("createContext"),
          method<&LibrariesObject::compile>("compile")};
}

LibrariesObject::LibrariesObject(const Napi::CallbackInfo& info) : Wrapped(info) {
  const Napi::Env env = info.Env();
  const Libraries& libraries = *held();
  guarded(env, [&] {
    constant(info, "driver", loadedLibrary(env, libraries.driverLibrary()));
    constant(info, "nvrtc", loadedLibrary(env, libraries.nvrtcLibrary()));
    constant(info, "cublasLt", loadedLibrary(env, libraries.cublasLtLibrary()));
    constant(info, "emulated", Napi::Boolean::New(env, libraries.emulated()));
    if (libraries.driverLibrary().found()) {
      int version = 0;
      libraries.checkDriver(libraries.driver().cuDriverGetVersion(&version), "cuDriverGetVersion");
      constant(info, "driverVersion", version);
    }
    if (libraries.nvrtcLibrary().found()) {
      int major = 0;
      int minor = 0;
      libraries.checkNvrtc(libraries.nvrtc().nvrtcVersion(&major, &minor), "nvrtcVersion");
      Napi::Array version = Napi::Array::New(env, 2);
      version.Set(0u, Napi::Number::New(env, major));
      version.Set(1u, Napi::Number::New(env, minor));
      constant(info, "nvrtcVersion", version);
    }
    if (libraries.cublasLtLibrary().found())
      constant(info, "cublasLtVersion", static_cast<double>(libraries.cublasLt().cublasLtGetVersion()));
  });
}

Napi::Value LibrariesObject::devices(const Napi::CallbackInfo& info) {
  const int count = deviceCount(*held());
  Napi::Array result = Napi::Array::New(info.Env(), static_cast<std::size_t>(count));
  for (int ordinal = 0; ordinal < count; ++ordinal)
    result.Set(static_cast<std::uint32_t>(ordinal), deviceObject(info.Env(), deviceInfo(*held(), ordinal)));
  return result;
}

Napi::Value LibrariesObject::createContext(const Napi::CallbackInfo& info) {
  return ContextObject::create(info.Env(), Context::create(held(), readInt(info[0], "ordinal")));
}

Napi::Value LibrariesObject::compile(const Napi::CallbackInfo& info) {
  const std::vector<std::string> images =
      thalweg::compile(*held(), readTexts(info[0], "sources"), readHeaders(info[1]), readTexts(info[2], "options"),
                       readUnsigned(info[3], "threads"));
  Napi::Array result = Napi::Array::New(info.Env(), images.size());
  for (std::uint32_t index = 0; index < images.size(); ++index) {
    Napi::Uint8Array image = Napi::Uint8Array::New(info.Env(), images[index].size());
    std::memcpy(image.Data(), images[index].data(), images[index].size());
    result.Set(index, image);
  }
  return result;
}

}  // namespace thalweg
