import { expect, test } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { IndexError } from "../graph/errors.ts";
import { adamW } from "../optim/index.ts";
import { useBackend } from "../runtime/backend.ts";
import { embedding, ones, Parameter, sum, type Tensor, tensor } from "../tensor/index.ts";
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
