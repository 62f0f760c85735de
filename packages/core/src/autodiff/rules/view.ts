/** Derivatives of views: each is linear, and its rule is its adjoint, written with views again. */
import type { Node } from "../../graph/node.ts";
import { makeNode } from "../../graph/node.ts";
import { flip, pad, permute, reshape, slice, sum, zeroDilate } from "../build.ts";
import type { Rules } from "../rule.ts";

type ViewOp = "reshape" | "permute" | "expand" | "slice" | "pad" | "shear";

export const viewRules: Rules<ViewOp> = {
  reshape: (node, gradient) => [reshape(gradient, (node.inputs[0] as Node).shape)],

  permute: (node, gradient) => {
    const { axes } = node.attributes;
    return [
      permute(
        gradient,
        axes.map((_, axis) => axes.indexOf(axis)),
      ),
    ];
  },

  expand: (node, gradient) => {
    const { shape } = node.inputs[0] as Node;
    const repeated = shape.map((_, axis) => axis).filter((axis) => shape[axis] !== node.shape[axis]);
    return [reshape(sum(gradient, repeated), shape)];
  },

  slice: (node, gradient) => {
    const { shape } = node.inputs[0] as Node;
    const { start, step } = node.attributes;
    const backwards = node.shape.map((_, axis) => axis).filter((axis) => (step[axis] as number) < 0);
    let spread = flip(gradient, backwards);
    for (let axis = 0; axis < shape.length; axis++) spread = zeroDilate(spread, axis, Math.abs(step[axis] as number));
    // Position in the input of the first element of what is now in ascending order.
    const before = node.shape.map((n, axis) => {
      if (n === 0) return 0;
      const last = (start[axis] as number) + (n - 1) * (step[axis] as number);
      return Math.min(start[axis] as number, last);
    });
    const after = shape.map((n, axis) => n - (before[axis] as number) - (spread.shape[axis] as number));
    return [pad(spread, before, after)];
  },

  pad: (node, gradient) => {
    const { shape } = node.inputs[0] as Node;
    const { before, after } = node.attributes;
    // Negative padding crops: what it took away gets zeros.
    const [lost, cropped] = [before.map((n) => Math.max(0, -n)), after.map((n) => Math.max(0, -n))];
    const kept = shape.map((n, axis) => Math.max(0, n - (lost[axis] as number) - (cropped[axis] as number)));
    const inner = slice(
      gradient,
      before.map((n) => Math.max(0, n)),
      before.map(() => 1),
      kept,
    );
    return [pad(inner, lost, cropped)];
  },

  shear: (node, gradient) => {
    // out[i, k] = x[i·s + k·d + o, k]. With the gradient's elements moved to the multiples of s, the gradient by x[a, k]
    // is the one element at a - k·d - o, or 0 where there is none: a shear again.
    const x = node.inputs[0] as Node;
    const { axis, along, stride, dilation, offset } = node.attributes;
    const n = node.shape[axis] as number;
    const ordered = stride < 0 ? flip(gradient, [axis]) : gradient;
    const single = node.shape.map((size, a) => (a === axis ? 1 : size));
    const spread = stride === 0 ? reshape(sum(gradient, [axis]), single) : zeroDilate(ordered, axis, Math.abs(stride));
    const first = stride < 0 && n > 0 ? offset + (n - 1) * stride : offset;
    const attributes = { axis, along, stride: 1, dilation: 0 - dilation, offset: 0 - first };
    return [makeNode("shear", [spread], attributes, x.shape, x.dtype)];
  },
};
