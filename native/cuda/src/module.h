/** Modules: loaded images, and the functions in them. */
#pragma once

#include "context.h"

namespace thalweg {

class Module final : public Resource {
 public:
  /** `image`: with a zero byte after it. */
  Module(std::shared_ptr<Context> context, const std::string& image);
  ~Module() override { release(); }

  driver::Module handle() const { return handle_; }

 private:
  void destroy() noexcept override;

  driver::Module handle_ = nullptr;
};

/** A kernel; keeps its module. */
class Function {
 public:
  /** Lets it be launched with up to `sharedBytes` of dynamic shared memory. */
  Function(std::shared_ptr<Module> module, const std::string& name, int sharedBytes);

  driver::Function handle() const { return handle_; }
  const std::string& name() const { return name_; }
  const Module& module() const { return *module_; }
  int registers() const { return registers_; }
  int localBytes() const { return localBytes_; }
  int sharedBytes() const { return sharedBytes_; }
  int occupancy(int threads, std::size_t sharedBytes) const;

 private:
  int attribute(int which) const;

  std::shared_ptr<Module> module_;
  std::string name_;
  driver::Function handle_ = nullptr;
  int registers_ = 0;
  int localBytes_ = 0;
  int sharedBytes_ = 0;
};

}  // namespace thalweg
