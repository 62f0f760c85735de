#include "graph.h"

namespace thalweg {
namespace {

driver::KernelNodeParameters kernelParameters(const KernelLaunch& launch, PackedArguments& arguments) {
  driver::KernelNodeParameters parameters{};
  parameters.function = launch.function->handle();
  parameters.gridX = launch.grid[0];
  parameters.gridY = launch.grid[1];
  parameters.gridZ = launch.grid[2];
  parameters.blockX = launch.block[0];
  parameters.blockY = launch.block[1];
  parameters.blockZ = launch.block[2];
  parameters.sharedBytes = launch.sharedBytes;
  parameters.extra = arguments.extra();
  return parameters;
}

driver::MemsetNodeParameters fillParameters(const FillLaunch& launch) {
  driver::MemsetNodeParameters parameters{};
  parameters.to = launch.to;
  parameters.value = launch.word;
  parameters.elementBytes = 4;
  parameters.width = launch.words;
  parameters.height = 1;
  return parameters;
}

/** What a product launches, recorded from a stream: cuBLASLt does not say which kernels those are. */
class CapturedProduct {
 public:
  CapturedProduct(Context& context, const ProductLaunch& launch) : context_(context) {
    const driver::Stream stream = context.captureStream();
    // Relaxed: the first product of a kind loads its kernels, which a stricter capture forbids.
    context.check(context.driver().cuStreamBeginCapture_v2(stream, driver::captureRelaxed), "cuStreamBeginCapture_v2");
    try {
      launch.product->launch(launch.addresses, stream);
    } catch (...) {
      context.driver().cuStreamEndCapture(stream, &graph_);
      if (graph_ != nullptr) context.driver().cuGraphDestroy(graph_);
      throw;
    }
    context.check(context.driver().cuStreamEndCapture(stream, &graph_), "cuStreamEndCapture");
  }
  ~CapturedProduct() {
    if (graph_ != nullptr) context_.driver().cuGraphDestroy(graph_);
  }
  CapturedProduct(const CapturedProduct&) = delete;
  CapturedProduct& operator=(const CapturedProduct&) = delete;

  driver::Graph graph() const { return graph_; }

 private:
  Context& context_;
  driver::Graph graph_ = nullptr;
};

}  // namespace

Graph::Graph(Context& context, const std::vector<Launch>& launches) : context_(context) {
  try {
    context_.check(context_.driver().cuGraphCreate(&graph_, 0), "cuGraphCreate");
    nodes_.reserve(launches.size());
    for (const Launch& launch : launches) {
      std::vector<driver::GraphNode> after;
      if (launch.after.has_value()) {
        for (const std::size_t index : *launch.after) after.push_back(nodes_.at(index));
      } else if (!nodes_.empty()) {
        after.push_back(nodes_.back());
      }
      nodes_.push_back(add(launch, after));
    }
    context_.check(context_.driver().cuGraphInstantiateWithFlags(&exec_, graph_, 0), [&] {
      return "cuGraphInstantiateWithFlags of " + std::to_string(launches.size()) + " launches";
    });
  } catch (...) {
    destroy();
    throw;
  }
}

Graph::~Graph() { destroy(); }

driver::GraphNode Graph::add(const Launch& launch, const std::vector<driver::GraphNode>& after) {
  const driver::Functions& driver = context_.driver();
  driver::GraphNode node = nullptr;
  if (const auto* kernel = std::get_if<KernelLaunch>(&launch.what)) {
    PackedArguments arguments(*kernel);
    const driver::KernelNodeParameters parameters = kernelParameters(*kernel, arguments);
    context_.check(driver.cuGraphAddKernelNode_v2(&node, graph_, after.data(), after.size(), &parameters),
                   [&] { return "cuGraphAddKernelNode_v2 of " + describe(*kernel); });
  } else if (const auto* fill = std::get_if<FillLaunch>(&launch.what)) {
    const driver::MemsetNodeParameters parameters = fillParameters(*fill);
    context_.check(
        driver.cuGraphAddMemsetNode(&node, graph_, after.data(), after.size(), &parameters, context_.handle()),
        [&] { return "cuGraphAddMemsetNode of " + std::to_string(fill->words) + " words"; });
  } else {
    const CapturedProduct captured(context_, std::get<ProductLaunch>(launch.what));
    context_.check(driver.cuGraphAddChildGraphNode(&node, graph_, after.data(), after.size(), captured.graph()),
                   "cuGraphAddChildGraphNode of a product");
  }
  return node;
}

void Graph::launch(driver::Stream stream) const {
  context_.check(context_.driver().cuGraphLaunch(exec_, stream),
                 [&] { return "cuGraphLaunch of " + std::to_string(nodes_.size()) + " launches"; });
}

bool Graph::update(std::size_t index, const Launch& launch) {
  const driver::Functions& driver = context_.driver();
  const driver::GraphNode node = nodes_.at(index);
  if (const auto* kernel = std::get_if<KernelLaunch>(&launch.what)) {
    PackedArguments arguments(*kernel);
    const driver::KernelNodeParameters parameters = kernelParameters(*kernel, arguments);
    return driver.cuGraphExecKernelNodeSetParams_v2(exec_, node, &parameters) == driver::success;
  }
  if (const auto* fill = std::get_if<FillLaunch>(&launch.what)) {
    const driver::MemsetNodeParameters parameters = fillParameters(*fill);
    return driver.cuGraphExecMemsetNodeSetParams(exec_, node, &parameters, context_.handle()) == driver::success;
  }
  const CapturedProduct captured(context_, std::get<ProductLaunch>(launch.what));
  return driver.cuGraphExecChildGraphNodeSetParams(exec_, node, captured.graph()) == driver::success;
}

void Graph::destroy() noexcept {
  if (exec_ != nullptr) context_.driver().cuGraphExecDestroy(exec_);
  if (graph_ != nullptr) context_.driver().cuGraphDestroy(graph_);
  exec_ = nullptr;
  graph_ = nullptr;
}

}  // namespace thalweg
