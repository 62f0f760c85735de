#include "compile.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <system_error>
#include <thread>

namespace thalweg {
namespace {

/** A program of NVRTC, given back with the object. */
class Program {
 public:
  Program(const Libraries& libraries, const std::string& source, std::string name, const std::vector<Header>& headers)
      : libraries_(libraries), nvrtc_(libraries.nvrtc()), name_(std::move(name)) {
    std::vector<const char*> texts;
    std::vector<const char*> names;
    for (const auto& [header, text] : headers) {
      names.push_back(header.c_str());
      texts.push_back(text.c_str());
    }
    libraries_.checkNvrtc(nvrtc_.nvrtcCreateProgram(&program_, source.c_str(), name_.c_str(),
                                                    static_cast<int>(headers.size()), texts.data(), names.data()),
                          [&] { return "nvrtcCreateProgram of " + name_; });
  }
  ~Program() { nvrtc_.nvrtcDestroyProgram(&program_); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  std::string compile(const std::vector<std::string>& options) const {
    std::vector<const char*> list;
    for (const std::string& option : options) list.push_back(option.c_str());
    const nvrtc::Status status = nvrtc_.nvrtcCompileProgram(program_, static_cast<int>(list.size()), list.data());
    if (status != nvrtc::success) libraries_.failNvrtc(status, "nvrtcCompileProgram of " + name_, log());
    std::size_t bytes = 0;
    libraries_.checkNvrtc(nvrtc_.nvrtcGetCUBINSize(program_, &bytes), [&] { return "nvrtcGetCUBINSize of " + name_; });
    std::string image(bytes, '\0');
    libraries_.checkNvrtc(nvrtc_.nvrtcGetCUBIN(program_, image.data()), [&] { return "nvrtcGetCUBIN of " + name_; });
    return image;
  }

 private:
  std::string log() const {
    std::size_t bytes = 0;
    if (nvrtc_.nvrtcGetProgramLogSize(program_, &bytes) != nvrtc::success || bytes == 0) return {};
    std::string text(bytes, '\0');
    if (nvrtc_.nvrtcGetProgramLog(program_, text.data()) != nvrtc::success) return {};
    text.resize(std::min(text.find('\0'), text.size()));
    return text;
  }

  const Libraries& libraries_;
  const nvrtc::Functions& nvrtc_;
  std::string name_;
  nvrtc::Program program_ = nullptr;
};

}  // namespace

std::vector<std::string> compile(const Libraries& libraries, const std::vector<std::string>& sources,
                                 const std::vector<Header>& headers, const std::vector<std::string>& options,
                                 unsigned threads) {
  libraries.nvrtc();
  std::vector<std::string> images(sources.size());
  std::vector<std::exception_ptr> failures(sources.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t index = next++; index < sources.size(); index = next++) {
      try {
        const Program program(libraries, sources[index], "source" + std::to_string(index) + ".cu", headers);
        images[index] = program.compile(options);
      } catch (...) {
        failures[index] = std::current_exception();
      }
    }
  };
  // None of it on this thread if it can be helped: the stack of a worker of Node is small for a compiler.
  std::vector<std::thread> pool;
  const std::size_t count = std::min<std::size_t>(std::max(1u, threads), sources.size());
  pool.reserve(count);
  try {
    while (pool.size() < count) pool.emplace_back(work);
  } catch (const std::system_error&) {
    if (pool.empty()) work();
  }
  for (std::thread& thread : pool) thread.join();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
  return images;
}

}  // namespace thalweg
