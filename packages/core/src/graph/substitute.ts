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
    const open = stack.length;
    let same = true;
    for (const input of node.inputs) {
      const by = replaced.get(input);
      if (!by) stack.push(input);
      else if (by !== input) same = false;
    }
    if (stack.length > open) continue;
    stack.pop();
    if (same) {
      replaced.set(node, node);
      continue;
    }
    const inputs = node.inputs.map((input) => replaced.get(input) as Node);
    replaced.set(
      node,
      makeNode(node.op, inputs, node.attributes as Attributes[typeof node.op], node.shape, node.dtype) as Node,
    );
  }
  return roots.map((root) => replaced.get(root) as Node);
}
