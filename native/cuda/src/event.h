/** Events: points in the work of a stream. */
#pragma once

#include <mutex>

#include "context.h"

namespace thalweg {

class Stream;

class Event final : public Resource {
 public:
  Event(std::shared_ptr<Context> context, bool timing);
  ~Event() override { release(); }

  driver::Event handle() const { return handle_; }

  void record(const Stream& stream);
  /** Whether everything before the record is done. From any thread. Throws CudaError once it has been released. */
  bool done();
  void synchronize();
  /** Blocks the calling thread, which is not JavaScript's, until it is done or fails or is released. */
  void wait();
  float elapsedSince(const Event& start);

 private:
  void destroy() noexcept override;

  /** Held while another thread than JavaScript's may use the handle. */
  std::mutex mutex_;
  driver::Event handle_ = nullptr;
};

}  // namespace thalweg
