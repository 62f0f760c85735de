#include "streamObjects.h"

namespace thalweg {
namespace {

/** Waits for an event on a thread of libuv's pool. */
class EventWait final : public Napi::AsyncWorker {
 public:
  EventWait(Napi::Env env, std::shared_ptr<Event> event, Napi::Promise::Deferred deferred)
      : AsyncWorker(env, "thalweg:event"), event_(std::move(event)), deferred_(deferred) {}

  void Execute() override {
    try {
      event_->wait();
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  void OnOK() override {
    if (failure_) {
      deferred_.Reject(javaScriptError(Env(), failure_).Value());
    } else {
      deferred_.Resolve(Env().Undefined());
    }
  }

 private:
  std::shared_ptr<Event> event_;
  Napi::Promise::Deferred deferred_;
  std::exception_ptr failure_;
};

}  // namespace

std::vector<StreamObject::Descriptor> StreamObject::properties() {
  return {
      method<&StreamObject::waitFor>("waitFor"),
      method<&StreamObject::copyToDevice>("copyToDevice"),
      method<&StreamObject::copyToHost>("copyToHost"),
      method<&StreamObject::copyOnDevice>("copyOnDevice"),
      method<&StreamObject::fill>("fill"),
      method<&StreamObject::done>("done"),
      method<&StreamObject::synchronize>("synchronize"),
      method<&StreamObject::dispose>("dispose"),
  };
}

Napi::Value StreamObject::waitFor(const Napi::CallbackInfo& info) {
  held()->waitFor(*EventObject::from(info[0], "event"));
  return info.Env().Undefined();
}

Napi::Value StreamObject::copyToDevice(const Napi::CallbackInfo& info) {
  held()->copyToDevice(readAddress(info[0], "to"), readAddress(info[1], "from"), readSize(info[2], "bytes"));
  return info.Env().Undefined();
}

Napi::Value StreamObject::copyToHost(const Napi::CallbackInfo& info) {
  held()->copyToHost(readAddress(info[0], "to"), readAddress(info[1], "from"), readSize(info[2], "bytes"));
  return info.Env().Undefined();
}

Napi::Value StreamObject::copyOnDevice(const Napi::CallbackInfo& info) {
  held()->copyOnDevice(readAddress(info[0], "to"), readAddress(info[1], "from"), readSize(info[2], "bytes"));
  return info.Env().Undefined();
}

Napi::Value StreamObject::fill(const Napi::CallbackInfo& info) {
  held()->fill(readAddress(info[0], "to"), readWord(info[1], "word"), readSize(info[2], "words"));
  return info.Env().Undefined();
}

Napi::Value StreamObject::done(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), held()->done());
}

Napi::Value StreamObject::synchronize(const Napi::CallbackInfo& info) {
  held()->synchronize();
  return info.Env().Undefined();
}

std::vector<EventObject::Descriptor> EventObject::properties() {
  return {
      method<&EventObject::record>("record"),
      method<&EventObject::done>("done"),
      method<&EventObject::synchronize>("synchronize"),
      method<&EventObject::wait>("wait"),
      method<&EventObject::elapsed>("elapsed"),
      method<&EventObject::dispose>("dispose"),
  };
}

Napi::Value EventObject::record(const Napi::CallbackInfo& info) {
  held()->record(*StreamObject::from(info[0], "stream"));
  return info.Env().Undefined();
}

Napi::Value EventObject::done(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), held()->done());
}

Napi::Value EventObject::synchronize(const Napi::CallbackInfo& info) {
  held()->synchronize();
  return info.Env().Undefined();
}

Napi::Value EventObject::wait(const Napi::CallbackInfo& info) {
  const auto deferred = Napi::Promise::Deferred::New(info.Env());
  try {
    if (held()->done()) {
      deferred.Resolve(info.Env().Undefined());
    } else {
      (new EventWait(info.Env(), held(), deferred))->Queue();  // deletes itself when it is over
    }
  } catch (const CudaError& error) {
    deferred.Reject(javaScriptError(info.Env(), error).Value());
  }
  return deferred.Promise();
}

Napi::Value EventObject::elapsed(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), held()->elapsedSince(*EventObject::from(info[0], "start")));
}

}  // namespace thalweg
