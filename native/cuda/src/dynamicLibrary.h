/** Shared libraries opened at run time, on the systems that Node runs on. */
#pragma once

#include <string>

namespace thalweg {

/**
 * A library that was opened, for as long as the process lives: a CUDA library that has been used must not be unloaded,
 * since it leaves threads and exit handlers behind.
 */
class DynamicLibrary {
 public:
  /** By path, or by name as the system's loader finds it. Null with the loader's message in `error` if that fails. */
  static DynamicLibrary open(const std::string& path, std::string& error);

  explicit operator bool() const { return handle_ != nullptr; }

  /** Null if the library does not export it. */
  void* symbol(const char* name) const;

  /** Gives it back; only for one that nothing of has been called. */
  void close();

 private:
  void* handle_ = nullptr;
};

/**
 * Opens what lies beside the library that `address` is in and whose name begins with `prefix`. NVRTC opens its builtins
 * by their bare name, which the loader knows once they are in the process, but may not find in the folder of a wheel.
 */
void openBeside(const void* address, const std::string& prefix);

}  // namespace thalweg
