/** Derivatives of reductions. */
import { makeNode, type Node, type NodeOf, type ReduceOp } from "../../graph/node.ts";
import { sizeOf } from "../../graph/shape.ts";
import {
  binaryNode,
  cast,
  div,
  expand,
  fill,
  fillLike,
  mul,
  permute,
  reshape,
  sum,
  unreduce,
  where,
} from "../build.ts";
import type { Rule, Rules } from "../rule.ts";

/** max and min: the extremes share the gradient equally. */
const extremeRule: Rule<"max" | "min"> = (node, gradient) => {
  const x = node.inputs[0] as Node;
  const { axes } = node.attributes;
  const chosen = binaryNode("equal", x, unreduce(node, axes, x.shape));
  const count = sum(cast(chosen, x.dtype), axes);
  return [where(chosen, unreduce(div(gradient, count), axes, x.shape), fillLike(0, x))];
};

/**
 * Product of the other elements, for every element: exact where some are zero, as a division by the element is not.
 * Takes the square of the reduced size.
 */
function productOfOthers(node: NodeOf<"prod">): Node {
  const x = node.inputs[0] as Node;
  const { axes } = node.attributes;
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...kept, ...axes];
  const ordered = permute(x, order);
  const n = sizeOf(axes.map((axis) => x.shape[axis] as number));
  const cube = [sizeOf(node.shape), n, n];
  const values = expand(reshape(ordered, [cube[0] as number, 1, n]), cube);
  const iota = makeNode("iota", [], {}, [n], "int32");
  const diagonal = binaryNode("equal", expand(reshape(iota, [1, n, 1]), cube), expand(reshape(iota, [1, 1, n]), cube));
  const others = where(diagonal, fill(1, cube, x.dtype), values);
  const products = makeNode("prod", [others], { axes: [2] }, cube.slice(0, 2), x.dtype);
  return permute(
    reshape(products, ordered.shape),
    order.map((_, axis) => order.indexOf(axis)),
  );
}

export const reduceRules: Rules<ReduceOp> = {
  sum: (node, gradient) => [unreduce(gradient, node.attributes.axes, (node.inputs[0] as Node).shape)],
  prod: (node, gradient) => {
    const { shape } = node.inputs[0] as Node;
    const expanded = unreduce(gradient, node.attributes.axes, shape);
    // One element per product: nothing to multiply by.
    return [sizeOf(shape) === sizeOf(node.shape) ? expanded : mul(expanded, productOfOthers(node))];
  },
  max: extremeRule,
  min: extremeRule,
  argMax: "none",
  argMin: "none",
};
