/** The part of NVRTC's binary interface that the addon uses; see driverApi.h. */
#pragma once

#include <cstddef>

namespace thalweg::nvrtc {

using Status = int;
using Program = struct ProgramHandle*;

inline constexpr Status success = 0;

}  // namespace thalweg::nvrtc

/** Every function of NVRTC that the addon calls: `X(exported name, its type)`. */
#define THALWEG_NVRTC_FUNCTIONS(X)                                                                              \
  X(nvrtcVersion, Status(int* major, int* minor))                                                               \
  X(nvrtcGetErrorString, const char*(Status status))                                                            \
  X(nvrtcCreateProgram, Status(Program* program, const char* source, const char* name, int headerCount,         \
                               const char* const* headers, const char* const* headerNames))                     \
  X(nvrtcDestroyProgram, Status(Program* program))                                                              \
  X(nvrtcCompileProgram, Status(Program program, int optionCount, const char* const* options))                  \
  X(nvrtcGetCUBINSize, Status(Program program, std::size_t* bytes))                                             \
  X(nvrtcGetCUBIN, Status(Program program, char* image))                                                        \
  X(nvrtcGetProgramLogSize, Status(Program program, std::size_t* bytes))                                        \
  X(nvrtcGetProgramLog, Status(Program program, char* log))
