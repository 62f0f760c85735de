/** Derivatives of operations on single elements. Conventions at kinks and at the edge of a domain are PyTorch's. */
import { isFloat } from "../../graph/dtype.ts";
import type { BinaryOp, Node, NodeOf, UnaryOp } from "../../graph/node.ts";
import { add, binaryNode, cast, constantOf, div, fillLike, mul, neg, scale, sub, unaryNode, where } from "../build.ts";
import type { Rule, Rules } from "../rule.ts";

const input = (node: Node): Node => node.inputs[0] as Node;
const operands = (node: Node): [Node, Node] => node.inputs as unknown as [Node, Node];
const one = (like: Node): Node => fillLike(1, like);
const zero = (like: Node): Node => fillLike(0, like);

/** Step functions have the derivative zero, as in PyTorch, rather than none. */
const zeroRule: Rule<UnaryOp> = (_node, gradient) => [zero(gradient)];

/** x^exponent for a constant exponent. */
function constantPow(x: Node, exponent: number): Node {
  if (exponent === 0) return one(x);
  if (exponent === 1) return x;
  if (exponent === 2) return mul(x, x);
  return binaryNode("pow", x, fillLike(exponent, x));
}

function powBase(node: NodeOf<"pow">, gradient: Node): Node {
  const [a, b] = operands(node);
  const exponent = constantOf(b);
  if (exponent === 0) return zero(a);
  if (exponent !== undefined) return mul(gradient, scale(constantPow(a, exponent - 1), exponent));
  const slope = mul(b, binaryNode("pow", a, sub(b, one(b))));
  return where(binaryNode("equal", b, zero(b)), zero(a), mul(gradient, slope));
}

function powExponent(node: NodeOf<"pow">, gradient: Node): Node {
  const [a, b] = operands(node);
  // 0^b is flat for b ≥ 0, where log 0 would make it NaN.
  const flat = binaryNode("and", binaryNode("equal", a, zero(a)), binaryNode("lessEqual", zero(b), b));
  return where(flat, zero(b), mul(gradient, mul(node, unaryNode("log", a))));
}

/** maximum and minimum: all to the operand chosen, half to each of two equal ones. */
const extremeRule =
  (isLoser: (self: Node, other: Node) => Node): Rule<"maximum" | "minimum"> =>
  (node, gradient, needed) => {
    const [a, b] = operands(node);
    const shared = where(binaryNode("equal", a, b), scale(gradient, 0.5), gradient);
    const share = (self: Node, other: Node) => where(isLoser(self, other), zero(gradient), shared);
    return [needed[0] ? share(a, b) : undefined, needed[1] ? share(b, a) : undefined];
  };

const twoOverRootPi = 2 / Math.sqrt(Math.PI);

const unaryRules: Rules<UnaryOp> = {
  neg: (_node, g) => [neg(g)],
  abs: (node, g) => [mul(g, unaryNode("sign", input(node)))],
  sign: zeroRule,
  exp: (node, g) => [mul(g, node)],
  log: (node, g) => [div(g, input(node))],
  log1p: (node, g) => [div(g, add(input(node), one(node)))],
  // Not by the output + 1, of which nothing is left where eˣ is small.
  expm1: (node, g) => [mul(g, unaryNode("exp", input(node)))],
  sqrt: (node, g) => [div(scale(g, 0.5), node)],
  rsqrt: (node, g) => [mul(scale(g, -0.5), mul(node, mul(node, node)))],
  reciprocal: (node, g) => [neg(mul(g, mul(node, node)))],
  sin: (node, g) => [mul(g, unaryNode("cos", input(node)))],
  cos: (node, g) => [neg(mul(g, unaryNode("sin", input(node))))],
  tan: (node, g) => [mul(g, add(mul(node, node), one(node)))],
  tanh: (node, g) => [mul(g, sub(one(node), mul(node, node)))],
  sigmoid: (node, g) => [mul(g, mul(node, sub(one(node), node)))],
  softplus: (node, g) => [mul(g, unaryNode("sigmoid", input(node)))],
  erf: (node, g) => [mul(scale(g, twoOverRootPi), unaryNode("exp", neg(mul(input(node), input(node)))))],
  relu: (node, g) => [where(binaryNode("lessEqual", node, zero(node)), zero(g), g)],
  floor: zeroRule,
  ceil: zeroRule,
  round: zeroRule,
  trunc: zeroRule,
  isNaN: "none",
  not: "none",
};

const binaryRules: Rules<BinaryOp> = {
  add: (_node, g) => [g, g],
  sub: (_node, g, needed) => [g, needed[1] ? neg(g) : undefined],
  mul: (node, g, needed) => {
    const [a, b] = operands(node);
    return [needed[0] ? mul(g, b) : undefined, needed[1] ? mul(g, a) : undefined];
  },
  div: (node, g, needed) => {
    const [, b] = operands(node);
    const quotient = div(g, b);
    return [quotient, needed[1] ? neg(mul(quotient, node)) : undefined];
  },
  pow: (node, g, needed) => [needed[0] ? powBase(node, g) : undefined, needed[1] ? powExponent(node, g) : undefined],
  maximum: extremeRule((self, other) => binaryNode("less", self, other)),
  minimum: extremeRule((self, other) => binaryNode("less", other, self)),
  mod: (node, g, needed) => {
    const [a, b] = operands(node);
    return [g, needed[1] ? neg(mul(g, unaryNode("floor", div(a, b)))) : undefined];
  },
  equal: "none",
  notEqual: "none",
  less: "none",
  lessEqual: "none",
  and: "none",
  or: "none",
  xor: "none",
  shiftLeft: "none",
  shiftRight: "none",
  mulHigh: "none",
};

export const elementwiseRules: Rules<UnaryOp | BinaryOp | "where" | "cast" | "stopGradient" | "barrier"> = {
  ...unaryRules,
  ...binaryRules,
  where: (node, g, needed) => {
    const condition = input(node);
    return [
      undefined,
      needed[1] ? where(condition, g, zero(g)) : undefined,
      needed[2] ? where(condition, zero(g), g) : undefined,
    ];
  },
  cast: (node, g) => [isFloat(input(node).dtype) ? cast(g, input(node).dtype) : undefined],
  stopGradient: "none",
  barrier: (_node, g) => [g],
};
