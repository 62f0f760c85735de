/** Derivatives of matrix products and convolutions. The three forms of convolution are closed under differentiation. */
import type { Node } from "../../graph/node.ts";
import { convolution, matmul, transpose } from "../build.ts";
import type { Rules } from "../rule.ts";

const operands = (node: Node): [Node, Node] => node.inputs as unknown as [Node, Node];

export const contractionRules: Rules<"matmul" | "conv2d" | "conv2dInputGradient" | "conv2dWeightGradient"> = {
  matmul: (node, g, needed) => {
    const [a, b] = operands(node);
    return [needed[0] ? matmul(g, transpose(b)) : undefined, needed[1] ? matmul(transpose(a), g) : undefined];
  },
  conv2d: (node, g, needed) => {
    const [x, weight] = operands(node);
    return [
      needed[0] ? convolution("conv2dInputGradient", g, weight, node.attributes, x.shape) : undefined,
      needed[1] ? convolution("conv2dWeightGradient", x, g, node.attributes, weight.shape) : undefined,
    ];
  },
  conv2dInputGradient: (node, g, needed) => {
    const [y, weight] = operands(node);
    return [
      needed[0] ? convolution("conv2d", g, weight, node.attributes, y.shape) : undefined,
      needed[1] ? convolution("conv2dWeightGradient", g, y, node.attributes, weight.shape) : undefined,
    ];
  },
  conv2dWeightGradient: (node, g, needed) => {
    const [x, y] = operands(node);
    return [
      needed[0] ? convolution("conv2dInputGradient", y, g, node.attributes, x.shape) : undefined,
      needed[1] ? convolution("conv2d", x, g, node.attributes, y.shape) : undefined,
    ];
  },
};
