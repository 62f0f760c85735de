import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { Parameter, type Tensor, tensor, useBackend } from "../index.ts";
import { prodigy, sgd, skipNonFinite } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const float64 = (...entries: number[]) => tensor(entries, { dtype: "float64" });
const values = (x: Tensor | undefined): number[] => Array.from(x?.dataSync() ?? []);

describe("skipNonFinite", () => {
  it("changes nothing where any gradient is not finite, and counts", () => {
    const p = new Parameter(float64(1, 2), { name: "p" });
    const q = new Parameter(tensor([3]), { name: "q" });
    const optimizer = skipNonFinite(sgd([p, q], { lr: 0.5, momentum: 0.5 }));
    const skipped = () => values(optimizer.sharedState.get("skipped"));
    optimizer.update([float64(2, 2), tensor([2])]);
    expect([values(p), values(q), skipped()]).toEqual([[0, 1], [2], [0]]);
    optimizer.update([float64(Number.NaN, 2), tensor([2])]);
    optimizer.update([float64(1, 2), tensor([Number.NEGATIVE_INFINITY])]);
    expect([values(p), values(q), skipped()]).toEqual([[0, 1], [2], [2]]);
    expect(values(optimizer.state.get("q")?.momentumBuffer)).toEqual([2]);
    expect(optimizer.step).toBe(3);
    // The buffer is 1 + 2, as if the others had not been.
    optimizer.update([float64(2, 2), null]);
    expect([values(p), values(q), skipped()]).toEqual([[-1.5, -0.5], [2], [2]]);
  });

  it("keeps what the parameters share", () => {
    const p = new Parameter(float64(1, 2), { name: "p" });
    const optimizer = skipNonFinite(prodigy([p]));
    optimizer.update([float64(1, -1)]);
    const before = [...optimizer.sharedState].filter(([name]) => name !== "skipped").map(([, x]) => values(x));
    optimizer.update([float64(Number.POSITIVE_INFINITY, 1)]);
    const after = [...optimizer.sharedState].filter(([name]) => name !== "skipped").map(([, x]) => values(x));
    expect(before.length).toBeGreaterThan(0);
    expect(after).toEqual(before);
  });

  it("has no options", () => {
    const p = new Parameter(float64(1), { name: "p" });
    expect(() => skipNonFinite(sgd([p], { lr: 1 }), { limit: 3 } as object)).toThrow("unknown option limit");
  });
});
