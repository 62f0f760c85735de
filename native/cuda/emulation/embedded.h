// The texts of state.h and emulation.h as they were when the library was built, so that it needs no file beside it.
#pragma once

#include <string>

namespace emulation {

std::string embeddedState();
std::string embeddedEmulation();

}  // namespace emulation
