#include "sequenceObjects.h"

#include "streamObjects.h"

namespace thalweg {

ProductObject::ProductObject(const Napi::CallbackInfo& info) : Wrapped(info) {
  constant(info, "workspaceBytes", static_cast<double>(held()->workspaceBytes()));
}

std::vector<SequenceObject::Descriptor> SequenceObject::properties() {
  return {method<&SequenceObject::instantiate>("instantiate"), method<&SequenceObject::setArguments>("setArguments"),
          method<&SequenceObject::launch>("launch"), method<&SequenceObject::dispose>("dispose")};
}

Napi::Value SequenceObject::instantiate(const Napi::CallbackInfo& info) {
  held()->instantiate();
  return info.Env().Undefined();
}

Napi::Value SequenceObject::setArguments(const Napi::CallbackInfo& info) {
  const std::size_t index = readSize(info[0], "launch");
  const std::vector<Launch>& launches = held()->launches();
  if (index >= launches.size()) failType(info[0], "launch", "the index of a launch");
  Launch launch = launches[index];
  readArguments(launch, info[1]);
  held()->setArguments(index, std::move(launch));
  return info.Env().Undefined();
}

Napi::Value SequenceObject::launch(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Stream>& stream = StreamObject::from(info[0], "stream");
  if (stream->context() != held()->context()) failType(info[0], "stream", "one of the same context");
  const bool recorded = info.Length() > 4 && !info[4].IsUndefined();
  held()->launch(*stream, readAddress(info[1], "to"), readAddress(info[2], "from"), readSize(info[3], "bytes"),
                 recorded ? EventObject::from(info[4], "done").get() : nullptr);
  return info.Env().Undefined();
}

}  // namespace thalweg
