import { expect, test } from "vitest";
import { grad } from "../autodiff/index.ts";
import { referenceBackend } from "../backend/index.ts";
import { sgd } from "../optim/index.ts";
import { useBackend } from "../runtime/backend.ts";
import { add, mul, Parameter, sum, tanh, tensor } from "../tensor/index.ts";
import { compile } from "./compile.ts";

const parameter = (name: string, values: number[]) => new Parameter(tensor(values, { dtype: "float64" }), { name });

test("a parameter that was updated in the step is a value: no derivative passes the update", () => {
  useBackend(referenceBackend());
  const run = (compiled: boolean) => {
    const [a, b] = [parameter("a", [1, 2]), parameter("b", [0.5, 3])];
    const [one, two] = [sgd([a], { lr: 0.1 }), sgd([b], { lr: 0.1 })];
    const loss = () => sum(tanh(mul(a, b)));
    const step = () => [one.minimize(loss()), two.minimize(loss())] as const;
    const losses = (compiled ? compile(step) : step)().map((tensor) => tensor.itemSync());
    return [...losses, ...a.dataSync(), ...b.dataSync()];
  };
  const direct = run(false);
  expect(run(true)).toEqual(direct);
  // a ← 1 - 0.1·0.5·(1 - tanh²(0.5)), then b ← 0.5 - 0.1·a·(1 - tanh²(0.5·a)).
  const a = 1 - 0.05 * (1 - Math.tanh(0.5) ** 2);
  expect(direct[2]).toBeCloseTo(a, 14);
  expect(direct[4]).toBeCloseTo(0.5 - 0.1 * a * (1 - Math.tanh(0.5 * a) ** 2), 14);
});

test("by the updated parameter itself there is a derivative", () => {
  useBackend(referenceBackend());
  const p = parameter("p", [1, 2]);
  const step = compile(() => {
    p.assign(add(p, 1));
    return grad(sum(mul(p, p)), p);
  });
  expect([...step().dataSync()]).toEqual([4, 6]);
});
