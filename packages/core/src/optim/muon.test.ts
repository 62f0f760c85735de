import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { Parameter, type Tensor, tensor, useBackend } from "../index.ts";
import { muon } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

type Nested = number[] | number[][];
const float64 = { dtype: "float64" } as const;
const parameter = (name: string, values: Nested) => new Parameter(tensor(values, float64), { name });
const gradient = (values: Nested) => tensor(values, float64);
const near = (rows: number[][], digits = 12) => rows.map((row) => row.map((x) => expect.closeTo(x, digits)));
const list = (x: Tensor): number[] => Array.from(x.dataSync());

/** What five Newton-Schulz steps make of a singular value. */
const iterated = (s: number): number => {
  let x = s;
  for (let i = 0; i < 5; i++) x = 3.4445 * x - 4.775 * x ** 3 + 2.0315 * x ** 5;
  return x;
};

describe("muon", () => {
  it("steps along the orthogonalized gradient, whatever its size", () => {
    const w = parameter("w", [
      [1, 0],
      [0, 1],
    ]);
    muon([w], { lr: 0.1 }).update([
      gradient([
        [3, 0],
        [0, 4],
      ]),
    ]);
    expect(w.arraySync()).toEqual(
      near(
        [
          [1 - 0.1 * iterated(0.6), 0],
          [0, 1 - 0.1 * iterated(0.8)],
        ],
        7,
      ),
    );
  });

  it("scales by the shape: √(rows / columns) where there are more rows", () => {
    const tall = parameter("tall", [[0], [0], [0], [0]]);
    const wide = parameter("wide", [[0, 0, 0, 0]]);
    muon([tall, wide], { lr: 1 }).update([gradient([[5], [0], [0], [0]]), gradient([[5, 0, 0, 0]])]);
    const [a, b] = [list(tall), list(wide)] as [number[], number[]];
    expect(a[0]).toBeCloseTo(-2 * iterated(1), 6);
    expect(b[0]).toBeCloseTo(-iterated(1), 6);
  });

  it("leaves vectors and embeddings to AdamW at lr · adamLrRatio", () => {
    const b = parameter("b", [1, 2]);
    const embedding = parameter("tokenEmbedding.weight", [[1, 2]]);
    const optimizer = muon([b, embedding], { lr: 0.02, adamLrRatio: 0.5 });
    optimizer.update([gradient([2, -3]), gradient([[2, -3]])]);
    for (const p of [b, embedding]) {
      expect(list(p)).toEqual([expect.closeTo(0.99, 9), expect.closeTo(2.01, 9)]);
      expect(Object.keys(optimizer.state.get(p.name) ?? {})).toEqual(["expAvg", "expAvgSq"]);
    }
  });

  it("gives a group with useMuon: false defaults of its own", () => {
    const w = parameter("w", [
      [1, 0],
      [0, 1],
    ]);
    const head = parameter("head", [[1, 2]]);
    const groups = [{ parameters: [w] }, { parameters: [head], useMuon: false, name: "head" }];
    const optimizer = muon(groups, { lr: 0.5, weightDecay: 0.1 });
    expect(optimizer.groups.map(({ lr }) => lr)).toEqual([0.5, 3e-4]);
    optimizer.update([
      gradient([
        [1, 0],
        [0, 1],
      ]),
      gradient([[1, -1]]),
    ]);
    expect(head.arraySync()).toEqual(near([[1 - 3e-4, 2 + 3e-4]], 9));
    const own = [{ parameters: [head], useMuon: false, lr: 0.1, weightDecay: 0.2 }];
    expect(muon(own, { lr: 0.5 }).groups[0]?.options).toMatchObject({ weightDecay: 0.2 });
    expect(muon(own, { lr: 0.5 }).lr).toBe(0.1);
  });

  it("takes embeddings for matrices when told to", () => {
    const embedding = parameter("embedding", [
      [1, 0],
      [0, 1],
    ]);
    const optimizer = muon([embedding], { excludeEmbeddings: false });
    optimizer.update([
      gradient([
        [1, 0],
        [0, 1],
      ]),
    ]);
    expect(Object.keys(optimizer.state.get("embedding") ?? {})).toEqual(["momentumBuffer"]);
  });

  it("survives gradients of zero", () => {
    for (const convention of ["original", "torch", "keras"] as const) {
      const w = parameter("w", [
        [1, 2],
        [3, 4],
      ]);
      muon([w], { convention, weightDecay: 0 }).update([
        gradient([
          [0, 0],
          [0, 0],
        ]),
      ]);
      expect(w.arraySync()).toEqual([
        [1, 2],
        [3, 4],
      ]);
    }
  });

  it("takes schedules for numbers, but not for the count of iterations", () => {
    const [a, b] = [
      parameter("w", [
        [1, 2],
        [3, 4],
      ]),
      parameter("w", [
        [1, 2],
        [3, 4],
      ]),
    ];
    const g = gradient([
      [1, -1],
      [0.5, 2],
    ]);
    muon([a], { lr: 0.1, momentum: 0.5, weightDecay: 0.1 }).update([g]);
    muon([b], { lr: () => 0.1, momentum: () => 0.5, weightDecay: () => 0.1 }).update([g]);
    expect(list(a)).toEqual(list(b));
    expect(() => muon([a], { nsSteps: () => 5 }).update([g])).toThrow("muon: nsSteps must be a number, not a schedule");
  });

  it("refuses what is out of range", () => {
    const w = parameter("w", [[1]]);
    expect(() => muon([w], { momentum: 1 })).toThrow("muon: momentum must be in [0, 1), got 1");
    expect(() => muon([w], { nsSteps: 0 })).toThrow("muon: nsSteps must be a whole number ≥ 1, got 0");
    expect(() => muon([w], { useMuon: 1 as unknown as boolean })).toThrow("useMuon must be true, false or null, got 1");
    expect(() => muon([w], { convention: "torch", adjustLrFn: "x" as "original" })).toThrow(
      "adjustLrFn must be null or one of original, match_rms_adamw, got x",
    );
    const b = parameter("b", [1]);
    expect(() => muon([b], { useMuon: true }).update([gradient([1])])).toThrow(
      "muon: useMuon is true, but b of shape [1] is no matrix",
    );
  });
});
