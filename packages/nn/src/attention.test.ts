import { concat, randn, slice, tensor, useBackend, zeros } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { beforeAll, describe, expect, it } from "vitest";
import { multiHeadAttention } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const closeTo = (a: ArrayLike<number>, b: ArrayLike<number>): boolean =>
  a.length === b.length && Array.from(a).every((value, i) => Math.abs(value - (b[i] as number)) < 1e-6);

describe("multiHeadAttention", () => {
  const layer = multiHeadAttention(8, 2);
  const x = randn([2, 5, 8]);

  it("keeps the shape, with and without a batch", () => {
    expect(layer(x).shape).toEqual([2, 5, 8]);
    const one = slice(x, { axis: 0, end: 1 }).reshape([5, 8]);
    expect(layer(one).shape).toEqual([5, 8]);
    expect(closeTo(layer(one).dataSync(), slice(layer(x), { axis: 0, end: 1 }).dataSync())).toBe(true);
  });

  it("causal: no position sees a later one", () => {
    const changed = concat([slice(x, { axis: 1, end: 3 }), randn([2, 2, 8])], { axis: 1 });
    const early = (input: typeof x, causal: boolean) => slice(layer(input, { causal }), { axis: 1, end: 3 }).dataSync();
    expect(closeTo(early(x, true), early(changed, true))).toBe(true);
    expect(closeTo(early(x, false), early(changed, false))).toBe(false);
    const causalByDefault = multiHeadAttention(8, 2, { causal: true });
    const first = (input: typeof x) => slice(causalByDefault(input), { axis: 1, end: 3 }).dataSync();
    expect(closeTo(first(x), first(changed))).toBe(true);
  });

  it("attends to another sequence, under a mask", () => {
    const memory = randn([2, 3, 8]);
    expect(layer(x, { key: memory }).shape).toEqual([2, 5, 8]);
    // Seeing the first of three keys alone is attending to a sequence of one.
    const mask = tensor([true, false, false]).reshape([1, 1, 1, 3]);
    const masked = layer(x, { key: memory, mask }).dataSync();
    expect(closeTo(masked, layer(x, { key: slice(memory, { axis: 1, end: 1 }) }).dataSync())).toBe(true);
  });

  it("self-attention is attention to the same sequence", () => {
    expect(closeTo(layer(x).dataSync(), layer(x, { key: x.add(0) }).dataSync())).toBe(true);
  });

  it("drops attention weights in training alone", () => {
    const dropping = multiHeadAttention(8, 2, { dropout: 0.5 });
    expect(closeTo(dropping(x).dataSync(), dropping(x).dataSync())).toBe(false);
    dropping.eval();
    expect(closeTo(dropping(x).dataSync(), dropping(x).dataSync())).toBe(true);
  });

  it("checks widths", () => {
    expect(() => layer(zeros([2, 5, 6]))).toThrow(
      "multiHeadAttention: expected query of shape [batch, length, 8], got [2, 5, 6]",
    );
  });
});
