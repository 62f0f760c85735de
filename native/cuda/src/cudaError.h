/** A failed call of a CUDA library, as a C++ exception; what JavaScript sees of it is made in javaScriptError.cc. */
#pragma once

#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace thalweg {

class CudaError : public std::runtime_error {
 public:
  /** `description`: the status in words, may be empty. `call`: what was attempted. */
  CudaError(const char* library, std::string code, int status, const std::string& description, std::string call,
            std::string log = {})
      : std::runtime_error(call + ": " + code + (description.empty() ? "" : " (" + description + ")") +
                           (log.empty() ? "" : "\n" + log)),
        library_(library),
        code_(std::move(code)),
        status_(status),
        call_(std::move(call)),
        log_(std::move(log)) {}

  /** `driver`, `nvrtc` or `cublasLt`. */
  const char* library() const { return library_; }
  const std::string& code() const { return code_; }
  int status() const { return status_; }
  const std::string& call() const { return call_; }
  /** A compiler's messages. */
  const std::string& log() const { return log_; }

 private:
  const char* library_;
  std::string code_;
  int status_;
  std::string call_;
  std::string log_;
};

/** Codes of our own, with this status: no library was asked. */
inline constexpr int notALibraryStatus = -1;
inline constexpr const char* disposedCode = "DISPOSED";
inline constexpr const char* libraryMissingCode = "LIBRARY_MISSING";

/** What was attempted: a text, or a function that writes it, which is called only when it is needed. */
template <class Call>
std::string callText(const Call& call) {
  if constexpr (std::is_invocable_v<Call>) {
    return call();
  } else {
    return call;
  }
}

}  // namespace thalweg
