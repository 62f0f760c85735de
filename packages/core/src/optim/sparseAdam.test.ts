import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import {
  add,
  compile,
  embedding,
  indexSelect,
  mul,
  Parameter,
  square,
  sum,
  type Tensor,
  tensor,
  useBackend,
} from "../index.ts";
import { SparseGradient, sgd, sparseAdam } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const float64 = (entries: number[], shape = [entries.length]) => tensor(entries, { shape, dtype: "float64" });
const rows = (...entries: number[]) => tensor(Int32Array.from(entries));
const values = (x: Tensor | undefined): number[] => Array.from(x?.dataSync() ?? []);
const table = () => new Parameter(float64([1, 2, 3, 4, 5, 6], [3, 2]), { name: "table" });

describe("sparseAdam", () => {
  it("changes the listed rows alone, and adds up rows that come twice", () => {
    const p = table();
    const optimizer = sparseAdam([p], { lr: 0.1, eps: 0 });
    optimizer.update([new SparseGradient({ indices: rows(2, 0, 2), values: float64([1, 1, 4, -4, 1, -3], [3, 2]) })]);
    // The first step of Adam is lr · sign(g).
    for (const [i, value] of [0.9, 2.1, 3, 4, 4.9, 6.1].entries()) expect(values(p)[i]).toBeCloseTo(value, 14);
    const { expAvg, expAvgSq } = optimizer.state.get("table") ?? {};
    for (const [i, value] of [4, -4, 0, 0, 2, -2].entries()) {
      expect(values(expAvg)[i]).toBeCloseTo(0.1 * value, 14);
      expect(values(expAvgSq)[i]).toBeCloseTo(0.001 * value ** 2, 14);
    }
  });

  it("counts steps whichever rows they list, and none at all", () => {
    const p = table();
    const optimizer = sparseAdam([p], { lr: 0.1, betas: [0.5, 0.75], eps: 0 });
    const row = (index: number) => new SparseGradient({ indices: rows(index), values: float64([1, -2], [1, 2]) });
    optimizer.update([row(0)]);
    const before = values(p);
    optimizer.update([new SparseGradient({ indices: rows(), values: float64([], [0, 2]) })]);
    expect(values(p)).toEqual(before);
    optimizer.update([row(1)]);
    // m = g / 2 and √v = |g| / 2, under the corrections of step 3.
    const change = (0.1 * Math.sqrt(1 - 0.75 ** 3)) / (1 - 0.5 ** 3);
    expect(values(p)[2]).toBeCloseTo(3 - change, 14);
    expect(values(p)[3]).toBeCloseTo(4 + change, 14);
    expect(values(p).slice(0, 2)).toEqual(before.slice(0, 2));
  });

  it("takes a dense gradient as listing all rows", () => {
    const [sparse, dense] = [table(), table()];
    const gradient = float64([1, 0, -1, 2, 0, 0], [3, 2]);
    sparseAdam([sparse], { lr: 0.1 }).update([new SparseGradient({ indices: rows(0, 1, 2), values: gradient })]);
    sparseAdam([dense], { lr: 0.1 }).update([gradient]);
    expect(values(dense)).toEqual(values(sparse));
  });

  const losses: Readonly<Record<string, (p: Parameter) => Tensor>> = {
    embedding: (p) => sum(square(embedding(rows(2, 0, 2), p))),
    indexSelect: (p) => sum(square(indexSelect(p, rows(0, 2), { axis: 0 }))),
    "several look-ups": (p) =>
      add(sum(square(embedding(rows(0), p))), sum(mul(embedding(tensor([[2, 0]], { dtype: "int32" }), p), 3))),
  };
  it.each(Object.entries(losses))("finds the rows in the gradient of %s", (_, loss) => {
    const p = table();
    const optimizer = sparseAdam([p], { lr: 0.1 });
    const everyRow = add(sum(mul(p, 2)), 0);
    optimizer.minimize(everyRow);
    const before = values(p);
    const step = compile(() => optimizer.minimize(loss(p)));
    step();
    step();
    const changed = values(p).map((value, i) => value !== before[i]);
    // Momentum of the first step would move the middle row, too.
    expect(changed).toEqual([true, true, false, false, true, true]);
  });

  it("lists every row of a table that is used otherwise as well", () => {
    const p = table();
    const optimizer = sparseAdam([p], { lr: 0.1 });
    optimizer.minimize(add(sum(square(embedding(rows(0), p))), sum(p)));
    const before = values(p);
    optimizer.minimize(add(sum(square(embedding(rows(0), p))), sum(mul(p, float64([0, 0, 0, 0, 0, 0], [3, 2])))));
    expect(values(p).every((value, i) => value !== before[i])).toBe(true);
  });

  it("sees one column, and rows of more axes", () => {
    for (const shape of [[3, 1], [3], [3, 1, 2]]) {
      const size = shape.reduce((a, b) => a * b);
      const p = new Parameter(float64(new Array<number>(size).fill(1), shape), { name: "p" });
      const optimizer = sparseAdam([p], { lr: 0.1 });
      optimizer.minimize(sum(p));
      const before = values(p);
      optimizer.minimize(sum(indexSelect(p, rows(1), { axis: 0 })));
      const width = size / 3;
      expect(values(p).map((value, i) => value !== before[i])).toEqual(
        Array.from({ length: size }, (_, i) => Math.floor(i / width) === 1),
      );
    }
  });
});

describe("SparseGradient", () => {
  it("is for any rule: zeros where it lists nothing", () => {
    const p = table();
    const optimizer = sgd([p], { lr: 1 });
    optimizer.update(
      new Map([[p, new SparseGradient({ indices: rows(1, 1), values: float64([1, 2, 3, 4], [2, 2]) })]]),
    );
    expect(values(p)).toEqual([1, 2, -1, -2, 5, 6]);
  });

  it("checks what it is given", () => {
    expect(() => new SparseGradient({ indices: tensor([1.5]), values: float64([1]) })).toThrow(
      "SparseGradient: indices must be int32, got float32",
    );
    expect(() => new SparseGradient({ indices: rows(1, 2), values: float64([1], [1, 1]) })).toThrow(
      "SparseGradient: expected indices [n] and values [n, …], got [2] and [1, 1]",
    );
    const optimizer = sparseAdam([table()]);
    expect(() => optimizer.update([new SparseGradient({ indices: rows(1), values: float64([1], [1, 1]) })])).toThrow(
      "SparseGradient: values [1, 1] are no rows of a parameter [3, 2]",
    );
  });
});
