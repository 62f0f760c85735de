#include "event.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "stream.h"

namespace thalweg {

Event::Event(std::shared_ptr<Context> owner, bool timing) : Resource(std::move(owner)) {
  Context::Current current(*context());
  context()->check(driver().cuEventCreate(&handle_, timing ? driver::eventDefault : driver::eventDisableTiming),
                   "cuEventCreate");
}

void Event::record(const Stream& stream) {
  Context::Current current(*context());
  context()->check(driver().cuEventRecord(handle_, stream.handle()), "cuEventRecord");
}

bool Event::done() {
  const std::lock_guard lock(mutex_);
  if (handle_ == nullptr)
    throw CudaError("driver", disposedCode, notALibraryStatus, {}, "use of a disposed NativeEvent");
  Context::Current current(*context());
  const driver::Status status = driver().cuEventQuery(handle_);
  if (status == driver::notReady) return false;
  context()->check(status, "cuEventQuery");
  return true;
}

void Event::synchronize() {
  Context::Current current(*context());
  context()->check(driver().cuEventSynchronize(handle_), "cuEventSynchronize");
}

/*
 * Asks again and again rather than calling cuEventSynchronize, which nothing could interrupt: when the event is disposed
 * of the thread must come back even if the GPU never does. Pauses are a fiftieth of the time waited so far, so the answer
 * comes at most that much late, and a long wait costs next to no processor time.
 */
void Event::wait() {
  using Clock = std::chrono::steady_clock;
  using std::chrono::microseconds;
  constexpr microseconds spin{50};
  const Clock::time_point start = Clock::now();
  while (!done()) {
    const auto waited = std::chrono::duration_cast<microseconds>(Clock::now() - start);
    if (waited < spin) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::clamp(waited / 50, microseconds(5), microseconds(250)));
    }
  }
}

float Event::elapsedSince(const Event& start) {
  Context::Current current(*context());
  float milliseconds = 0;
  context()->check(driver().cuEventElapsedTime(&milliseconds, start.handle(), handle_), "cuEventElapsedTime");
  return milliseconds;
}

void Event::destroy() noexcept {
  const std::lock_guard lock(mutex_);
  driver().cuEventDestroy_v2(handle_);
  handle_ = nullptr;
}

}  // namespace thalweg
