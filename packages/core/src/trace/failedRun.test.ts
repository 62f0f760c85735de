import { expect, test } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { IndexError } from "../graph/errors.ts";
import { adamW } from "../optim/index.ts";
import { useBackend } from "../runtime/backend.ts";
import { add, embedding, gather, mul, ones, Parameter, scatterAdd, sum, type Tensor, tensor } from "../tensor/index.ts";
import { compile } from "./compile.ts";

test("a step that fails leaves parameters, state and step count as they were", async () => {
  useBackend(referenceBackend());
  const weight = new Parameter(ones([4, 2]), { name: "weight" });
  const optimizer = adamW([weight], { lr: 0.1 });
  const step = compile((index: Tensor) => optimizer.minimize(sum(embedding(index, weight))));
  step(tensor([0, 3], { dtype: "int32" }));
  const before = [await weight.array(), await optimizer.state.get("weight")?.expAvg?.array(), optimizer.step];
  expect(() => step(tensor([0, 4], { dtype: "int32" }))).toThrow(IndexError);
  expect([await weight.array(), await optimizer.state.get("weight")?.expAvg?.array(), optimizer.step]).toEqual(before);
  step(tensor([1, 2], { dtype: "int32" }));
  expect(optimizer.step).toBe(2);
});

test("assignments that fail, or stand beside one that does, change nothing", () => {
  for (const kernels of [undefined, ["loop"] as const]) {
    useBackend(referenceBackend(kernels ? { kernels } : {}));
    const [first, second] = [new Parameter(tensor([1, 2, 3])), new Parameter(tensor([4, 5, 6]))];
    const change = compile((index: Tensor) => {
      first.assign(mul(first, 2));
      second.assign(add(second, gather(tensor([10, 20, 30]), index, { axis: 0 })));
    });
    expect(() => change(tensor([0, 1, 3], { dtype: "int32" }))).toThrow(IndexError);
    expect([first.arraySync(), second.arraySync()]).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    change(tensor([0, 1, 2], { dtype: "int32" }));
    expect([first.arraySync(), second.arraySync()]).toEqual([
      [2, 4, 6],
      [14, 25, 36],
    ]);
  }
});

test("scatterAdd checks its indices as loop kernels, too", () => {
  useBackend(referenceBackend({ kernels: ["loop"] }));
  const added = (...index: number[]) =>
    scatterAdd(tensor([1, 2, 3]), tensor(index, { dtype: "int32" }), tensor([10, 20]), { axis: 0 }).arraySync();
  expect(added(2, 0)).toEqual([21, 2, 13]);
  expect(() => added(0, 3)).toThrow("index 3 is out of range for size 3");
  expect(() => added(-1, 0)).toThrow("index -1 is out of range for size 3");
});
