import { describe, expect, it } from "vitest";
import type { DType } from "../graph/dtype.ts";
import { evaluateNode } from "../graph/evaluate.ts";
import {
  add,
  any,
  argMax,
  asTensor,
  bernoulli,
  cast,
  clamp,
  concat,
  div,
  equal,
  exp,
  floorDivide,
  fmod,
  full,
  mean,
  mul,
  pow,
  prod,
  remainder,
  round,
  softmax,
  sub,
  sum,
  type Tensor,
  tensor,
  where,
  zeros,
} from "./index.ts";

const vector = (dtype: DType): Tensor => zeros([2], { dtype });
const scalar = (dtype: DType): Tensor => tensor(1, { dtype });
const values = (x: Tensor): number[] => [...evaluateNode(x.node).values];

describe("promotion", () => {
  // Expected dtypes are torch.result_type's, with int64 read as int32.
  const cases: readonly (readonly [string, Tensor, Tensor | number | boolean, DType])[] = [
    ["int32 tensor with a fraction", vector("int32"), 1.5, "float32"],
    ["int32 tensor with a whole number", vector("int32"), 2, "int32"],
    ["int32 tensor with a number beyond int32", vector("int32"), 5e9, "float32"],
    ["bool tensor with a whole number", vector("bool"), 2, "int32"],
    ["bool tensor with a boolean", vector("bool"), true, "bool"],
    ["bool tensor with a fraction", vector("bool"), 0.5, "float32"],
    ["uint32 tensor with a whole number", vector("uint32"), 4294967295, "uint32"],
    ["float32 tensor with a float64 scalar", vector("float32"), scalar("float64"), "float32"],
    ["int32 tensor with a float64 scalar", vector("int32"), scalar("float64"), "float64"],
    ["float32 scalar with a float64 scalar", scalar("float32"), scalar("float64"), "float64"],
    ["float32 tensor with a float64 tensor", vector("float32"), vector("float64"), "float64"],
    ["bfloat16 tensor with a number", vector("bfloat16"), 2.5, "bfloat16"],
    ["bfloat16 tensor with a float32 scalar", vector("bfloat16"), scalar("float32"), "bfloat16"],
    ["bfloat16 tensor with a float16 tensor", vector("bfloat16"), vector("float16"), "float32"],
    ["float16 tensor with an int32 tensor", vector("float16"), vector("int32"), "float16"],
    ["bool tensor with an int32 scalar", vector("bool"), scalar("int32"), "int32"],
    ["float64 scalar with a number", scalar("float64"), 0.1, "float64"],
    ["int32 scalar with a fraction", scalar("int32"), 0.5, "float32"],
  ];
  it.each(cases)("%s", (_name, a, b, dtype) => {
    expect(mul(a, b).dtype).toBe(dtype);
    expect(mul(b, a).dtype).toBe(dtype);
  });

  it("throws for int32 with uint32", () => {
    expect(() => add(vector("int32"), vector("uint32"))).toThrow("add: int32 and uint32 have no common dtype");
  });

  it("adds bools as or, multiplies them as and, does not subtract them", () => {
    const [a, b] = [tensor([true, true, false]), tensor([true, false, false])];
    expect(add(a, b).dtype).toBe("bool");
    expect(values(add(a, b))).toEqual([1, 1, 0]);
    expect(values(mul(a, b))).toEqual([1, 0, 0]);
    expect(() => sub(a, b)).toThrow("sub: takes numbers, got bool and bool");
  });

  it("divides integers as float32", () => {
    const q = div(tensor([1, 2], { dtype: "int32" }), 2);
    expect(q.dtype).toBe("float32");
    expect(values(q)).toEqual([0.5, 1]);
  });

  it("takes integers to float32 in functions of calculus, and leaves them alone in rounding", () => {
    expect(exp(vector("int32")).dtype).toBe("float32");
    expect(exp(vector("bfloat16")).dtype).toBe("bfloat16");
    const x = vector("int32");
    expect(round(x)).toBe(x);
  });

  it("counts bools as int32", () => {
    expect(sum(vector("bool")).dtype).toBe("int32");
    expect(prod(vector("bool")).dtype).toBe("int32");
    expect(mean(tensor([true, false])).dtype).toBe("float32");
    expect(values(mean(tensor([true, false])))).toEqual([0.5]);
    expect(any(vector("float32")).dtype).toBe("bool");
    expect(argMax(vector("float64")).dtype).toBe("int32");
  });

  it("keeps the dtype of the tensor in clamp and where", () => {
    expect(clamp(vector("float64"), { min: 0 }).dtype).toBe("float64");
    expect(clamp(vector("int32"), { min: 0.5 }).dtype).toBe("float32");
    expect(where(vector("bool"), vector("float64"), 0).dtype).toBe("float64");
    expect(where(true, 1, 2).dtype).toBe("float32");
  });

  it("compares in the promoted dtype", () => {
    expect(values(equal(tensor([1, 2], { dtype: "int32" }), 1.5))).toEqual([0, 0]);
    expect(equal(vector("int32"), 1).dtype).toBe("bool");
  });

  it("concatenates in the promoted dtype", () => {
    expect(concat([vector("int32"), vector("float64")]).dtype).toBe("float64");
  });

  it("gives nodes whose inputs all have the node's shape", () => {
    const y = add(zeros([3, 1]), tensor([1, 2]));
    expect(y.shape).toEqual([3, 2]);
    expect(y.node.inputs.map(({ shape }) => shape)).toEqual([
      [3, 2],
      [3, 2],
    ]);
    expect(() => add(zeros([3]), zeros([2]))).toThrow("add: shapes do not broadcast: [3] and [2]");
  });
});

