/** Dynamic indices out of range: IndexError, nothing half-changed, and the backend goes on. */
import {
  add,
  compile,
  embedding,
  exp,
  gather,
  IndexError,
  indexSelect,
  mul,
  Parameter,
  scatterAdd,
  sum,
  type Tensor,
  take,
  tensor,
} from "@thalweg/core";
import { adamW, type Optimizer, sgd } from "@thalweg/core/optim";
import type { Case } from "../case.ts";
import { failsAtRun, needDTypes } from "../needs.ts";
import { expectError, expectSame, expectValues, expectWorking } from "./expectError.ts";

const indices = (...values: number[]): Tensor => tensor(values, { dtype: "int32" });
const matrix = (): Tensor => tensor([1, 2, 3, 4, 5, 6], { shape: [3, 2] });

type Lookup = readonly [name: string, lookup: (index: Tensor) => Tensor, good: readonly number[]];

/** Operations over an axis of 3, and their values for the indices 2, 0. */
const lookups: readonly Lookup[] = [
  ["gather", (index) => gather(tensor([1, 2, 3]), index, { axis: 0 }), [3, 1]],
  ["gather in a chain", (index) => mul(add(gather(tensor([1, 2, 3]), index, { axis: 0 }), 1), 2), [8, 4]],
  ["gather before a reduction", (index) => sum(gather(tensor([1, 2, 3]), index, { axis: 0 })), [4]],
  ["indexSelect", (index) => indexSelect(matrix(), index, { axis: 0 }), [5, 6, 1, 2]],
  ["take", (index) => take(tensor([1, 2, 3]), index), [3, 1]],
  ["embedding", (index) => embedding(index, matrix()), [5, 6, 1, 2]],
  ["scatterAdd", (index) => scatterAdd(tensor([1, 2, 3]), index, tensor([10, 20]), { axis: 0 }), [21, 2, 13]],
];

const outside: readonly (readonly [name: string, index: readonly [number, number]])[] = [
  ["the size", [0, 3]],
  ["-1", [-1, 0]],
  ["the largest int32", [2, 2 ** 31 - 1]],
];

const lookupCases: readonly Case[] = lookups.flatMap(([name, lookup, good]) =>
  outside.map(
    ([what, bad]): Case => ({
      layer: "errors",
      name: `${name} of index ${what}`,
      async run({ backend }) {
        needDTypes(backend, "int32");
        const compiled = compile(lookup);
        const [wrong] = bad.filter((index) => index < 0 || index > 2);
        const message = `index ${wrong} is out of range for size 3`;
        await expectError(IndexError, message, () => lookup(indices(...bad)).data());
        await expectError(IndexError, message, () => compiled(indices(...bad)).data());
        await expectValues("the same with good indices", compiled(indices(2, 0)), good);
        await expectWorking();
      },
    }),
  ),
);

/** A step that looks rows of one parameter up and multiplies them by another. */
function stepCase(name: string, make: (parameters: readonly Parameter[]) => Optimizer): Case {
  return {
    layer: "errors",
    name: `${name} step with an index out of range changes nothing`,
    async run({ backend }) {
      needDTypes(backend, "int32");
      const parameters = [
        new Parameter(tensor([1, 1]), { name: "scale" }),
        new Parameter(matrix(), { name: "weight" }),
      ] as const;
      const [scale, weight] = parameters;
      const optimizer = make(parameters);
      const step = compile((index: Tensor) => optimizer.minimize(sum(exp(mul(embedding(index, weight), scale)))));
      const values = async () => {
        const state = [...optimizer.state.values()].flatMap((record) => Object.values(record));
        return Promise.all([...parameters, ...state].map((parameter) => parameter.data()));
      };
      for (const updates of [0, 1]) {
        const before = await values();
        await expectError(IndexError, "index 3 is out of range for size 3", () => step(indices(0, 3)).data());
        if (failsAtRun(backend)) expectSame("the step count", optimizer.step, updates);
        const after = [...parameters, ...[...optimizer.state.values()].flatMap((record) => Object.values(record))];
        for (const [i, data] of before.entries()) {
          const parameter = after[i] as Parameter;
          await expectValues(`${parameter.name} after ${updates} updates`, parameter, Array.from(data, Number));
        }
        const loss = await step(indices(0, 2)).data();
        if (!Number.isFinite(Number(loss[0]))) throw new Error(`the loss of the step after it is ${loss[0]}`);
      }
    },
  };
}

const assignment: Case = {
  layer: "errors",
  name: "assign of values looked up out of range changes nothing",
  async run({ backend }) {
    needDTypes(backend, "int32");
    const [first, second] = [new Parameter(tensor([1, 2, 3])), new Parameter(tensor([4, 5, 6]))];
    const change = compile((index: Tensor) => {
      first.assign(mul(first, 2));
      second.assign(add(second, gather(tensor([10, 20, 30]), index, { axis: 0 })));
    });
    const read = compile(() => [add(first, 0), add(second, 0)] as const);
    await expectError(IndexError, "index 3 is out of range for size 3", async () => {
      change(indices(0, 1, 3));
      await second.data();
    });
    const [doubled, looked] = read();
    await expectValues("the parameter that is doubled", doubled, [1, 2, 3]);
    await expectValues("the parameter that is added to", looked, [4, 5, 6]);
    change(indices(0, 1, 2));
    await expectValues("the parameter that is doubled, afterwards", first, [2, 4, 6]);
    await expectValues("the parameter that is added to, afterwards", second, [14, 25, 36]);
  },
};

export const indexErrors: readonly Case[] = [
  ...lookupCases,
  stepCase("sgd", (parameters) => sgd(parameters, { lr: 0.01 }) as Optimizer),
  stepCase("sgd with momentum", (parameters) => sgd(parameters, { lr: 0.01, momentum: 0.9 }) as Optimizer),
  stepCase("adamW", (parameters) => adamW(parameters, { lr: 0.01 }) as Optimizer),
  assignment,
];
