import { expect, it } from "vitest";
import { functionName, translationUnit } from "./translationUnit.ts";

it("puts includes first, once, and names each function after its text", () => {
  const one = `#include "tile.cuh"\nextern "C" __global__ void KERNEL(float* a) { a[0] = 1; }\n`;
  const two = `#include "tile.cuh"\n#include "mma.cuh"\nextern "C" __global__ void KERNEL(float* KERNELS) {}\n`;
  const [first, second] = [functionName(one), functionName(two)];
  expect(first).toMatch(/^thalweg_[0-9a-f]{20}$/);
  expect(translationUnit([one, two])).toBe(
    `#include "thalweg.cuh"\n#include "tile.cuh"\n#include "mma.cuh"\n` +
      `namespace of_${first} {\nextern "C" __global__ void ${first}(float* a) { a[0] = 1; }\n}\n` +
      `namespace of_${second} {\nextern "C" __global__ void ${second}(float* KERNELS) {}\n}\n`,
  );
});
