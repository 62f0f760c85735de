import { beforeEach, expect, test } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { LifetimeError } from "../graph/errors.ts";
import { useBackend } from "../runtime/backend.ts";
import { add, mul, ones, Parameter, rand, type Tensor, zeros } from "../tensor/index.ts";
import { compile } from "./compile.ts";

beforeEach(() => useBackend(referenceBackend()));

test("a lazy tensor captured from outside keeps its value while the parameter it came from changes", async () => {
  const w = new Parameter(ones([2]), { name: "w" });
  const doubled = mul(w, 2);
  const step = compile((x: Tensor) => {
    w.assign(add(w, 1));
    return add(mul(x, doubled), w);
  });
  expect(await step(ones([2])).array()).toEqual([4, 4]);
  expect(await step(ones([2])).array()).toEqual([5, 5]);
  expect(await doubled.array()).toEqual([2, 2]);
});

test("random numbers drawn outside stay the same ones", async () => {
  const noise = rand([3]);
  const f = compile((x: Tensor) => add(x, noise));
  const first = await f(zeros([3])).array();
  expect(await f(zeros([3])).array()).toEqual(first);
  expect(await noise.array()).toEqual(first);
});

test("a captured tensor whose parameter has changed already is an error", () => {
  const w = new Parameter(ones([2]), { name: "w" });
  const doubled = mul(w, 2);
  w.assign(zeros([2]));
  expect(() => compile((x: Tensor) => add(x, doubled))(ones([2]))).toThrow(LifetimeError);
});
