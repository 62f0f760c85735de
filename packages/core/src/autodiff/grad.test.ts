import { describe, expect, expectTypeOf, it, vi } from "vitest";
import { allocateHost, encode } from "../graph/dtype.ts";
import { AutodiffError, ShapeError } from "../graph/errors.ts";
import { evaluateNode } from "../graph/evaluate.ts";
import { type Node, topologicalOrder } from "../graph/node.ts";
import { sizeOf } from "../graph/shape.ts";
import { Storage } from "../runtime/storage.ts";
import { hardSwish } from "../tensor/activations.ts";
import {
  cast,
  div,
  equal,
  exp,
  expm1,
  floor,
  log,
  maximum,
  mul,
  pow,
  sigmoid,
  sin,
  sqrt,
  square,
  stopGradient,
  sub,
  tanh,
  where,
} from "../tensor/elementwise.ts";
import { linear, matmul } from "../tensor/linalg.ts";
import { type Literal, tensor } from "../tensor/literal.ts";
import { Parameter } from "../tensor/parameter.ts";
import { argMax, mean, norm, prod, sum } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { grad, hvp, jvp, valueAndGrad, vjp } from "./index.ts";

// Parameters get their memory from the direct evaluator here, so that derivatives are tested apart from the compiler.
vi.mock("../runtime/evaluate.ts", () => ({
  realizeOwned(node: Node): Storage {
    const host = allocateHost(node.dtype, sizeOf(node.shape));
    evaluateNode(node).values.forEach((value, i) => {
      encode(node.dtype, host, i, value);
    });
    return Storage.fromHost(host, node.shape, node.dtype);
  },
}));

const f64 = (values: Literal): Tensor => tensor(values, { dtype: "float64" });
const values = (x: Tensor): number[] => [...evaluateNode(x.node).values];