describe("integer arithmetic", () => {
  const [a, b] = [tensor([7, -7, 7, -7], { dtype: "int32" }), tensor([3, 3, -3, -3], { dtype: "int32" })];
  it("remainder has the divisor's sign, fmod the dividend's", () => {
    expect(values(remainder(a, b))).toEqual([1, 2, -2, -1]);
    expect(values(fmod(a, b))).toEqual([1, -1, 1, -1]);
    expect(values(remainder(tensor([5.5, -5.5]), 2))).toEqual([1.5, 0.5]);
  });
  it("floorDivide rounds down", () => {
    expect(values(floorDivide(a, b))).toEqual([2, -3, -3, 2]);
    expect(floorDivide(a, b).dtype).toBe("int32");
  });
  it("pow refuses negative exponents of integers", () => {
    expect(() => pow(a, -1)).toThrow("pow: an integer to the power -1 is no integer");
    expect(values(pow(a, 2))).toEqual([49, 49, 49, 49]);
  });
});

describe("conversion", () => {
  it("reads nested lists, typed arrays and scalars", () => {
    expect(tensor([[1, 2, 3]]).shape).toEqual([1, 3]);
    expect(tensor([[], []]).shape).toEqual([2, 0]);
    expect(tensor([true, false]).dtype).toBe("bool");
    expect(tensor([true, 2]).dtype).toBe("float32");
    expect(tensor(Float64Array.of(1, 2)).dtype).toBe("float64");
    expect(tensor(Uint8Array.of(1, 2, 3, 4), { shape: [2, 2] }).dtype).toBe("int32");
    expect(tensor([new Float32Array(3), new Float32Array(3)]).shape).toEqual([2, 3]);
    expect(values(tensor([1.5, -0.4, Number.NaN], { dtype: "bool" }))).toEqual([1, 1, 1]);
    expect(values(tensor([1, 2.5], { dtype: "bfloat16" }))).toEqual([1, 2.5]);
    expect(asTensor(3).node.op).toBe("constant");
  });
  it("names what is wrong with a literal", () => {
    expect(() => tensor([[1, 2], [3]])).toThrow("tensor: lists are ragged");
    expect(() => tensor([1, 2, 3], { shape: [2, 2] })).toThrow("tensor: [2, 2] has 4 elements, got 3 values");
    expect(() => tensor(["a"] as never)).toThrow("tensor: expected a number or boolean at depth 1 of [1], got a");
    expect(() => full([2], 1, { dtype: "float8" as never })).toThrow("unknown dtype float8");
    expect(() => add(undefined as never, 1)).toThrow("expected a tensor, number, boolean, list or typed array");
  });
  it("casts: truncating, saturating, and by truth", () => {
    const x = tensor([1.9, -1.9, 3e9, Number.NaN]);
    expect(values(cast(x, "int32"))).toEqual([1, -1, 2147483647, 0]);
    expect(values(cast(x, "bool"))).toEqual([1, 1, 1, 1]);
    expect(values(cast(3e9, "int32"))).toEqual([2147483647]);
  });
  it("keeps bare numbers exact beside 16-bit floats, and sums in float32", () => {
    const x = tensor([1, 1, 1], { dtype: "bfloat16" });
    expect(values(mul(x, 0.1))[0]).toBe(Math.fround(0.1));
    expect(values(full([1], 0.1, { dtype: "bfloat16" }))[0]).toBe(0.10009765625);
    expect(mean(x).dtype).toBe("bfloat16");
    expect(values(softmax(x))[0]).toBe(0.333984375);
  });
  it("draws probabilities in the probability's dtype", () => {
    expect(bernoulli(tensor([0, 1], { dtype: "float64" })).dtype).toBe("float64");
  });
});
