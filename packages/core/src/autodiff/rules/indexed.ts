/** Derivatives of operations that address by index. No derivative passes to an index. */
import { makeNode, type Node } from "../../graph/node.ts";
import { fillLike, flip, pad } from "../build.ts";
import type { Rules } from "../rule.ts";

export const indexedRules: Rules<"gather" | "scatterAdd" | "cumSum" | "argSort"> = {
  gather: (node, gradient) => {
    const [x, index] = node.inputs as unknown as [Node, Node];
    const { axis } = node.attributes;
    return [makeNode("scatterAdd", [fillLike(0, x), index, gradient], { axis }, x.shape, x.dtype), undefined];
  },
  scatterAdd: (node, gradient, needed) => {
    const [, index, source] = node.inputs as unknown as [Node, Node, Node];
    if (!needed[2]) return [gradient, undefined, undefined];
    const gathered = makeNode("gather", [gradient, index], { axis: node.attributes.axis }, index.shape, node.dtype);
    // A source may be larger than the index; the rest of it was not read.
    const unread = source.shape.map((n, axis) => n - (index.shape[axis] as number));
    return [
      gradient,
      undefined,
      pad(
        gathered,
        source.shape.map(() => 0),
        unread,
      ),
    ];
  },
  cumSum: (node, gradient) => {
    const { axis } = node.attributes;
    const flipped = makeNode("cumSum", [flip(gradient, [axis])], { axis }, node.shape, node.dtype);
    return [flip(flipped, [axis])];
  },
  argSort: "none",
};
