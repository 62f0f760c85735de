/** A float32 value has the same bits for whoever reads it, through whatever views. */
import { expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { useBackend } from "../runtime/backend.ts";
import { avgPool2d, flip, neg, reshape, sub, type Tensor, tensor, transpose, variance } from "../tensor/index.ts";
import { compile } from "../trace/compile.ts";

const run = (fn: (x: Tensor) => Tensor[], x: Tensor): number[][] => {
  useBackend(referenceBackend());
  return compile(fn)(x).map((result) => [...result.dataSync()]);
};

it("past a reshape that is a result", () => {
  const fn = (x: Tensor): Tensor[] => {
    const one = variance(x, { keepDim: true });
    return [one, variance(one, { correction: 1 })];
  };
  for (const n of [2, 3, 4, 5, 6, 7]) {
    const x = tensor(Array.from({ length: n }, (_, i) => Math.sin(i + 1)));
    // One element: 0/0, not (something tiny)/0.
    expect(run(fn, x)[1]).toEqual([Number.NaN]);
  }
});

it("past a part that is a result", () => {
  const x = tensor([0.1, 0.7, 0.35, -0.4]);
  const fn = (x: Tensor): Tensor[] => {
    const third = x.div(3);
    const reversed = flip(third, [0]);
    return [reversed, sub(flip(reversed.mul(2), [0]), third.mul(2))];
  };
  expect(run(fn, x)[1]).toEqual([0, 0, 0, 0]);
});

it("through reshapes that cut one loop at odds", () => {
  const fn = (x: Tensor): Tensor[] => {
    const flat = reshape(transpose(x), [1, 1, 1, 1, 6]);
    const twice = flat.add(flat);
    const image = reshape(twice, [1, 2, 1, 3]);
    return [neg(avgPool2d(image, { kernelSize: [1, 1], stride: [1, 1] })), twice];
  };
  const [pooled, twice] = run(fn, tensor([1, 2, 3, 4, 5, 6], { shape: [2, 3] }));
  expect(twice).toEqual([2, 8, 4, 10, 6, 12]);
  expect(pooled).toEqual([-2, -8, -4, -10, -6, -12]);
});
