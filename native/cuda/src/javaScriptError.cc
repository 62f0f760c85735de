#include "javaScriptError.h"

namespace thalweg {

Napi::Error javaScriptError(Napi::Env env, const CudaError& error) {
  Napi::Error result = Napi::Error::New(env, error.what());
  result.Set("name", Napi::String::New(env, "CudaError"));
  result.Set("library", Napi::String::New(env, error.library()));
  result.Set("code", Napi::String::New(env, error.code()));
  result.Set("status", Napi::Number::New(env, error.status()));
  result.Set("call", Napi::String::New(env, error.call()));
  if (!error.log().empty()) result.Set("log", Napi::String::New(env, error.log()));
  return result;
}

Napi::Error javaScriptError(Napi::Env env, const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Napi::Error& error) {
    return error;
  } catch (const CudaError& error) {
    return javaScriptError(env, error);
  } catch (const std::exception& error) {
    return Napi::Error::New(env, error.what());
  } catch (...) {
    return Napi::Error::New(env, "an unknown C++ exception");
  }
}

}  // namespace thalweg
