// NVRTC's functions: the host's compiler makes what the emulated driver loads.
#include <algorithm>
#include <cstring>

#include "../src/nvrtcApi.h"
#include "driver.h"
#include "hostCompiler.h"

namespace thalweg::nvrtc {

#define THALWEG_DECLARE(name, ...)   \
  using name##Type = __VA_ARGS__;    \
  THALWEG_EXPORT name##Type name;
THALWEG_NVRTC_FUNCTIONS(THALWEG_DECLARE)
#undef THALWEG_DECLARE

struct ProgramHandle {
  std::string source;
  std::string name;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string image;
  std::string log;
};

namespace {

constexpr Status invalidInput = 3;
constexpr Status invalidProgram = 4;
constexpr Status invalidOption = 5;
constexpr Status compilationFailed = 6;

bool startsWith(const std::string& text, const char* start) { return text.rfind(start, 0) == 0; }

// What NVRTC knows and means nothing here; the host's flags say the same already.
bool isAccepted(const std::string& option) {
  static const char* const flags[] = {"-default-device", "--device-as-default-execution-space", "-w", "-lineinfo",
                                      "--generate-line-info", "--restrict", "-restrict"};
  static const char* const valued[] = {"--fmad=", "-fmad=", "--std=", "-std=", "--maxrregcount=", "--ptxas-options="};
  return std::any_of(std::begin(flags), std::end(flags), [&](const char* flag) { return option == flag; }) ||
         std::any_of(std::begin(valued), std::end(valued), [&](const char* flag) { return startsWith(option, flag); });
}

bool isArchitecture(const std::string& option) {
  for (const char* start : {"--gpu-architecture=sm_", "-arch=sm_", "--gpu-architecture=compute_", "-arch=compute_"}) {
    if (!startsWith(option, start)) continue;
    const std::string number = option.substr(strlen(start));
    return number.size() >= 2 && std::all_of(number.begin(), number.begin() + 2, [](char digit) { return digit >= '0' && digit <= '9'; });
  }
  return false;
}

}  // namespace

// Of no real NVRTC; the second number changes whenever an image made before can no longer be loaded, so that caches which keep
// images by version hold none that are stale.
THALWEG_EXPORT Status nvrtcVersion(int* major, int* minor) {
  *major = 0;
  *minor = int(driver::imageVersion() % 1000000000);
  return success;
}

THALWEG_EXPORT const char* nvrtcGetErrorString(Status status) {
  switch (status) {
    case success: return "NVRTC_SUCCESS";
    case invalidInput: return "NVRTC_ERROR_INVALID_INPUT";
    case invalidProgram: return "NVRTC_ERROR_INVALID_PROGRAM";
    case invalidOption: return "NVRTC_ERROR_INVALID_OPTION";
    case compilationFailed: return "NVRTC_ERROR_COMPILATION";
    default: return "NVRTC_ERROR_INTERNAL_ERROR";
  }
}

THALWEG_EXPORT Status nvrtcCreateProgram(Program* program, const char* source, const char* name, int headerCount,
                                         const char* const* headers, const char* const* headerNames) {
  if (program == nullptr || source == nullptr || headerCount < 0) return invalidInput;
  auto* created = new ProgramHandle{source, name == nullptr ? "default_program" : name, {}, {}, {}};
  for (int i = 0; i < headerCount; i++) created->headers.emplace_back(headerNames[i], headers[i]);
  *program = created;
  return success;
}

THALWEG_EXPORT Status nvrtcDestroyProgram(Program* program) {
  if (program == nullptr || *program == nullptr) return invalidProgram;
  delete *program;
  *program = nullptr;
  return success;
}

THALWEG_EXPORT Status nvrtcCompileProgram(Program program, int optionCount, const char* const* options) {
  if (program == nullptr) return invalidProgram;
  std::vector<std::string> passed;
  for (int i = 0; i < optionCount; i++) {
    const std::string option = options[i];
    if (startsWith(option, "-D") && option.size() > 2) {
      passed.push_back(option);
    } else if (startsWith(option, "--define-macro=")) {
      passed.push_back("-D" + option.substr(strlen("--define-macro=")));
    } else if (!isAccepted(option) && !isArchitecture(option)) {
      program->log = "unrecognized option " + option;
      return invalidOption;
    }
  }
  emulation::Compilation compilation = emulation::compileForHost(program->source, program->name, program->headers, passed);
  program->log = std::move(compilation.log);
  if (!compilation.done) return compilationFailed;
  driver::ImageHeader header{};
  memcpy(header.magic, driver::imageMagic, sizeof header.magic);
  header.version = driver::imageVersion();
  header.bytes = compilation.image.size();
  program->image.assign(reinterpret_cast<const char*>(&header), sizeof header);
  program->image += compilation.image;
  return success;
}

THALWEG_EXPORT Status nvrtcGetCUBINSize(Program program, size_t* bytes) {
  if (program == nullptr) return invalidProgram;
  *bytes = program->image.size();
  return success;
}

THALWEG_EXPORT Status nvrtcGetCUBIN(Program program, char* image) {
  if (program == nullptr) return invalidProgram;
  memcpy(image, program->image.data(), program->image.size());
  return success;
}

THALWEG_EXPORT Status nvrtcGetProgramLogSize(Program program, size_t* bytes) {
  if (program == nullptr) return invalidProgram;
  *bytes = program->log.size() + 1;
  return success;
}

THALWEG_EXPORT Status nvrtcGetProgramLog(Program program, char* log) {
  if (program == nullptr) return invalidProgram;
  memcpy(log, program->log.c_str(), program->log.size() + 1);
  return success;
}

}  // namespace thalweg::nvrtc

namespace thalweg::driver {

uint64_t imageVersion() { return emulation::hostCompilerVersion(); }

}  // namespace thalweg::driver
