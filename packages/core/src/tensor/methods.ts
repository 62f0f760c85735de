/**
 * The operations as methods: `x.add(1).relu()` is `relu(add(x, 1))`, with the same options. Names that are also functions do
 * exactly the same.
 */
import type { DType } from "../graph/dtype.ts";
import type { Shape } from "../graph/shape.ts";
import { realizedLeaf } from "../runtime/evaluate.ts";
import * as activations from "./activations.ts";
import type { TensorLike } from "./convert.ts";
import * as elementwise from "./elementwise.ts";
import * as indexing from "./indexing.ts";
import { chunk, split } from "./join.ts";
import * as linalg from "./linalg.ts";
import { inspect } from "./print.ts";
import * as reduce from "./reduce.ts";
import * as soft from "./softmax.ts";
import { Tensor } from "./tensor.ts";
import * as views from "./views.ts";

/** Functions whose first argument is the tensor itself. */
const methods = {
  add: elementwise.add,
  sub: elementwise.sub,
  mul: elementwise.mul,
  div: elementwise.div,
  pow: elementwise.pow,
  remainder: elementwise.remainder,
  maximum: elementwise.maximum,
  minimum: elementwise.minimum,
  neg: elementwise.neg,
  abs: elementwise.abs,
  sign: elementwise.sign,
  square: elementwise.square,
  reciprocal: elementwise.reciprocal,
  exp: elementwise.exp,
  expm1: elementwise.expm1,
  log: elementwise.log,
  log1p: elementwise.log1p,
  sqrt: elementwise.sqrt,
  rsqrt: elementwise.rsqrt,
  sin: elementwise.sin,
  cos: elementwise.cos,
  tan: elementwise.tan,
  erf: elementwise.erf,
  floor: elementwise.floor,
  ceil: elementwise.ceil,
  round: elementwise.round,
  trunc: elementwise.trunc,
  clamp: elementwise.clamp,
  equal: elementwise.equal,
  notEqual: elementwise.notEqual,
  less: elementwise.less,
  lessEqual: elementwise.lessEqual,
  greater: elementwise.greater,
  greaterEqual: elementwise.greaterEqual,
  logicalAnd: elementwise.logicalAnd,
  logicalOr: elementwise.logicalOr,
  logicalXor: elementwise.logicalXor,
  logicalNot: elementwise.logicalNot,
  isNaN: elementwise.isNaN,
  isFinite: elementwise.isFinite,
  isInf: elementwise.isInf,
  maskedFill: elementwise.maskedFill,
  cast: elementwise.cast,
  relu: activations.relu,
  sigmoid: activations.sigmoid,
  tanh: activations.tanh,
  gelu: activations.gelu,
  silu: activations.silu,
  softplus: activations.softplus,
  leakyRelu: activations.leakyRelu,
  elu: activations.elu,
  softmax: soft.softmax,
  logSoftmax: soft.logSoftmax,
  sum: reduce.sum,
  mean: reduce.mean,
  prod: reduce.prod,
  max: reduce.max,
  min: reduce.min,
  argMax: reduce.argMax,
  argMin: reduce.argMin,
  any: reduce.any,
  all: reduce.all,
  variance: reduce.variance,
  std: reduce.std,
  logSumExp: reduce.logSumExp,
  norm: reduce.norm,
  cumSum: reduce.cumSum,
  matmul: linalg.matmul,
  reshape: views.reshape,
  flatten: views.flatten,
  permute: views.permute,
  transpose: views.transpose,
  expand: views.expand,
  broadcastTo: views.broadcastTo,
  squeeze: views.squeeze,
  unsqueeze: views.unsqueeze,
  slice: views.slice,
  select: views.select,
  pad: views.pad,
  flip: views.flip,
  split,
  chunk,
  tril: views.tril,
  triu: views.triu,
  diagonal: views.diagonal,
  gather: indexing.gather,
  indexSelect: indexing.indexSelect,
  scatterAdd: indexing.scatterAdd,
  sort: indexing.sort,
  argSort: indexing.argSort,
  topK: indexing.topK,
} as const;

type Methods = typeof methods;
type Method<F> = F extends (x: TensorLike, ...rest: infer Rest) => infer Result ? (...rest: Rest) => Result : never;
type TensorMethods = { [Name in keyof Methods]: Method<Methods[Name]> };

declare module "./tensor.ts" {
  interface Tensor extends TensorMethods {
    /** In another dtype; the same as `cast`. */
    to(dtype: DType): Tensor;
    /**
     * As a value that no derivative passes, as `stopGradient`. Once the elements have been read it no longer holds on to
     * what the tensor was made from.
     */
    detach(): Tensor;
    /** With the shape of another tensor. */
    reshapeAs(other: { readonly shape: Shape }): Tensor;
    toString(): string;
  }
}

function attach(name: PropertyKey, value: unknown): void {
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true, enumerable: false });
}

for (const [name, operation] of Object.entries(methods)) {
  const call = operation as (x: Tensor, ...rest: unknown[]) => unknown;
  attach(name, function method(this: Tensor, ...rest: unknown[]) {
    return call(this, ...rest);
  });
}
attach("to", function to(this: Tensor, dtype: DType) {
  return elementwise.cast(this, dtype);
});
attach("detach", function detach(this: Tensor) {
  const leaf = realizedLeaf(this.node);
  return leaf ? new Tensor(leaf) : elementwise.stopGradient(this);
});
attach("reshapeAs", function reshapeAs(this: Tensor, other: { readonly shape: Shape }) {
  return views.reshape(this, other.shape);
});
attach("toString", function text(this: Tensor) {
  return inspect(this);
});
attach(Symbol.for("nodejs.util.inspect.custom"), function custom(this: Tensor) {
  return inspect(this);
});
