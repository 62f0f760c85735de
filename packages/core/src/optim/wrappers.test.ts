import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { compile, Parameter, sum, type Tensor, tensor, useBackend } from "../index.ts";
import {
  accumulate,
  adamW,
  ema,
  lookahead,
  lossScaling,
  type Optimizer,
  prodigy,
  scheduleFree,
  scheduleFreeAdamW,
  scheduleFreeSgd,
  sgd,
  skipNonFinite,
  sparseAdam,
  swa,
} from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const values = (x: Tensor): number[] => Array.from(x.dataSync());
const make = (wrap: (parameters: Parameter[]) => Optimizer) => {
  const p = new Parameter(tensor([1, -2, 3], { dtype: "float64" }), { name: "p" });
  const q = new Parameter(tensor([[0.5], [0.25]]), { name: "q" });
  return { p, q, optimizer: wrap([p, q]) };
};
/** The step's gradients: q has none at step 3. */
const gradients = (step: number): [Tensor, Tensor | null] => [
  tensor([Math.sin(step), Math.cos(3 * step), 0.1 * step], { dtype: "float64" }),
  step === 3 ? null : tensor([[Math.sin(2 * step)], [step % 2]]),
];
const falling = (step: number): number => 0.1 / (1 + step);

const wrapped: Readonly<Record<string, (parameters: Parameter[]) => Optimizer>> = {
  "accumulate mean": (p) => accumulate(adamW(p, { lr: falling }), { k: 3 }),
  "accumulate sum, of shared state": (p) => accumulate(prodigy(p), { k: 2, reduction: "sum" }),
  "accumulate row-sparse": (p) => accumulate(sparseAdam(p, { lr: 0.1 }), { k: 2 }),
  ema: (p) => ema(adamW(p, { lr: 0.1 }), { decay: 0.9 }),
  "ema corrected": (p) => ema(sgd(p, { lr: 0.1 }), { decay: 0.9, biasCorrection: true }),
  "ema warmed up": (p) => ema(sgd(p, { lr: 0.1, momentum: 0.9 }), { warmup: true }),
  swa: (p) => swa(sgd(p, { lr: 0.1, momentum: 0.9 }), { start: 3, every: 2 }),
  scheduleFree: (p) => scheduleFree(adamW(p, { lr: falling }), { weightDecayAtY: 0.1 }),
  "scheduleFree of shared state": (p) => scheduleFree(prodigy(p)),
  lossScaling: (p) => lossScaling(prodigy(p), { growthInterval: 2 }),
  skipNonFinite: (p) => skipNonFinite(prodigy(p)),
  several: (p) => accumulate(skipNonFinite(ema(lookahead(adamW(p, { lr: 0.1 }), { k: 2 }))), { k: 2 }),
  scheduleFreeSgd: (p) => scheduleFreeSgd(p, { warmupSteps: 3 }),
  scheduleFreeAdamW: (p) => scheduleFreeAdamW(p, { innerMomentum: 0.5, weightDecay: 0.1 }),
  "scheduleFreeAdamW of keras": (p) => scheduleFreeAdamW(p, { convention: "keras", weightDecay: 0.1 }),
  sparseAdam: (p) => sparseAdam(p, { lr: falling }),
};

const evaluated = ({ p, q, optimizer }: ReturnType<typeof make>): number[][] => {
  const training = [values(p), values(q)];
  optimizer.eval();
  const evaluation = [values(p), values(q)];
  optimizer.train();
  expect([values(p), values(q)]).toEqual(training);
  return [...training, ...evaluation];
};

describe.each(Object.entries(wrapped))("%s", (_, wrap) => {
  const straight = () => {
    const run = make(wrap);
    for (let step = 1; step <= 8; step++) run.optimizer.update(gradients(step));
    return run;
  };

  it("gives the same bits compiled, in one Program per set of gradients", () => {
    const run = make(wrap);
    let traces = 0;
    const step = compile((p: Tensor, q: Tensor | null) => {
      traces++;
      run.optimizer.update([p, q]);
      return sum(p);
    });
    for (let i = 1; i <= 8; i++) step(...gradients(i));
    expect(evaluated(run)).toEqual(evaluated(straight()));
    // With q and without it; and again as q then lags behind by a step.
    expect(traces).toBe(3);
  });

  it.each([1, 3, 4])("resumes after %i steps with the same bits", async (stop) => {
    const first = make(wrap);
    for (let step = 1; step <= stop; step++) first.optimizer.update(gradients(step));
    const saved = await first.optimizer.stateDict();
    const second = make(wrap);
    second.p.assign(first.p);
    second.q.assign(first.q);
    await second.optimizer.loadStateDict(saved);
    for (let step = stop + 1; step <= 8; step++) second.optimizer.update(gradients(step));
    expect(evaluated(second)).toEqual(evaluated(straight()));
  });
});

describe("a wrapper", () => {
  it("goes round an optimizer once", () => {
    const once = () => ema(make((p) => lookahead(sgd(p, { lr: 0.1 }))).optimizer);
    expect(() => lookahead(once())).toThrow("lookahead: ema(lookahead(sgd)) is wrapped in it already");
    expect(() => swa(once())).toThrow("swa: ema(lookahead(sgd)) keeps an average of its own to evaluate with");
    expect(() => scheduleFree(make((p) => scheduleFreeSgd(p)).optimizer)).toThrow(
      "scheduleFree: scheduleFreeSgd keeps an average of its own",
    );
  });
});
