#include "sequence.h"

namespace thalweg {

void Sequence::instantiate() {
  if (graph_ || launches_.empty()) return;
  Context::Current current(*context());
  graph_ = std::make_unique<Graph>(*context(), launches_);
}

void Sequence::setArguments(std::size_t index, Launch launch) {
  if (launches_.at(index).what == launch.what) return;
  launches_[index] = std::move(launch);
  if (!graph_) return;
  Context::Current current(*context());
  if (graph_->update(index, launches_[index])) return;
  // Built anew where an update will not do, with all arguments as they now are: whatever is really wrong shows there.
  graph_.reset();
  graph_ = std::make_unique<Graph>(*context(), launches_);
}

void Sequence::launch(const Stream& stream, driver::Address to, driver::Address from, std::size_t bytes,
                      const Event* done) {
  Context::Current current(*context());
  if (bytes != 0) {
    const void* source = reinterpret_cast<const void*>(static_cast<std::uintptr_t>(from));
    context()->check(driver().cuMemcpyHtoDAsync_v2(to, source, bytes, stream.handle()),
                     [&] { return "cuMemcpyHtoDAsync_v2 of " + std::to_string(bytes) + " bytes"; });
  }
  if (graph_) {
    graph_->launch(stream.handle());
  } else {
    for (const Launch& launch : launches_) send(*context(), launch, stream.handle());
  }
  if (done != nullptr) context()->check(driver().cuEventRecord(done->handle(), stream.handle()), "cuEventRecord");
}

void Sequence::destroy() noexcept {
  graph_.reset();
  launches_.clear();
}

}  // namespace thalweg
