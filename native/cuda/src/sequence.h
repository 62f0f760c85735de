/** Launches in order, sent one by one or as one graph. */
#pragma once

#include <memory>
#include <vector>

#include "event.h"
#include "graph.h"
#include "launch.h"
#include "stream.h"

namespace thalweg {

class Sequence final : public Resource {
 public:
  Sequence(std::shared_ptr<Context> context, std::vector<Launch> launches)
      : Resource(std::move(context)), launches_(std::move(launches)) {}
  ~Sequence() override { release(); }

  const std::vector<Launch>& launches() const { return launches_; }

  /** Builds the graph, which is replayed from then on. */
  void instantiate();
  /** Takes other arguments for one launch: `launch` differs from it in nothing else. */
  void setArguments(std::size_t index, Launch launch);
  /** Copies `bytes` from the host's `from` to `to`, sends the launches, records `done` where it is given. */
  void launch(const Stream& stream, driver::Address to, driver::Address from, std::size_t bytes, const Event* done);

 private:
  void destroy() noexcept override;

  std::vector<Launch> launches_;
  std::unique_ptr<Graph> graph_;
};

}  // namespace thalweg
