import { type Backend, referenceBackend } from "@thalweg/core/backend";
import { optimizers } from "@thalweg/core/optim";
import { cpuSync } from "@thalweg/cpu-js";
import { describe, expect, it } from "vitest";
import type { WorkloadSpec } from "../../spec.ts";
import {
  elementwiseInputs,
  images,
  labels,
  layerNormInputs,
  matmulInputs,
  samples,
  samplesAndMean,
  softmaxInput,
  updateInputs,
  updateLearningRate,
} from "../../values.ts";
import { mlpWeights, startOf } from "../../weights.ts";
import type { Session } from "../session.ts";
import { thalwegRunner } from "./index.ts";

const exact = () => thalwegRunner(referenceBackend());
const ours = () => thalwegRunner(cpuSync());

/** What is checked after so many runs. */
async function after(runs: number, runner: ReturnType<typeof ours>, spec: WorkloadSpec): Promise<readonly number[]> {
  const session = (await runner.start(spec)) as Session;
  for (let i = 0; i < runs; i++) await session.run();
  await session.finish?.();
  return session.check();
}

function expectClose(found: readonly number[], expected: readonly number[], relative = 1e-5): void {
  expect(found.length).toBe(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  for (const [i, value] of found.entries()) {
    expect(Math.abs(value - (expected[i] as number))).toBeLessThanOrEqual(relative * scale);
  }
}

const mlp = { kind: "mlp", widths: [6, 5, 4], batch: 3, optimizer: "sgd", readLoss: true } as const;
const gpt = { kind: "gpt", vocabulary: 7, width: 8, heads: 2, layers: 2, context: 4, batch: 2 } as const;

const trained: Readonly<Record<string, WorkloadSpec>> = {
  "mlp with sgd": mlp,
  "mlp with adam": { ...mlp, optimizer: "adam" },
  "mlp whose loss is not read": { ...mlp, readLoss: false },
  gpt,
};

describe("computes in float32 what the interpreter does in float64", () => {
  for (const [name, spec] of Object.entries(trained)) {
    it(name, async () => {
      const found = await after(4, ours(), spec);
      expect(found.length).toBe(1);
      expectClose(found, await after(4, exact(), spec));
      // It learns: the loss is not what it was.
      expect(found).not.toEqual(await after(1, ours(), spec));
    });
  }

  for (const optimizer of Object.keys(optimizers)) {
    it(`an update by ${optimizer}`, async () => {
      const spec: WorkloadSpec = { kind: "optimizer", optimizer, size: 60, tensors: 4 };
      expectClose(await after(3, ours(), spec), await after(3, exact(), spec));
    });
  }
});

it("trains the convolutional network", async () => {
  const spec: WorkloadSpec = { kind: "cnn", batch: 2 };
  const [first] = await after(1, ours(), spec);
  const [fourth] = await after(4, ours(), spec);
  expect(first).toBeCloseTo(Math.log(10), 0);
  expect(fourth).toBeLessThan(first as number);
});

describe("computes what plain JavaScript does", () => {
  it("matmul", async () => {
    const size = 9;
    const { a, b } = matmulInputs(size);
    const c = Array.from({ length: size ** 2 }, (_, at) => {
      let sum = 0;
      for (let k = 0; k < size; k++) {
        sum += (a[Math.floor(at / size) * size + k] as number) * (b[k * size + (at % size)] as number);
      }
      return sum;
    });
    expectClose(await after(2, ours(), { kind: "matmul", size }), samplesAndMean(c));
  });

  it("elementwise", async () => {
    const { x, b } = elementwiseInputs(50);
    const y = [...x].map((v, i) => Math.tanh(1.5 * v + (b[i] as number)) / (1 + Math.exp(-v)) + v * v);
    expectClose(await after(2, ours(), { kind: "elementwise", size: 50 }), samplesAndMean(y));
  });

  it("softmax", async () => {
    const [rows, columns] = [3, 11];
    const x = softmaxInput(rows, columns);
    const y = Array.from({ length: rows }, (_, i) => {
      const powers = [...x.subarray(i * columns, (i + 1) * columns)].map(Math.exp);
      const sum = powers.reduce((total, power) => total + power, 0);
      return powers.map((power) => power / sum);
    });
    expectClose(await after(2, ours(), { kind: "softmax", rows, columns }), samplesAndMean(y.flat()));
  });

  it("layerNorm", async () => {
    const [rows, columns] = [3, 11];
    const { x, weight, bias } = layerNormInputs(rows, columns);
    const y = Array.from({ length: rows }, (_, i) => {
      const row = [...x.subarray(i * columns, (i + 1) * columns)];
      const mean = row.reduce((total, v) => total + v, 0) / columns;
      const variance = row.reduce((total, v) => total + (v - mean) ** 2, 0) / columns;
      return row.map((v, j) => ((v - mean) / Math.sqrt(variance + 1e-5)) * (weight[j] as number) + (bias[j] as number));
    });
    expectClose(await after(2, ours(), { kind: "layerNorm", rows, columns }), samplesAndMean(y.flat()));
  });

  it("the loss of an MLP", async () => {
    const [weight1, bias1, weight2, bias2] = mlpWeights(mlp).map(startOf) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const layer = (x: readonly number[], weight: Float32Array, bias: Float32Array): number[] =>
      [...bias].map((shift, o) => x.reduce((sum, v, i) => sum + v * (weight[o * x.length + i] as number), shift));
    const pixels = images(mlp.batch, 6);
    const losses = [...labels(mlp.batch, 4)].map((label, i) => {
      const hidden = layer([...pixels.subarray(6 * i, 6 * i + 6)], weight1, bias1).map((v) => Math.max(v, 0));
      const logits = layer(hidden, weight2, bias2);
      return Math.log(logits.reduce((sum, v) => sum + Math.exp(v), 0)) - (logits[label] as number);
    });
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    expectClose(await after(1, ours(), mlp), [mean]);
  });

  it("an update of the first of several tensors", async () => {
    const { parameters, gradients } = updateInputs(60, 4);
    const [p, g] = [parameters[0] as Float32Array, gradients[0] as Float32Array];
    const moved = [...p].map((v, i) => v - 2 * updateLearningRate * (g[i] as number));
    const spec: WorkloadSpec = { kind: "optimizer", optimizer: "sgd", size: 60, tensors: 4 };
    expectClose(await after(2, ours(), spec), samples(moved));
  });
});

it("says that it has no such optimizer", async () => {
  const refusal = await ours().start({ kind: "optimizer", optimizer: "none", size: 4, tensors: 1 });
  expect(refusal).toEqual({ reason: "there is no optimizer none" });
});

it("waits by promises for a backend that cannot block", async () => {
  const backend = cpuSync();
  const later: Backend = {
    name: "later",
    description: "reads asynchronously only",
    capabilities: { ...backend.capabilities, blocking: false },
    allocate: (dtype, size) => backend.allocate(dtype, size),
    write: (buffer, data) => backend.write(buffer, data),
    read: (buffer) => backend.read(buffer),
    free: (buffer) => backend.free(buffer),
    compile: (program) => backend.compile(program),
    run: (executable, buffers, uniforms) => backend.run(executable, buffers, uniforms),
    memory: () => backend.memory(),
    dispose: () => backend.dispose(),
  };
  const session = (await thalwegRunner(later).start(mlp)) as Session;
  const pending = session.run();
  expect(pending).toBeInstanceOf(Promise);
  await pending;
  for (const spec of [mlp, { kind: "softmax", rows: 3, columns: 4 }] as const) {
    expectClose(await after(2, thalwegRunner(later), spec), await after(2, ours(), spec));
  }
});
