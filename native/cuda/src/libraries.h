/** The three libraries of CUDA, found at run time, and the checking of what their functions return. */
#pragma once

#include <string>
#include <vector>

#include "cublasLtApi.h"
#include "cudaError.h"
#include "driverApi.h"
#include "nvrtcApi.h"

namespace thalweg {

/** A place a library was looked for in vain. */
struct TriedLibrary {
  std::string path;
  std::string error;
};

/** A library that was looked for: where it was found, or what each candidate answered. */
struct LoadedLibrary {
  /** Empty: none could be used. */
  std::string path;
  std::vector<TriedLibrary> tried;

  bool found() const { return !path.empty(); }
};

#define THALWEG_DECLARE(name, ...) std::add_pointer_t<__VA_ARGS__> name = nullptr;

namespace driver {
struct Functions {
  THALWEG_DRIVER_FUNCTIONS(THALWEG_DECLARE)
};
}  // namespace driver

namespace nvrtc {
struct Functions {
  THALWEG_NVRTC_FUNCTIONS(THALWEG_DECLARE)
};
}  // namespace nvrtc

namespace cublaslt {
struct Functions {
  THALWEG_CUBLASLT_FUNCTIONS(THALWEG_DECLARE)
};
}  // namespace cublaslt

#undef THALWEG_DECLARE

/** Immutable once opened; shared by all that was made through it. */
class Libraries {
 public:
  /** Candidates in order; the first that loads, has every function and (the driver) finds a GPU is taken. */
  Libraries(const std::vector<std::string>& driver, const std::vector<std::string>& nvrtc,
            const std::vector<std::string>& cublasLt);

  const LoadedLibrary& driverLibrary() const { return driverLibrary_; }
  const LoadedLibrary& nvrtcLibrary() const { return nvrtcLibrary_; }
  const LoadedLibrary& cublasLtLibrary() const { return cublasLtLibrary_; }
  bool emulated() const { return emulated_; }

  /** The functions of a library; throws CudaError if it was not found. */
  const driver::Functions& driver() const;
  const nvrtc::Functions& nvrtc() const;
  const cublaslt::Functions& cublasLt() const;

  /** Throws CudaError unless the status means success. `call`: a text, or a function that gives it. */
  template <class Call>
  void checkDriver(driver::Status status, const Call& call) const {
    if (status != driver::success) [[unlikely]]
      failDriver(status, callText(call));
  }
  template <class Call>
  void checkNvrtc(nvrtc::Status status, const Call& call) const {
    if (status != nvrtc::success) [[unlikely]]
      failNvrtc(status, callText(call), {});
  }
  template <class Call>
  void checkCublasLt(cublaslt::Status status, const Call& call) const {
    if (status != cublaslt::success) [[unlikely]]
      failCublasLt(status, callText(call));
  }

  [[noreturn]] void failDriver(driver::Status status, std::string call) const;
  [[noreturn]] void failNvrtc(nvrtc::Status status, std::string call, std::string log) const;
  [[noreturn]] void failCublasLt(cublaslt::Status status, std::string call) const;

 private:
  LoadedLibrary driverLibrary_;
  LoadedLibrary nvrtcLibrary_;
  LoadedLibrary cublasLtLibrary_;
  driver::Functions driver_;
  nvrtc::Functions nvrtc_;
  cublaslt::Functions cublasLt_;
  bool emulated_ = false;
};

}  // namespace thalweg
