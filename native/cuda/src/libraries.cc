#include "libraries.h"

#include "dynamicLibrary.h"

namespace thalweg {
namespace {

/** Takes a function's address from a library, or notes that it is missing. */
template <class Pointer>
void bind(const DynamicLibrary& library, const char* name, Pointer& pointer, std::string& missing) {
  pointer = reinterpret_cast<Pointer>(library.symbol(name));
  if (pointer == nullptr) missing += (missing.empty() ? "lacks " : ", ") + std::string(name);
}

#define THALWEG_BIND(name, ...) bind(library, #name, functions.name, missing);

std::string bindAll(const DynamicLibrary& library, driver::Functions& functions) {
  std::string missing;
  THALWEG_DRIVER_FUNCTIONS(THALWEG_BIND)
  return missing;
}

std::string bindAll(const DynamicLibrary& library, nvrtc::Functions& functions) {
  std::string missing;
  THALWEG_NVRTC_FUNCTIONS(THALWEG_BIND)
  return missing;
}

std::string bindAll(const DynamicLibrary& library, cublaslt::Functions& functions) {
  std::string missing;
  THALWEG_CUBLASLT_FUNCTIONS(THALWEG_BIND)
  return missing;
}

#undef THALWEG_BIND

/** Loads the first candidate that can be used. `start` readies it and gives an error message, empty if there is none. */
template <class Functions, class Start>
LoadedLibrary load(const std::vector<std::string>& candidates, Functions& functions, const Start& start) {
  LoadedLibrary loaded;
  for (const std::string& path : candidates) {
    std::string error;
    DynamicLibrary library = DynamicLibrary::open(path, error);
    if (library) {
      error = bindAll(library, functions);
      if (error.empty()) {
        error = start(library);
        if (error.empty()) {
          loaded.path = path;
          return loaded;
        }
      } else {
        library.close();
      }
    }
    loaded.tried.push_back({path, error});
  }
  functions = {};
  return loaded;
}

/** What a driver says of a status, `CUDA_ERROR_UNKNOWN_STATUS` where it knows none. */
std::string driverCode(const driver::Functions& functions, driver::Status status) {
  const char* name = nullptr;
  const bool known = functions.cuGetErrorName(status, &name) == driver::success && name != nullptr;
  return known ? name : "CUDA_ERROR_UNKNOWN_STATUS";
}

std::string driverDescription(const driver::Functions& functions, driver::Status status) {
  const char* text = nullptr;
  if (functions.cuGetErrorString(status, &text) != driver::success || text == nullptr) return {};
  return text;
}

const char* cublasCode(cublaslt::Status status) {
  switch (status) {
    case 1: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case 3: return "CUBLAS_STATUS_ALLOC_FAILED";
    case 7: return "CUBLAS_STATUS_INVALID_VALUE";
    case 8: return "CUBLAS_STATUS_ARCH_MISMATCH";
    case 11: return "CUBLAS_STATUS_MAPPING_ERROR";
    case 13: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case 14: return "CUBLAS_STATUS_INTERNAL_ERROR";
    case 15: return "CUBLAS_STATUS_NOT_SUPPORTED";
    case 16: return "CUBLAS_STATUS_LICENSE_ERROR";
    default: return "CUBLAS_STATUS_UNKNOWN";
  }
}

[[noreturn]] void failMissing(const char* library, const char* name) {
  throw CudaError(library, libraryMissingCode, notALibraryStatus, std::string(name) + " was not found",
                  "use of " + std::string(name));
}

}  // namespace

Libraries::Libraries(const std::vector<std::string>& driver, const std::vector<std::string>& nvrtc,
                     const std::vector<std::string>& cublasLt) {
  driverLibrary_ = load(driver, driver_, [this](const DynamicLibrary& library) -> std::string {
    const driver::Status status = driver_.cuInit(0);
    if (status != driver::success) {
      const std::string description = driverDescription(driver_, status);
      return "cuInit: " + driverCode(driver_, status) + (description.empty() ? "" : " (" + description + ")");
    }
    emulated_ = library.symbol("thalwegEmulatedCuda") != nullptr;
    return {};
  });
  nvrtcLibrary_ = load(nvrtc, nvrtc_, [this](const DynamicLibrary&) -> std::string {
    openBeside(reinterpret_cast<const void*>(nvrtc_.nvrtcVersion), "libnvrtc-builtins.so");
    return {};
  });
  cublasLtLibrary_ = load(cublasLt, cublasLt_, [](const DynamicLibrary&) -> std::string { return {}; });
}

const driver::Functions& Libraries::driver() const {
  if (!driverLibrary_.found()) failMissing("driver", "the CUDA driver");
  return driver_;
}

const nvrtc::Functions& Libraries::nvrtc() const {
  if (!nvrtcLibrary_.found()) failMissing("nvrtc", "NVRTC");
  return nvrtc_;
}

const cublaslt::Functions& Libraries::cublasLt() const {
  if (!cublasLtLibrary_.found()) failMissing("cublasLt", "cuBLASLt");
  return cublasLt_;
}

void Libraries::failDriver(driver::Status status, std::string call) const {
  throw CudaError("driver", driverCode(driver_, status), status, driverDescription(driver_, status), std::move(call));
}

void Libraries::failNvrtc(nvrtc::Status status, std::string call, std::string log) const {
  const char* name = nvrtc_.nvrtcGetErrorString(status);
  throw CudaError("nvrtc", name != nullptr ? name : "NVRTC_ERROR_UNKNOWN", status, {}, std::move(call), std::move(log));
}

void Libraries::failCublasLt(cublaslt::Status status, std::string call) const {
  throw CudaError("cublasLt", cublasCode(status), status, {}, std::move(call));
}

}  // namespace thalweg