describe("grad of a value", () => {
  it("keeps the structure, shape and dtype of what it differentiates by", () => {
    const [x, w] = [f64([1, 2, 3]), tensor([4, 5, 6], { dtype: "float32" })];
    const loss = sum(mul(cast(w, "float64"), square(x)));
    const one = grad(loss, x);
    expectTypeOf(one).toEqualTypeOf<Tensor>();
    expect(values(one)).toEqual([8, 20, 36]);
    const list = grad(loss, [x, w] as const);
    expectTypeOf(list).toEqualTypeOf<[Tensor, Tensor]>();
    expect(list.map(values)).toEqual([
      [8, 20, 36],
      [1, 4, 9],
    ]);
    expect(list.map(({ dtype }) => dtype)).toEqual(["float64", "float32"]);
    const record = grad(loss, { x, w });
    expectTypeOf(record).toEqualTypeOf<{ x: Tensor; w: Tensor }>();
    expect([values(record.x), values(record.w)]).toEqual([
      [8, 20, 36],
      [1, 4, 9],
    ]);
  });

  it("takes parameters and intermediate values", () => {
    const w = new Parameter(f64([3, -2]), { name: "w" });
    const h = square(w);
    const loss = sum(mul(h, h));
    const { value, gradients } = valueAndGrad(loss, { w, h });
    expect(value).toBe(loss);
    expect(values(gradients.h)).toEqual([18, 8]);
    expect(values(gradients.w)).toEqual([108, -32]);
  });

  it("sums over all uses and over broadcasting", () => {
    const b = f64([1, 2]);
    const x = f64([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(values(grad(sum(mul(mul(x, b), b)), b))).toEqual([18, 48]);
    expect(values(grad(mean(mul(x, f64(2))), x))).toEqual(new Array(6).fill(2 / 6));
  });

  it("differentiates any number of times", () => {
    const x = f64(0.7);
    let y: Tensor = sin(x);
    const derivatives: number[] = [];
    for (let order = 0; order < 5; order++) {
      derivatives.push(...values(y));
      y = grad(y, x);
    }
    const [s, c] = [Math.sin(0.7), Math.cos(0.7)];
    [s, c, -s, -c, s].forEach((expected, i) => {
      expect(derivatives[i]).toBeCloseTo(expected, 14);
    });
    const cube = pow(x, 3);
    expect(values(grad(grad(grad(cube, x), x), x))[0]).toBeCloseTo(6, 12);
  });

  it("stops at stopGradient, comparisons and integers", () => {
    const x = f64([1, 2]);
    expect(values(grad(sum(mul(x, stopGradient(x))), x))).toEqual([1, 2]);
    const message = /does not depend on variable 0 \(float64 of shape \[2\]\)/;
    expect(() => grad(sum(cast(equal(x, 1), "float64")), x)).toThrow(message);
    expect(() => grad(sum(cast(argMax(x), "float64")), x)).toThrow(message);
    expect(() => grad(sum(stopGradient(x)), x)).toThrow(message);
    expect(() => grad(sum(cast(cast(x, "int32"), "float64")), x)).toThrow(message);
  });

  it("gives zero for step functions", () => {
    expect(values(grad(sum(floor(f64([0.5]))), f64([0.5]), { allowUnused: true }))).toEqual([0]);
    const x = f64([0.5, 1.5]);
    expect(values(grad(sum(floor(x)), x))).toEqual([0, 0]);
  });

  it("keeps NaN of the other branch out where the branch guards itself", () => {
    const x = f64([0, 4]);
    const safe = where(equal(x, 0), f64([1, 1]), x);
    expect(values(grad(sum(where(equal(x, 0), f64([0, 0]), log(safe))), x))).toEqual([0, 0.25]);
  });

  it("follows PyTorch at the edges", () => {
    expect(values(grad(sum(norm(f64([0, 0]))), f64([0, 0]), { allowUnused: true }))).toEqual([0, 0]);
    const zero = f64([0, 0]);
    expect(values(grad(norm(zero), zero))).toEqual([0, 0]);
    const root = f64([0, 4]);
    expect(values(grad(sum(sqrt(root)), root))).toEqual([Infinity, 0.25]);
    const x = f64([2, 0, 3]);
    expect(values(grad(prod(x), x))).toEqual([0, 6, 0]);
    const pair = f64([1, 1]);
    expect(values(grad(sum(maximum(pair, f64([1, 0]))), pair))).toEqual([0.5, 1]);
  });

  it("does not build the gradients of constants", () => {
    const [x, w] = [f64([[1, 2]]), f64([[3], [4]])];
    const ops = topologicalOrder([grad(sum(matmul(x, w)), w).node]).map(({ op }) => op);
    expect(ops.filter((op) => op === "matmul")).toHaveLength(1);
  });

  it("gives a linear layer's weight its gradient in the weight's own order", () => {
    const [x, w] = [
      f64([[1, 2, 3]]),
      f64([
        [4, 5, 6],
        [7, 8, 9],
      ]),
    ];
    const gradient = grad(sum(square(linear(x, w))), w);
    expect(gradient.node.op).toBe("matmul");
    expect(values(gradient)).toEqual([64, 128, 192, 100, 200, 300]);
  });

  it("survives graphs deeper than the call stack", () => {
    const x = f64(0.5);
    let y: Tensor = x;
    for (let i = 0; i < 20_000; i++) y = mul(y, 1.0001);
    expect(values(grad(y, x))[0]).toBeCloseTo(1.0001 ** 20_000, 8);
  });
});

describe("errors", () => {
  const x = f64([1, 2]);

  it("names the parameter", () => {
    const used = new Parameter(f64([1]), { name: "layers.0.weight" });
    const unused = new Parameter(f64([1, 2]), { name: "layers.1.bias" });
    const loss = sum(square(used));
    const message = 'grad: the result does not depend on parameter "layers.1.bias" (float64 of shape [2])';
    expect(() => grad(loss, [used, unused])).toThrow(AutodiffError);
    expect(() => grad(loss, [used, unused])).toThrow(message);
    expect(grad(loss, [used, unused], { allowUnused: true }).map(values)).toEqual([[2], [0, 0]]);
    expect(() => grad(loss, { head: x })).toThrow('variable "head" (float64 of shape [2])');
  });

  it("rejects a loss that is no scalar", () => {
    expect(() => grad(square(x), x)).toThrow("grad: expected a scalar loss, got shape [2]; reduce it with sum or mean");
    expect(() => grad(argMax(x), x)).toThrow(AutodiffError);
  });

  it("rejects integers and what is no tensor", () => {
    const k = tensor([1, 2], { dtype: "int32" });
    expect(() => grad(sum(mul(x, k)), [x, k])).toThrow("variable 1 (int32 of shape [2]) is not differentiable");
    expect(() => grad(sum(x), 3 as unknown as Tensor)).toThrow(
      "variables must be a tensor, or a list or record of tensors, got 3",
    );
    expect(() => grad(sum(x), [x, undefined] as unknown as Tensor[])).toThrow(AutodiffError);
  });

  it("rejects cotangents and vectors that do not fit", () => {
    expect(() => vjp(square(x), x, f64([1]))).toThrow(ShapeError);
    expect(() => vjp(square(x), x, tensor([1, 2]))).toThrow("cotangents 0: expected dtype float64, got float32");
    expect(() => hvp(sum(square(x)), x, [x, x])).toThrow("expected 1 vectors, got 2");
    expect(() => grad((a: Tensor) => sum(a), { argnums: 1 })(x)).toThrow("argnums 1 names none of the 1 arguments");
  });
});

describe("grad of a function", () => {
  const area = (w: Tensor, h: Tensor): Tensor => sum(mul(w, square(h)));

  it("differentiates by its first argument, or by those asked for", () => {
    const [w, h] = [f64([2, 3]), f64([5, 7])];
    const first = grad(area)(w, h);
    expectTypeOf(first).toEqualTypeOf<Tensor>();
    expect(values(first)).toEqual([25, 49]);
    expect(values(grad(area, { argnums: 1 })(w, h))).toEqual([20, 42]);
    const both = grad(area, { argnums: [1, 0] })(w, h);
    expect(both.map(values)).toEqual([
      [20, 42],
      [25, 49],
    ]);
  });

  it("tells two uses of one tensor apart", () => {
    const x = f64([2, 3]);
    expect(values(grad(area)(x, x))).toEqual([4, 9]);
    expect(values(grad((a: Tensor) => sum(mul(a, x)))(x))).toEqual([2, 3]);
  });

  it("takes records and other arguments, and composes", () => {
    const loss = (p: { w: Tensor; b: Tensor }, power: number) => sum(mul(pow(p.w, power), p.b));
    const { value, gradients } = valueAndGrad(loss)({ w: f64([2]), b: f64([3]) }, 4);
    expect([values(value), values(gradients.w), values(gradients.b)]).toEqual([[48], [96], [16]]);
    const second = grad((x: Tensor) => sum(grad((y: Tensor) => sum(pow(y, 4)))(x)));
    expect(values(second(f64([2, 1])))).toEqual([48, 12]);
  });
});

describe("products", () => {
  const x = f64([0.3, -0.8, 1.1]);
  const w = f64([
    [0.2, -0.5],
    [1.5, 0.4],
    [-0.7, 0.9],
  ]);
  const network = () => tanh(matmul(x, w));

  it("jvp and vjp are transposes of each other", () => {
    const [u, du] = [f64([0.4, -1.2]), f64([0.6, 0.1, -0.9])];
    const along = values(jvp(network(), x, du));
    const back = values(vjp(network(), x, u));
    const left = along.reduce((total, v, i) => total + v * (values(u)[i] as number), 0);
    const right = back.reduce((total, v, i) => total + v * (values(du)[i] as number), 0);
    expect(left).toBeCloseTo(right, 14);
  });

  it("jvp moves several outputs along several inputs, leaving no trace of its cotangents", () => {
    const dw = f64([
      [1, 0],
      [0, 0],
      [0, 2],
    ]);
    const y = matmul(x, w);
    const moved = jvp({ y, z: sum(exp(x)), fixed: sum(f64([1])) }, [x, w], [f64([1, 0, 0]), dw]);
    expect(values(moved.y).map((v) => Math.round(v * 1e12) / 1e12)).toEqual([0.5, 1.7]);
    expect(values(moved.z)[0]).toBeCloseTo(Math.exp(0.3), 14);
    expect(values(moved.fixed)).toEqual([0]);
    expect(topologicalOrder([moved.y.node, moved.z.node]).some(({ op }) => op === "stopGradient")).toBe(false);
  });

  it("hvp is the Hessian times the vector, across inputs", () => {
    const [a, b] = [f64(2), f64(3)];
    // f = a³b²: f_aa = 6ab², f_ab = 6a²b, f_bb = 2a³.
    const products = hvp(mul(pow(a, 3), square(b)), { a, b }, { a: f64(1), b: f64(10) });
    expect([values(products.a), values(products.b)]).toEqual([[6 * 2 * 9 + 10 * 72], [72 + 160]]);
    expect(values(hvp(sum(mul(x, 3)), x, x))).toEqual([0, 0, 0]);
  });

  it("is finite where an activation is at infinity or flat", () => {
    const x = f64([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3, -3, 0]);
    expect(values(grad(sum(hardSwish(x)), x))).toEqual([1, 0, 1.5, -0.5, 0.5]);
    // expm1(-50) is -1 to the last bit, which does not tell its derivative.
    const y = f64([-50, 0]);
    expect(values(grad(sum(expm1(y)), y))).toEqual([Math.exp(-50), 1]);
  });

  it("agrees with PyTorch on a composite function", () => {
    // torch: mean((sigmoid(x + b) * s)^3), by hand in closed form for one element.
    const [t, s] = [f64([0.25]), f64(1.5)];
    const loss = mean(pow(mul(sigmoid(t), s), 3));
    const p = 1 / (1 + Math.exp(-0.25));
    expect(values(grad(loss, t))[0]).toBeCloseTo(3 * 1.5 ** 3 * p ** 3 * (1 - p), 14);
    expect(values(grad(loss, s))[0]).toBeCloseTo(3 * 1.5 ** 2 * p ** 3, 14);
    expect(values(grad(div(sub(s, t), s), s))[0]).toBeCloseTo(0.25 / 2.25, 14);
  });
});
