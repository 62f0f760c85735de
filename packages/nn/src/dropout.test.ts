import { compile, manualSeed, ones, type Tensor, useBackend } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { beforeAll, describe, expect, it } from "vitest";
import { dropout } from "./index.ts";

beforeAll(() => {
  useBackend(referenceBackend());
  manualSeed(1);
});

describe("dropout", () => {
  it("zeros a share p and scales the rest by 1 / (1 - p)", () => {
    const values = Array.from(dropout(0.2)(ones([4000])).dataSync());
    const dropped = values.filter((value) => value === 0).length / values.length;
    expect(Math.abs(dropped - 0.2)).toBeLessThan(0.02);
    expect(values.every((value) => value === 0 || value === 1.25)).toBe(true);
  });

  it("does nothing in evaluation or with p = 0, and zeros all with p = 1", () => {
    const x = ones([8]);
    const layer = dropout(0.5);
    layer.eval();
    expect(layer(x)).toBe(x);
    expect(dropout(0)(x)).toBe(x);
    expect(dropout(1)(x).arraySync()).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it("compiled, is fresh at every run, as if it were built anew, and notices evaluation", () => {
    const layer = dropout(0.5);
    const x = ones([64]);
    manualSeed(5);
    const direct = [1, 2, 3].map(() => Array.from(layer(x).dataSync()));
    manualSeed(5);
    const run = compile((input: Tensor) => layer(input));
    const replayed = [1, 2, 3].map(() => Array.from(run(x).dataSync()));
    expect(replayed).toEqual(direct);
    expect(replayed[0]).not.toEqual(replayed[1]);
    layer.eval();
    expect(Array.from(run(x).dataSync())).toEqual(Array.from(x.dataSync()));
  });

  it("wants a probability", () => {
    expect(() => dropout(1.5)).toThrow("dropout: p must be in [0, 1], got 1.5");
  });
});
