#include "moduleObjects.h"

namespace thalweg {

std::vector<ModuleObject::Descriptor> ModuleObject::properties() {
  return {method<&ModuleObject::function>("function"), method<&ModuleObject::dispose>("dispose")};
}

Napi::Value ModuleObject::function(const Napi::CallbackInfo& info) {
  return FunctionObject::create(
      info.Env(), std::make_shared<Function>(held(), readText(info[0], "name"), readInt(info[1], "sharedBytes")));
}

FunctionObject::FunctionObject(const Napi::CallbackInfo& info) : Wrapped(info) {
  constant(info, "registers", held()->registers());
  constant(info, "localBytes", held()->localBytes());
  constant(info, "sharedBytes", held()->sharedBytes());
}

Napi::Value FunctionObject::occupancy(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(),
                           held()->occupancy(readInt(info[0], "threads"), readSize(info[1], "sharedBytes")));
}

}  // namespace thalweg
