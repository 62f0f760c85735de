/** Streams: work in order. */
#pragma once

#include "context.h"

namespace thalweg {

class Event;

class Stream final : public Resource {
 public:
  Stream(std::shared_ptr<Context> context, bool highPriority);
  ~Stream() override { release(); }

  driver::Stream handle() const { return handle_; }

  void waitFor(const Event& event);
  void copyToDevice(driver::Address to, driver::Address from, std::size_t bytes);
  void copyToHost(driver::Address to, driver::Address from, std::size_t bytes);
  void copyOnDevice(driver::Address to, driver::Address from, std::size_t bytes);
  void fill(driver::Address to, unsigned word, std::size_t words);
  bool done();
  void synchronize();

 private:
  void destroy() noexcept override;

  driver::Stream handle_ = nullptr;
};

}  // namespace thalweg
