import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { bytesPerElement, type DType } from "../graph/dtype.ts";
import {
  ArgumentError,
  cast,
  compile,
  manualSeed,
  Parameter,
  randn,
  type Tensor,
  tensor,
  useBackend,
} from "../index.ts";
import {
  adam,
  adamW,
  asgd,
  lion,
  lookahead,
  type Optimizer,
  optimizer,
  prodigy,
  type Rule,
  type StateDType,
  sophiaG,
} from "./index.ts";

beforeAll(() => useBackend(referenceBackend({ rounding: true })));

const values = (x: Tensor): number[] => Array.from(x.dataSync());
const parameter = (name: string, shape: readonly number[], dtype: DType = "float32") =>
  new Parameter(cast(randn(shape), dtype), { name });

/** Name, dtype and shape of all state. */
const stateOf = ({ state }: Pick<Optimizer, "state">) =>
  Object.fromEntries(
    [...state].map(([name, entries]) => [
      name,
      Object.fromEntries(
        Object.entries(entries).map(([key, { dtype, shape }]) => [key, `${dtype} ${shape.join("×")}`]),
      ),
    ]),
  );
const bytesOf = ({ state }: Pick<Optimizer, "state">, name: string): number =>
  Object.values(state.get(name) ?? {}).reduce(
    (sum, { shape, dtype }) => sum + shape.reduce((n, size) => n * size, 1) * bytesPerElement(dtype),
    0,
  );

