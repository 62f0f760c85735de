/** Launches as one CUDA graph, built node by node. */
#pragma once

#include <vector>

#include "launch.h"

namespace thalweg {

/** The context must be current whenever something of it is called, its destructor included. */
class Graph {
 public:
  Graph(Context& context, const std::vector<Launch>& launches);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void launch(driver::Stream stream) const;
  /** Takes over the arguments of one launch; false if the graph must be built anew for them. */
  bool update(std::size_t index, const Launch& launch);

 private:
  driver::GraphNode add(const Launch& launch, const std::vector<driver::GraphNode>& after);
  void destroy() noexcept;

  Context& context_;
  driver::Graph graph_ = nullptr;
  driver::GraphExec exec_ = nullptr;
  /** By launch. They name what is updated, so the graph they are of is kept. */
  std::vector<driver::GraphNode> nodes_;
};

}  // namespace thalweg
