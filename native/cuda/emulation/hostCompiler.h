// Compiles device code to a shared object with the host's C++ compiler.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace emulation {

struct Compilation {
  bool done = false;
  // The shared object.
  std::string image;
  // What the compiler printed, or why it could not be started.
  std::string log;
};

// `headers`: names as they are included, and texts. `options`: such as `-DNAME=1`. May be called by several threads.
Compilation compileForHost(const std::string& source, const std::string& name,
                           const std::vector<std::pair<std::string, std::string>>& headers,
                           const std::vector<std::string>& options);

// Changes with all texts and flags that every compilation has.
uint64_t hostCompilerVersion();

}  // namespace emulation
