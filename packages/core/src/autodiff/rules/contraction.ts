/** Derivatives of matrix products and convolutions. The three forms of convolution are closed under differentiation. */
import type { Node } from "../../graph/node.ts";
import { convolution, isTranspose, matmul, transpose } from "../build.ts";
import type { Rules } from "../rule.ts";

const operands = (node: Node): [Node, Node] => node.inputs as unknown as [Node, Node];

export const contractionRules: Rules<"matmul" | "conv2d" | "conv2dInputGradient" | "conv2dWeightGradient"> = {
  matmul: (node, g, needed) => {
    const [a, b] = operands(node);
    // An operand that is a transpose (a linear layer's weight) gets its gradient transposed too, so that the two cancel
    // and the weight's own gradient is stored as the weight is.
    const byA = () => (isTranspose(a) ? transpose(matmul(b, transpose(g))) : matmul(g, transpose(b)));
    const byB = () => (isTranspose(b) ? transpose(matmul(transpose(g), a)) : matmul(transpose(a), g));
    return [needed[0] ? byA() : undefined, needed[1] ? byB() : undefined];
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
