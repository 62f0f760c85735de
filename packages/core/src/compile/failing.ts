/** Which kernels may stop half-way: those that look something up by an index that comes from outside. */
import { isFloat } from "../graph/dtype.ts";
import type { Node } from "../graph/node.ts";
import type { Partition } from "./partition.ts";

const positions: ReadonlySet<string> = new Set(["argMax", "argMin", "argSort", "iota", "constant"]);

/**
 * The units and indexed nodes that may throw IndexError. Positions that were counted or found, and arithmetic on them, are
 * in range: that is how pooling finds its maxima.
 */
export function mayFail(partition: Partition): ReadonlySet<Node> {
  const failing = new Set<Node>();
  for (const node of partition.order) {
    if ((node.op !== "gather" && node.op !== "scatterAdd") || !isGiven(node.inputs[1] as Node)) continue;
    // What is not stored is computed by all that use it.
    const users = new Set<Node>([node]);
    for (const user of users) {
      if (partition.isStored(user)) failing.add(user);
      else for (const consumer of partition.consumers.get(user) ?? []) users.add(consumer);
    }
  }
  return failing;
}

/** Made from integers in memory, or from rounded floats. */
function isGiven(index: Node): boolean {
  const stack = [index];
  const seen = new Set(stack);
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (isFloat(next.dtype)) return true;
    if (next.dtype === "bool" || positions.has(next.op)) continue;
    if (next.inputs.length === 0) return true;
    for (const input of next.inputs) {
      if (seen.has(input)) continue;
      seen.add(input);
      stack.push(input);
    }
  }
  return false;
}
