/** Which nodes a loss depends on by a path that carries a derivative. */
import { isFloat } from "../graph/dtype.ts";
import type { Node } from "../graph/node.ts";

/** Every node `root` can be reached from, not through a `stopGradient` nor through integers and booleans. Iterative. */
export function differentiableAncestors(root: Node): ReadonlySet<Node> {
  const seen = new Set<Node>([root]);
  const stack = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.op === "stopGradient") continue;
    for (const input of node.inputs) {
      if (!isFloat(input.dtype) || seen.has(input)) continue;
      seen.add(input);
      stack.push(input);
    }
  }
  return seen;
}
