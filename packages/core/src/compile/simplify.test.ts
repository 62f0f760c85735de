import { expect, it } from "vitest";
import { type DType, referenceBackend } from "../backend/index.ts";
import { useBackend } from "../runtime/backend.ts";
import { cast, full, mul, pow, sum, type Tensor, tensor } from "../tensor/index.ts";

/** What `fn` gives of constants, which fold, and of data, which a kernel computes. */
function both(fn: (...args: Tensor[]) => Tensor, dtype: DType, ...values: number[]): [unknown, unknown] {
  useBackend(referenceBackend());
  const folded = fn(...values.map((value) => full([2], value, { dtype })));
  const computed = fn(...values.map((value) => tensor([value, value], { dtype })));
  return [folded.arraySync(), computed.arraySync()];
}

it("folds casts of integers as kernels compute them", () => {
  expect(both((x) => cast(x, "uint32"), "int32", -1)).toEqual(Array(2).fill([4294967295, 4294967295]));
  expect(both((x) => cast(x, "int32"), "uint32", 4294967295)).toEqual(Array(2).fill([-1, -1]));
  expect(both((x) => cast(x, "int32"), "float32", 3.7e9)).toEqual(Array(2).fill([2147483647, 2147483647]));
  expect(both((x) => cast(x, "int32"), "float32", -0.5)).toEqual(Array(2).fill([0, 0]));
});

it("folds arithmetic of integers as kernels compute it", () => {
  expect(both(mul, "int32", 123456789, 987654321)).toEqual(Array(2).fill([-67153019, -67153019]));
  expect(both(pow, "int32", 3, 40)).toEqual(Array(2).fill([689956897, 689956897]));
  expect(both((x) => sum(x), "int32", 2147483647)).toEqual([-2, -2]);
});
