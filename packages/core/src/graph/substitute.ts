/** The same graph with some of its nodes replaced. */
import { type Attributes, makeNode, type Node } from "./node.ts";

/**
 * `roots` with every node that `replacement` knows another for replaced by that, and what depends on it made anew. What a
 * replaced node was made from is not looked at. Iterative, as graphs may be deep.
 */
export function substitute(roots: readonly Node[], replacement: (node: Node) => Node | undefined): Node[] {
  const replaced = new Map<Node, Node>();
  const stack = [...roots];
  while (stack.length > 0) {
    const node = stack[stack.length - 1] as Node;
    if (replaced.has(node)) {
      stack.pop();
      continue;
    }
    const known = replacement(node);
    if (known) {
      replaced.set(node, known);
      stack.pop();
      continue;
    }
    const missing = node.inputs.filter((input) => !replaced.has(input));
    if (missing.length > 0) {
      stack.push(...missing);
      continue;
    }
    stack.pop();
    const inputs = node.inputs.map((input) => replaced.get(input) as Node);
    const same = inputs.every((input, i) => input === node.inputs[i]);
    replaced.set(
      node,
      same
        ? node
        : (makeNode(node.op, inputs, node.attributes as Attributes[typeof node.op], node.shape, node.dtype) as Node),
    );
  }
  return roots.map((root) => replaced.get(root) as Node);
}
