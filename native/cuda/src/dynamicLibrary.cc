#include "dynamicLibrary.h"

#include <filesystem>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace thalweg {

#ifdef _WIN32

DynamicLibrary DynamicLibrary::open(const std::string& path, std::string& error) {
  DynamicLibrary library;
  const std::filesystem::path file = std::filesystem::path(std::u8string(path.begin(), path.end()));
  // Its own folder is searched for what it needs, which for a wheel is where the rest lies.
  const DWORD flags = file.is_absolute() ? LOAD_WITH_ALTERED_SEARCH_PATH : 0;
  library.handle_ = reinterpret_cast<void*>(LoadLibraryExW(file.c_str(), nullptr, flags));
  if (!library) error = "LoadLibrary failed with error " + std::to_string(GetLastError());
  return library;
}

void* DynamicLibrary::symbol(const char* name) const {
  return reinterpret_cast<void*>(GetProcAddress(reinterpret_cast<HMODULE>(handle_), name));
}

void DynamicLibrary::close() {
  if (handle_ != nullptr) FreeLibrary(reinterpret_cast<HMODULE>(handle_));
  handle_ = nullptr;
}

void openBeside(const void*, const std::string&) {}  // LOAD_WITH_ALTERED_SEARCH_PATH has seen to it

#else

DynamicLibrary DynamicLibrary::open(const std::string& path, std::string& error) {
  DynamicLibrary library;
  library.handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* message = dlerror();
    error = message != nullptr ? message : "dlopen failed";
  }
  return library;
}

void* DynamicLibrary::symbol(const char* name) const { return dlsym(handle_, name); }

void DynamicLibrary::close() {
  if (handle_ != nullptr) dlclose(handle_);
  handle_ = nullptr;
}

void openBeside(const void* address, const std::string& prefix) {
  Dl_info found;
  if (dladdr(address, &found) == 0 || found.dli_fname == nullptr) return;
  std::error_code failure;
  const auto folder = std::filesystem::path(found.dli_fname).parent_path();
  if (folder.empty()) return;
  std::filesystem::directory_iterator entry(folder, failure);
  for (; !failure && entry != std::filesystem::directory_iterator(); entry.increment(failure)) {
    if (entry->path().filename().string().starts_with(prefix)) dlopen(entry->path().c_str(), RTLD_NOW | RTLD_LOCAL);
  }
}

#endif

}  // namespace thalweg
