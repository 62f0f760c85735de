/** The border to JavaScript: no C++ exception crosses it unturned. */
#pragma once

#include <napi.h>

#include <exception>

#include "cudaError.h"

namespace thalweg {

/** The `CudaError` of the interface. */
Napi::Error javaScriptError(Napi::Env env, const CudaError& error);

/** Any exception as an error of JavaScript. */
Napi::Error javaScriptError(Napi::Env env, const std::exception_ptr& failure);

/** Runs what JavaScript called; whatever it throws becomes an error of JavaScript. */
template <class Action>
auto guarded(Napi::Env env, const Action& action) {
  try {
    return action();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw javaScriptError(env, std::current_exception());
  }
}

}  // namespace thalweg
