/** A CUDA context of our own, and the owners of what is made in it. */
#pragma once

#include <list>
#include <memory>
#include <string>

#include "libraries.h"

namespace thalweg {

class Resource;

/**
 * A context, kept by all that was made in it, so that things can be given up in any order. Giving it up by `release` gives
 * up all of them. Used by one JavaScript thread; only `Event::done` is called by others.
 */
class Context : public std::enable_shared_from_this<Context> {
 public:
  static std::shared_ptr<Context> create(std::shared_ptr<const Libraries> libraries, int ordinal);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /** Makes the context the calling thread's while it lives, so that contexts of one process never mix. */
  class Current {
   public:
    /** Throws CudaError if the context has been released. */
    explicit Current(const Context& context);
    ~Current();
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

   private:
    const driver::Functions& driver_;
  };

  const Libraries& libraries() const { return *libraries_; }
  const driver::Functions& driver() const { return libraries_->driver(); }
  driver::Context handle() const { return handle_; }
  bool released() const { return handle_ == nullptr; }
  template <class Call>
  void check(driver::Status status, const Call& call) const {
    libraries_->checkDriver(status, call);
  }

  /** The cuBLASLt handle, made when first asked for; the context must be current. */
  cublaslt::Handle cublasLt();
  /** A stream that only ever records graphs; the context must be current. */
  driver::Stream captureStream();

  void synchronize();
  /** Gives back everything in the context, then the context itself. */
  void release() noexcept;

 private:
  friend class Resource;
  explicit Context(std::shared_ptr<const Libraries> libraries) : libraries_(std::move(libraries)) {}

  std::shared_ptr<const Libraries> libraries_;
  driver::Context handle_ = nullptr;
  cublaslt::Handle cublasLt_ = nullptr;
  driver::Stream captureStream_ = nullptr;
  /** What is alive in it. */
  std::list<Resource*> resources_;
};

/**
 * Something that lives in a context. A derived class calls `release` in its destructor, and in `destroy` gives back what
 * it has; the context is current then. Failures are ignored: after a fault of the GPU every call fails, and the context
 * takes all of it along when it goes.
 */
class Resource {
 public:
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;
  /** Of one whose constructor failed; else `release` has been called. */
  virtual ~Resource();

  void release() noexcept;
  bool released() const { return released_; }
  const std::shared_ptr<Context>& context() const { return context_; }

 protected:
  explicit Resource(std::shared_ptr<Context> context);
  virtual void destroy() noexcept = 0;
  const driver::Functions& driver() const { return context_->driver(); }

 private:
  std::shared_ptr<Context> context_;
  std::list<Resource*>::iterator place_;
  bool released_ = false;
};

}  // namespace thalweg