describe("stateDtype", () => {
  const make = (stateDtype: StateDType | undefined, dtype: DType = "float32") => {
    manualSeed(1);
    const [large, small] = [parameter("large", [70, 61], dtype), parameter("small", [5], dtype)];
    const made = adamW([large, small], { stateDtype });
    const gradients = [randn([70, 61]), randn([5])].map((g) => new Parameter(g));
    return { large, small, made, update: () => made.update(gradients) };
  };

  it("says how moments are stored, and what they take", () => {
    const stored = (stateDtype: StateDType | undefined, dtype?: DType) => {
      const { made, update } = make(stateDtype, dtype);
      update();
      return [stateOf(made), bytesOf(made, "large")];
    };
    const like = (dtype: DType) => ({
      large: { expAvg: `${dtype} 70×61`, expAvgSq: `${dtype} 70×61` },
      small: { expAvg: `${dtype} 5`, expAvgSq: `${dtype} 5` },
    });
    // 4270 elements: 17 blocks of 256, of 64 words and a scale each.
    expect(stored(undefined)).toEqual([like("float32"), 34_160]);
    expect(stored("bfloat16")).toEqual([like("bfloat16"), 17_080]);
    expect(stored("blockwise8bit")).toEqual([
      {
        large: {
          "expAvg.codes": "uint32 17×64",
          "expAvg.absmax": "float32 17",
          "expAvgSq.codes": "uint32 17×64",
          "expAvgSq.absmax": "float32 17",
        },
        small: like("float32").small,
      },
      8_840,
    ]);
    expect(stored(undefined, "bfloat16")).toEqual([like("bfloat16"), 17_080]);
    expect(stored("float32", "bfloat16")).toEqual([like("float32"), 34_160]);
  });

  it("leaves the first update as it is: what is computed with has not been stored yet", () => {
    const exact = make(undefined);
    exact.update();
    for (const stateDtype of ["bfloat16", "blockwise8bit"] as const) {
      const low = make(stateDtype);
      low.update();
      const expected = values(exact.large);
      for (const [i, x] of values(low.large).entries())
        expect(Math.abs(x - (expected[i] as number))).toBeLessThan(1e-6);
    }
  });

  it("in bfloat16 is one kernel for all parameters of a group", () => {
    const { made } = make("bfloat16");
    const gradients = [new Parameter(randn([70, 61])), new Parameter(randn([5]))];
    const step = compile(() => made.update(gradients));
    step();
    const { kernels } = step.program();
    expect(kernels.map((kernel) => (kernel.kind === "loop" ? kernel.segments.length : kernel.kind))).toEqual([2]);
  });

  it("gives compiled the bits it gives without", () => {
    for (const stateDtype of ["bfloat16", "blockwise8bit"] as const) {
      const [eager, replayed] = [make(stateDtype), make(stateDtype)];
      const step = compile(replayed.update);
      for (let i = 0; i < 3; i++) {
        eager.update();
        step();
      }
      expect(values(replayed.large)).toEqual(values(eager.large));
    }
  });

  it("averages rounding out: second moments that bfloat16 alone would not see grow", () => {
    // 0.001 of it at each step is less than half a place: rounded to the nearest it would stay what it was.
    const rates = (stateDtype: StateDType | undefined) => {
      const p = new Parameter(tensor(new Float32Array(2000)), { name: "p" });
      const made = adam([p], { stateDtype });
      const first = new Parameter(tensor(new Float32Array(2000).fill(0.1)));
      const then = new Parameter(tensor(new Float32Array(2000).fill(0.2)));
      made.update([first]);
      const step = compile(() => made.update([then]));
      for (let i = 0; i < 30; i++) step();
      const moments = values(made.state.get("p")?.expAvgSq as Tensor);
      return moments.reduce((sum, value) => sum + value, 0) / moments.length;
    };
    expect(Math.abs(rates("bfloat16") / rates(undefined) - 1)).toBeLessThan(1e-3);
  });

  it("is an option of a group, too", () => {
    const [a, b] = [parameter("a", [3]), parameter("b", [3])];
    const made = lion([{ parameters: [a], stateDtype: "bfloat16" }, { parameters: [b] }]);
    made.update([tensor([1, 2, 3]), tensor([1, 2, 3])]);
    expect(stateOf(made)).toEqual({ a: { expAvg: "bfloat16 3" }, b: { expAvg: "float32 3" } });
  });

  it("reaches what is shared or observed, and leaves alone what is no moment", () => {
    manualSeed(2);
    const p = () => parameter("p", [64, 65]);
    const g = new Parameter(randn([64, 65]));
    const exactly = (made: Optimizer<never>) => {
      made.update([g]);
      return stateOf(made).p;
    };
    expect(exactly(asgd([p()], { stateDtype: "blockwise8bit" }) as never)).toEqual({ average: "float32 64×65" });
    const shared = prodigy([p()], { stateDtype: "blockwise8bit" });
    expect(Object.keys(exactly(shared as never) ?? {})).toContain("expAvgSq.codes");
    const observing = sophiaG([p()], { stateDtype: "bfloat16" });
    observing.update([g]);
    observing.observe([g]);
    const hessian = values(observing.state.get("p")?.hessian as Tensor);
    expect(hessian.every((value) => value >= 0) && hessian.some((value) => value > 0)).toBe(true);
    const around = lookahead(adamW([p()], { stateDtype: "bfloat16" }));
    expect(exactly(around as never)).toEqual({
      expAvg: "bfloat16 64×65",
      expAvgSq: "bfloat16 64×65",
      slow: "float32 64×65",
    });
  });

  it("takes a rule's word for what has no sign", () => {
    const rule: Rule<"square" | "kept", object> = {
      name: "squares",
      lr: 1,
      defaults: {},
      nonNegativeState: ["square"],
      exactState: ["kept"],
      check() {},
      initialState: (x) => ({ square: x.mul(0).mul(0), kept: x.mul(0) }),
      update: ({ parameter, gradient }) => ({ parameter, state: { square: gradient, kept: gradient } }),
    };
    // Not written as zeros: that is no moment, as far as anyone can tell.
    const p = parameter("p", [64, 64]);
    const made = optimizer(rule, [p], { stateDtype: "blockwise8bit" });
    made.update([randn([64, 64])]);
    expect(stateOf(made).p).toEqual({ square: "float32 64×64", kept: "float32 64×64" });
  });

  it("is saved with the state, which goes on to the same bits", async () => {
    for (const stateDtype of ["bfloat16", "blockwise8bit"] as const) {
      const whole = make(stateDtype);
      const resumed = make(stateDtype);
      whole.update();
      whole.update();
      const saved = await whole.made.stateDict();
      expect(saved.groups[0]?.options.stateDtype).toBe(stateDtype);
      resumed.large.assign(tensor(values(whole.large), { shape: [70, 61] }));
      await resumed.made.loadStateDict(saved);
      whole.update();
      resumed.update();
      expect(values(resumed.large)).toEqual(values(whole.large));
    }
  });

  it("is refused where it is unknown, changed later, or not that of saved state", async () => {
    const p = parameter("p", [3]);
    const unknown = () => adamW([p], { stateDtype: "int4" as StateDType });
    expect(unknown).toThrow(
      new ArgumentError("adamW", "stateDtype must be one of float32, bfloat16, blockwise8bit, got int4"),
    );
    const low = adamW([p], { stateDtype: "bfloat16" });
    expect(() => low.groups[0]?.configure({ stateDtype: "float32" })).toThrow(ArgumentError);
    expect(() => adamW([p]).groups[0]?.configure({ stateDtype: "bfloat16" })).toThrow(ArgumentError);
    low.update([tensor([1, 2, 3])]);
    const saved = await low.stateDict();
    const other = adamW([p]);
    await expect(other.loadStateDict(saved)).rejects.toThrow("group group.0 has stateDtype null, got bfloat16");
    expect(other.step).toBe(0);
  });
});
