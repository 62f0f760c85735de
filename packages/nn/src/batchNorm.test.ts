import { compile, type Parameter, sum, type Tensor, tensor, useBackend, zeros } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { beforeAll, describe, expect, it } from "vitest";
import { batchNorm } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const float64 = (values: number[], shape = [values.length]) => tensor(values, { shape, dtype: "float64" });

const expectClose = (actual: Tensor, expected: readonly number[]): void => {
  const values = actual.dataSync();
  expect(values.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(values[i]).toBeCloseTo(value, 12);
};

// From PyTorch 1.13.1 in float64.
const x = float64(
  [
    0.76025390625, -1.275146484375, 0.146484375, 0.6396484375, -0.8017578125, -0.5029296875, 0.046142578125,
    1.82177734375, 0.566162109375, -0.55126953125, 0.5390625, 0.810546875,
  ],
  [4, 3],
);
const trained = [
  -0.03682435415079912, 0.8002185630124904, -0.2716228972067693, 0.37841913905838975, 0.7460695756213149,
  0.44449590125864646, 2.4218542240615033, 0.4459741560722836, -0.7344079402752091, 4.4787384910309065,
  0.5926986427939112, -1.003894751276668,
];
const meanAfter = [-0.100018310546875, -0.5009094238281251, 0.199090576171875];
const varAfter = [1.324250969787439, 0.6353829835851987, 0.8735103423396746];

const make = () => {
  const layer = batchNorm(3, { dtype: "float64" });
  layer.weight?.assign(float64([-1.7998046875, -0.138427734375, -0.549072265625]));
  layer.bias?.assign(float64([1.810546875, 0.646240234375, -0.391357421875]));
  layer.runningMean.assign(float64([-0.135986328125, -0.564453125, 0.19287109375]));
  layer.runningVar.assign(float64([1.430908203125, 0.489013671875, 0.933837890625]));
  return layer;
};

describe("batchNorm", () => {
  it("in training goes by the batch and moves the running statistics", () => {
    const layer = make();
    expectClose(layer(x), trained);
    expectClose(layer.runningMean, meanAfter);
    expectClose(layer.runningVar, varAfter);
  });

  it("takes any layout of [batch, channels, …]", () => {
    const layer = make();
    // The four rows as one image of four pixels.
    const image = x.permute([1, 0]).reshape([1, 3, 2, 2]);
    expectClose(layer(image).reshape([3, 4]).permute([1, 0]), trained);
    expectClose(layer.runningVar, varAfter);
  });

  it("in evaluation goes by the running statistics and leaves them", () => {
    const layer = make();
    layer.eval();
    const mean = Array.from(layer.runningMean.dataSync());
    const variance = Array.from(layer.runningVar.dataSync());
    const [weight, bias] = [layer.weight as Parameter, layer.bias as Parameter].map((p) => Array.from(p.dataSync()));
    const expected = Array.from(
      x.dataSync(),
      (value, i) =>
        ((value - (mean[i % 3] as number)) / Math.sqrt((variance[i % 3] as number) + 1e-5)) *
          (weight?.[i % 3] as number) +
        (bias?.[i % 3] as number),
    );
    expectClose(layer(x), expected);
    expectClose(layer.runningMean, mean);
  });

  it("compiled, moves its statistics at every run, and is traced again for evaluation", () => {
    const [layer, direct] = [make(), make()];
    let traces = 0;
    const run = compile((input: Tensor) => {
      traces++;
      return sum(layer(input));
    });
    for (let i = 0; i < 3; i++) {
      run(x);
      direct(x);
    }
    expect(traces).toBe(1);
    expectClose(layer.runningMean, Array.from(direct.runningMean.dataSync()));
    layer.eval();
    direct.eval();
    expect(run(x).itemSync()).toBeCloseTo(sum(direct(x)).itemSync(), 12);
    expect(traces).toBe(2);
  });

  it("keeps running statistics among the buffers", () => {
    expect(Object.keys(make().buffers())).toEqual(["runningMean", "runningVar"]);
    expect(make().parameters()).toHaveLength(2);
    expect(batchNorm(3, { affine: false }).parameters()).toHaveLength(0);
  });

  it("checks what it is given", () => {
    expect(() => batchNorm(3)(zeros([2, 4]))).toThrow(
      "batchNorm: expected [batch, 3], with up to two more axes, got [2, 4]",
    );
    expect(() => batchNorm(3)(zeros([1, 3]))).toThrow(
      "batchNorm: training wants more than one value per channel, got [1, 3]",
    );
    expect(() => batchNorm(3, { momentum: 2 })).toThrow("batchNorm: momentum must be in [0, 1], got 2");
  });
});
