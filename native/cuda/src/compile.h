/** CUDA C to images that can be loaded, by NVRTC. */
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "libraries.h"

namespace thalweg {

/** A file that sources may include: its name and its text. */
using Header = std::pair<std::string, std::string>;

/**
 * Compiles each source by itself, up to `threads` at once. Throws CudaError for the first of those that fail, with the
 * compiler's messages.
 */
std::vector<std::string> compile(const Libraries& libraries, const std::vector<std::string>& sources,
                                 const std::vector<Header>& headers, const std::vector<std::string>& options,
                                 unsigned threads);

}  // namespace thalweg
