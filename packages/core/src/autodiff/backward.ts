/** Reverse accumulation over a graph of nodes. */
import { isFloat } from "../graph/dtype.ts";
import { type Node, type OpName, topologicalOrder } from "../graph/node.ts";
import { add } from "./build.ts";
import type { Rule } from "./rule.ts";
import { rules } from "./rules/index.ts";

/**
 * The gradients of Σ outputs · cotangents by `variables`, as new graph; undefined for a variable that no derivative
 * reaches. A variable may be any node, a leaf or not, and may depend on another variable.
 */
export function backward(
  outputs: readonly Node[],
  cotangents: readonly Node[],
  variables: readonly Node[],
): (Node | undefined)[] {
  const order = topologicalOrder(outputs);
  const reached = new Set<Node>(variables);
  for (const node of order) {
    if (rules[node.op] === "none" || !isFloat(node.dtype)) continue;
    if (node.inputs.some((input) => reached.has(input))) reached.add(node);
  }

  const gradients = new Map<Node, Node>();
  const accumulate = (node: Node, gradient: Node) => {
    const before = gradients.get(node);
    gradients.set(node, before ? add(before, gradient) : gradient);
  };
  outputs.forEach((output, i) => {
    if (reached.has(output)) accumulate(output, cotangents[i] as Node);
  });
  for (const node of order.toReversed()) {
    const gradient = gradients.get(node);
    const rule = rules[node.op] as Rule<OpName> | "none";
    if (!gradient || rule === "none") continue;
    const needed = node.inputs.map((input) => reached.has(input) && isFloat(input.dtype));
    if (!needed.includes(true)) continue;
    const inputGradients = rule(node, gradient, needed);
    node.inputs.forEach((input, i) => {
      const inputGradient = inputGradients[i];
      if (needed[i] && inputGradient) accumulate(input, inputGradient);
    });
  }
  return variables.map((variable) => gradients.get(variable));
}
