import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { compile, Parameter, sum, type Tensor, tensor, useBackend } from "../index.ts";
import { adam, type Optimizer, type OptimizerStateDict, type StoredTensor, sgd } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const parameter = (name: string, values: number[]) => new Parameter(tensor(values, { dtype: "float64" }), { name });
const values = (x: Tensor): number[] => Array.from(x.dataSync());
const gradient = (...entries: number[]) => tensor(entries, { dtype: "float64" });

const make = (lr = 0.1) => {
  const [p, q] = [parameter("p", [1, 2]), parameter("q", [3])];
  return { p, q, optimizer: adam([p, q], { lr }) };
};

describe("state dict", () => {
  it("continues as if nothing had happened, through JSON too", async () => {
    const a = make(0.2);
    a.optimizer.update([gradient(1, -1), null]);
    a.optimizer.update([gradient(2, 1), gradient(5)]);
    const saved = await a.optimizer.stateDict();
    expect(saved.optimizer).toBe("adam");
    expect(saved.step).toBe(2);
    expect(saved.groups).toEqual([
      {
        name: "group.0",
        lr: 0.2,
        maximize: false,
        options: { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, amsgrad: false },
      },
    ]);
    expect([saved.state.p?.step, saved.state.q?.step]).toEqual([2, 1]);
    expect(saved.state.q?.values.expAvg).toEqual({
      shape: [1],
      dtype: "float64",
      data: Float64Array.of((1 - 0.9) * 5),
    });

    const plain = JSON.parse(
      JSON.stringify(saved, (_, value: unknown) =>
        ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value,
      ),
    ) as OptimizerStateDict;
    for (const state of [saved, plain]) {
      const b = make(0.7);
      b.p.assign(a.p);
      b.q.assign(a.q);
      await b.optimizer.loadStateDict(state);
      expect([b.optimizer.step, b.optimizer.lr]).toEqual([2, 0.2]);
      const reference = make(0.2);
      for (const optimizer of [b.optimizer, reference.optimizer]) {
        if (optimizer === reference.optimizer) {
          optimizer.update([gradient(1, -1), null]);
          optimizer.update([gradient(2, 1), gradient(5)]);
        }
        optimizer.update([gradient(-1, 0.5), gradient(1)]);
      }
      expect(values(b.p)).toEqual(values(reference.p));
      expect(values(b.q)).toEqual(values(reference.q));
    }
  });

  it("is seen by a step that was compiled before", async () => {
    const { p, q, optimizer } = make();
    const step = compile((g: Tensor) => {
      optimizer.update([g, null]);
      return sum(g);
    });
    const start = [values(p), await optimizer.stateDict()] as const;
    step(gradient(1, 2));
    const one = [values(p), await optimizer.stateDict()] as const;
    step(gradient(-1, 1));
    const two = values(p);
    for (const [from, state, expected] of [
      [one[0], one[1], two],
      [start[0], start[1], one[0]],
    ] as const) {
      p.assign(tensor(from, { dtype: "float64" }));
      await optimizer.loadStateDict(state);
      step(expected === two ? gradient(-1, 1) : gradient(1, 2));
      expect(values(p)).toEqual(expected);
    }
    expect(values(q)).toEqual([3]);
  });

  it("keeps a schedule", async () => {
    const a = sgd([parameter("p", [1])], { lr: (step) => 1 / (step + 1) });
    a.update([gradient(1)]);
    const saved = await a.stateDict();
    expect(saved.groups[0]?.lr).toBeNull();
    const b = sgd([parameter("p", [1])], { lr: (step) => 1 / (step + 1) });
    await b.loadStateDict(saved);
    expect(b.lr).toBe(0.5);
  });

  it("is loaded whole or not at all", async () => {
    const source = make();
    source.optimizer.update([gradient(1, -1), gradient(1)]);
    const saved = await source.optimizer.stateDict();
    const { optimizer } = make();
    optimizer.update([gradient(1, 1), gradient(2)]);
    const before = await optimizer.stateDict();
    const p = saved.state.p as NonNullable<(typeof saved.state)[string]>;
    const bad: [OptimizerStateDict, string][] = [
      [{ ...saved, optimizer: "sgd" }, "loadStateDict: state of sgd cannot be loaded into adam"],
      [{ ...saved, step: 1.5 }, "loadStateDict: step must be a whole number ≥ 0, got 1.5"],
      [{ ...saved, groups: [] }, "loadStateDict: the groups are group.0, got "],
      [{ ...saved, state: { ...saved.state, r: p } }, "loadStateDict: there is no parameter named r"],
      [{ ...saved, state: { ...saved.state, q: p } }, "- q.expAvg has shape [1], got [2]"],
      [
        { ...saved, state: { r: p, q: { step: -1, values: { other: p.values.expAvg as StoredTensor } } } },
        "loadStateDict: 5 problems:\n- there is no parameter named r\n- the step of q must be a whole number ≥ 0, got -1\n- q has no expAvg\n- q has no expAvgSq\n- q has an unknown state other",
      ],
      [{} as OptimizerStateDict, "loadStateDict: expected { optimizer, step, groups, state } as stateDict gives it"],
      [
        { ...saved, groups: saved.groups.map((group) => ({ ...group, options: { betas: [2, 0] } })) },
        "loadStateDict: adam: betas[0] must be in [0, 1), got 2",
      ],
    ];
    for (const [state, message] of bad) await expect(optimizer.loadStateDict(state)).rejects.toThrow(message);
    expect(await optimizer.stateDict()).toEqual(before);
  });

  it("is freed by dispose", () => {
    const { optimizer }: { optimizer: Optimizer } = make() as unknown as { optimizer: Optimizer };
    optimizer.update([gradient(1, 1), gradient(2)]);
    const state = optimizer.state.get("p")?.expAvg as Parameter;
    optimizer.dispose();
    expect(optimizer.state.size).toBe(0);
    expect(state.storage.disposed).toBe(true);
  });
});
