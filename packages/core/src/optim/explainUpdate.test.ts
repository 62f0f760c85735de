import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { ones, Parameter, sum, useBackend } from "../index.ts";
import { adamW, chain, clipGradNorm, constant, noDecay, sam, scaleByLearningRate, sgd, trace } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const parameters = () => [
  new Parameter(ones([3, 2]), { name: "linear.weight" }),
  new Parameter(ones([3]), { name: "linear.bias" }),
];

describe("explain", () => {
  it("tells rule, options, state and kernels, and leaves no trace", () => {
    const [weight, bias] = parameters() as [Parameter, Parameter];
    const optimizer = adamW(noDecay([weight, bias]), {
      lr: constant({ baseLr: 0.5, factor: 1 }),
      transforms: [clipGradNorm(1), (gradients) => gradients],
    });
    const text = optimizer.explain();
    expect(text.split("\n").slice(0, 9)).toEqual([
      "adamW: 2 parameters in 2 groups, 9 elements; 0 updates so far",
      "transform 0: clipGradNorm(1)",
      "transform 1: a function without name",
      expect.stringMatching(
        /^group decay: lr 0.5 \(constant\), betas \[0.9, 0.999\], eps 1e-8, weightDecay 0.01, amsgrad/,
      ),
      "  linear.weight: float32 [3, 2], 0 updates, state expAvg, expAvgSq (48 B)",
      expect.stringMatching(/^group noDecay: .*weightDecay 0,/),
      "  linear.bias: float32 [3], 0 updates, state expAvg, expAvgSq (24 B)",
      "one update, gradients given:",
      expect.stringMatching(/^program: \d+ kernels \(\d+ loop\)/),
    ]);
    expect(text).toMatch(/^kernel 0: loop/m);
    expect(text).not.toContain("segment 0");
    expect(optimizer.state.size).toBe(0);
    expect(optimizer.step).toBe(0);
    optimizer.minimize(sum(weight));
    const before = [...weight.dataSync(), ...(optimizer.state.get("linear.weight")?.expAvg?.dataSync() ?? [])];
    expect(optimizer.explain({ full: true })).toContain("  linear.weight: float32 [3, 2], 1 update, state");
    const after = [...weight.dataSync(), ...(optimizer.state.get("linear.weight")?.expAvg?.dataSync() ?? [])];
    expect(after).toEqual(before);
    expect([...optimizer.state.keys()]).toEqual(["linear.weight"]);
  });

  it("shows an element-wise rule as one kernel", () => {
    expect(adamW(parameters()).explain()).toContain("program: 1 kernel (1 loop)");
    const mine = chain(trace(), scaleByLearningRate(0.1));
    const text = mine(parameters()).explain();
    expect(text).toContain("chain(trace, scaleByLearningRate): 2 parameters in 1 group");
    expect(text).toContain("group group.0: lr 0.1, decay 0.9, nesterov false");
    expect(text).toContain("state trace.trace (24 B)");
    expect(text).toContain("program: 1 kernel (1 loop)");
  });

  it("of rules that look at the loss twice, or maximize, or keep no state", () => {
    const text = sam(sgd(parameters(), { lr: 1, maximize: true })).explain();
    expect(text).toContain("sam(sgd): 2 parameters");
    expect(text).toContain(", maximize");
    expect(text).toContain("no state");
  });
});
