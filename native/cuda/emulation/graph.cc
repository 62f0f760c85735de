// Graphs: nodes that run in any order their dependencies allow.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "driver.h"

namespace thalweg::driver {

struct GraphExecHandle {
  ContextHandle* context;
  // Of the graph it was made from, whose nodes name its own.
  const GraphHandle* graph;
  // Replaced, not changed, while a stream still has to run it.
  std::shared_ptr<GraphBody> body;

  Node& change(size_t index) {
    if (body.use_count() > 1) body = std::make_shared<GraphBody>(*body);
    return body->nodes[index];
  }
};

namespace {

// Nodes that are not ordered may run in parallel: THALWEG_CUDA_EMULATION_ORDER chooses among those that can run.
size_t chooseNode(const std::vector<size_t>& ready) {
  const char* order = getenv("THALWEG_CUDA_EMULATION_ORDER");
  if (order != nullptr && strcmp(order, "reverse") == 0) return ready.size() - 1;
  if (order != nullptr && strcmp(order, "shuffled") == 0) {
    static uint64_t seed = 0x9e3779b97f4a7c15u;
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % ready.size();
  }
  return 0;
}

void run(const GraphBody& body, ContextHandle& context) {
  std::vector<size_t> waiting(body.nodes.size());
  std::vector<std::vector<size_t>> followers(body.nodes.size());
  std::vector<size_t> ready;
  for (size_t i = 0; i < body.nodes.size(); i++) {
    waiting[i] = body.nodes[i].after.size();
    for (const size_t before : body.nodes[i].after) followers[before].push_back(i);
    if (waiting[i] == 0) ready.push_back(i);
  }
  while (!ready.empty() && context.failure == success) {
    const auto chosen = ready.begin() + ptrdiff_t(chooseNode(ready));
    const size_t index = *chosen;
    ready.erase(chosen);
    const Node& node = body.nodes[index];
    if (node.child != nullptr)
      run(*node.child, context);
    else
      node.command(context);
    for (const size_t follower : followers[index])
      if (--waiting[follower] == 0) ready.insert(std::lower_bound(ready.begin(), ready.end(), follower), follower);
  }
}

Status addNode(GraphNode* node, Graph graph, const GraphNode* dependencies, size_t count, Node added) {
  for (size_t i = 0; i < count; i++) {
    if (!isLive(dependencies[i]) || dependencies[i]->graph != graph) return invalidValue;
    added.after.push_back(dependencies[i]->index);
  }
  graph->body.nodes.push_back(std::move(added));
  graph->nodes.emplace_back(new GraphNodeHandle{graph, graph->body.nodes.size() - 1});
  addHandle(graph->nodes.back().get());
  *node = graph->nodes.back().get();
  return success;
}

Status kernelCommand(const KernelNodeParameters& parameters, KernelCommand& command) {
  command = {parameters.function,
             {parameters.gridX, parameters.gridY, parameters.gridZ},
             {parameters.blockX, parameters.blockY, parameters.blockZ},
             parameters.sharedBytes,
             {}};
  if (parameters.parameters != nullptr || !unpackExtra(parameters.extra, command.arguments)) return invalidValue;
  return command.check(*currentContext());
}

Status memsetCommand(const MemsetNodeParameters& parameters, Context context, Command& command) {
  if (context != currentContext()) return invalidContext;
  if (parameters.elementBytes != 4 || parameters.height != 1 || parameters.width == 0 || parameters.to % 4 != 0)
    return invalidValue;
  if (!isAccessible(*context, parameters.to, parameters.width * 4)) return invalidValue;
  command = fillCommand(parameters.to, parameters.value, parameters.width);
  return success;
}

bool sameShape(const GraphBody& one, const GraphBody& other) {
  return std::equal(one.nodes.begin(), one.nodes.end(), other.nodes.begin(), other.nodes.end(),
                    [](const Node& a, const Node& b) {
                      return a.kind == b.kind && a.after == b.after &&
                             (a.child == nullptr || sameShape(*a.child, *b.child));
                    });
}

Status checkGraph(Graph graph) {
  const Status status = contextStatus();
  if (status != success) return status;
  return isLive(graph) ? success : invalidValue;
}

Status checkNode(GraphExec exec, GraphNode node, NodeKind kind) {
  const Status status = contextStatus();
  if (status != success) return status;
  if (!isLive(exec) || exec->context != currentContext() || !isLive(node) || node->graph != exec->graph) return invalidValue;
  return exec->body->nodes[node->index].kind == kind ? success : invalidValue;
}

}  // namespace

void GraphHandle::append(NodeKind kind, Command command) {
  GraphNode node = nullptr;
  const GraphNode last = nodes.empty() ? nullptr : nodes.back().get();
  addNode(&node, this, &last, last == nullptr ? 0 : 1, {kind, {}, std::move(command), nullptr});
}

THALWEG_EXPORT Status cuGraphCreate(Graph* graph, unsigned) {
  const Lock lock(driverMutex());
  const Status status = contextStatus();
  if (status != success) return status;
  *graph = new GraphHandle();
  addHandle(*graph);
  return success;
}

THALWEG_EXPORT Status cuGraphDestroy(Graph graph) {
  const Lock lock(driverMutex());
  if (!isLive(graph)) return invalidValue;
  for (const auto& node : graph->nodes) removeHandle(node.get());
  removeHandle(graph);
  delete graph;
  return success;
}

THALWEG_EXPORT Status cuGraphAddKernelNode_v2(GraphNode* node, Graph graph, const GraphNode* dependencies,
                                              size_t dependencyCount, const KernelNodeParameters* parameters) {
  const Lock lock(driverMutex());
  Status status = checkGraph(graph);
  if (status != success) return status;
  KernelCommand command;
  status = kernelCommand(*parameters, command);
  if (status != success) return status;
  return addNode(node, graph, dependencies, dependencyCount, {NodeKind::kernel, {}, std::move(command), nullptr});
}

THALWEG_EXPORT Status cuGraphAddMemsetNode(GraphNode* node, Graph graph, const GraphNode* dependencies,
                                           size_t dependencyCount, const MemsetNodeParameters* parameters,
                                           Context context) {
  const Lock lock(driverMutex());
  Status status = checkGraph(graph);
  if (status != success) return status;
  Command command;
  status = memsetCommand(*parameters, context, command);
  if (status != success) return status;
  return addNode(node, graph, dependencies, dependencyCount, {NodeKind::fill, {}, std::move(command), nullptr});
}

THALWEG_EXPORT Status cuGraphAddChildGraphNode(GraphNode* node, Graph graph, const GraphNode* dependencies,
                                               size_t dependencyCount, Graph child) {
  const Lock lock(driverMutex());
  Status status = checkGraph(graph);
  if (status == success) status = checkGraph(child);
  if (status != success) return status;
  return addNode(node, graph, dependencies, dependencyCount,
                 {NodeKind::child, {}, nullptr, std::make_shared<const GraphBody>(child->body)});
}

THALWEG_EXPORT Status cuGraphInstantiateWithFlags(GraphExec* exec, Graph graph, unsigned long long) {
  const Lock lock(driverMutex());
  const Status status = checkGraph(graph);
  if (status != success) return status;
  *exec = new GraphExecHandle{currentContext(), graph, std::make_shared<GraphBody>(graph->body)};
  addHandle(*exec);
  return success;
}

THALWEG_EXPORT Status cuGraphExecKernelNodeSetParams_v2(GraphExec exec, GraphNode node,
                                                        const KernelNodeParameters* parameters) {
  const Lock lock(driverMutex());
  Status status = checkNode(exec, node, NodeKind::kernel);
  if (status != success) return status;
  KernelCommand command;
  status = kernelCommand(*parameters, command);
  if (status == success) exec->change(node->index).command = std::move(command);
  return status;
}

THALWEG_EXPORT Status cuGraphExecMemsetNodeSetParams(GraphExec exec, GraphNode node,
                                                     const MemsetNodeParameters* parameters, Context context) {
  const Lock lock(driverMutex());
  Status status = checkNode(exec, node, NodeKind::fill);
  if (status != success) return status;
  Command command;
  status = memsetCommand(*parameters, context, command);
  if (status == success) exec->change(node->index).command = std::move(command);
  return status;
}

THALWEG_EXPORT Status cuGraphExecChildGraphNodeSetParams(GraphExec exec, GraphNode node, Graph child) {
  const Lock lock(driverMutex());
  Status status = checkNode(exec, node, NodeKind::child);
  if (status == success) status = checkGraph(child);
  if (status != success) return status;
  if (!sameShape(*exec->body->nodes[node->index].child, child->body)) return graphUpdateFailure;
  exec->change(node->index).child = std::make_shared<const GraphBody>(child->body);
  return success;
}

THALWEG_EXPORT Status cuGraphLaunch(GraphExec exec, Stream handle) {
  const Lock lock(driverMutex());
  const Status status = contextStatus();
  if (status != success) return status;
  StreamHandle* stream = streamOf(handle, *currentContext());
  if (!isLive(exec) || exec->context != currentContext() || stream == nullptr) return invalidHandle;
  enqueue(*stream, [body = exec->body](ContextHandle& context) { run(*body, context); });
  return success;
}

THALWEG_EXPORT Status cuGraphExecDestroy(GraphExec exec) {
  const Lock lock(driverMutex());
  if (!isLive(exec)) return invalidValue;
  removeHandle(exec);
  delete exec;
  return success;
}

}  // namespace thalweg::driver
