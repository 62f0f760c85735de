/** What a long run needs: memory that does not grow, models that go away, and the same bits every time. */
import {
  compile,
  fromHost,
  linear,
  matmul,
  maxPool2d,
  mean,
  Parameter,
  relu,
  reshape,
  square,
  sub,
  sum,
  type Tensor,
  tanh,
  useBackend,
  valueAndGrad,
} from "@thalweg/core";
import { type Backend, BackendError } from "@thalweg/core/backend";
import { adam } from "@thalweg/core/optim";
import { describe, expect, test } from "vitest";
import { cpuSync } from "./index.ts";

/** Numbers in [-1, 1) from a linear congruential generator (Numerical Recipes). */
function numbers(shape: readonly number[], seed: number): Tensor {
  let state = seed;
  const host = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return fromHost(host, shape, "float32");
}

const parameter = (name: string, shape: readonly number[], seed: number): Parameter =>
  new Parameter(numbers(shape, seed), { name });

/** What these tests use of Node; the package itself is written without its types. */
interface NodeGlobals {
  readonly gc?: () => void;
  readonly process: { memoryUsage(): { readonly heapUsed: number; readonly arrayBuffers: number } };
  readonly performance: { now(): number };
  readonly setTimeout: (callback: (value: unknown) => void, milliseconds: number) => void;
}
const { gc, process, performance, setTimeout } = globalThis as unknown as NodeGlobals;

function collect(): void {
  if (gc === undefined) throw new Error("these tests need --expose-gc");
  // The second waits until the memory the first found has been swept.
  gc();
  gc();
}

/** Collects garbage and lets the event loop turn until `holds`, for at most ten seconds. */
async function eventually(holds: () => boolean): Promise<boolean> {
  const end = performance.now() + 10_000;
  while (!holds() && performance.now() < end) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return holds();
}

/** A compiled Adam step of a two-layer network on fresh batches of 16. */
function network(seed: number): { readonly run: (batch: number) => Tensor; readonly parameters: readonly Parameter[] } {
  const [w1, b1] = [parameter("w1", [32, 64], seed), parameter("b1", [32], seed + 1)];
  const [w2, b2] = [parameter("w2", [1, 32], seed + 2), parameter("b2", [1], seed + 3)];
  const optimizer = adam([w1, b1, w2, b2], { lr: 1e-2 });
  const step = compile((x: Tensor, y: Tensor) =>
    optimizer.minimize(mean(square(sub(linear(tanh(linear(x, w1, b1)), w2, b2), y)))),
  );
  const run = (batch: number) => {
    const x = numbers([16, 64], batch);
    return step(x, numbers([16, 1], batch + 7));
  };
  return { run, parameters: [w1, b1, w2, b2] };
}

describe("memory", () => {
  test("ten thousand steps that never let the event loop turn hold arena and heap flat", async () => {
    const backend = cpuSync();
    useBackend(backend);
    const { run } = network(1);
    for (let i = 0; i < 500; i++) run(i).itemSync();
    collect();
    const { arenaBytes } = backend.memory();
    const before = process.memoryUsage();
    let loss = Number.NaN;
    for (let i = 0; i < 10_000; i++) loss = run(i).itemSync();
    collect();
    const after = process.memoryUsage();
    expect(loss).toBeLessThan(10);
    expect(backend.memory().arenaBytes).toBe(arenaBytes);
    // The batches alone were 42 MB. What the registry of buffers keeps until the event loop turns is a few words each.
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(5e6);
    expect(after.heapUsed - before.heapUsed).toBeLessThan(8e6);
    expect(await eventually(() => backend.memory().buffers < 50)).toBe(true);
    collect();
    expect(process.memoryUsage().heapUsed - before.heapUsed).toBeLessThan(2e6);
    backend.dispose();
  });

  test("a model that is dropped takes its parameters along", async () => {
    const backend = cpuSync();
    useBackend(backend);
    const start = backend.memory().buffers;
    const seen: WeakRef<Parameter>[] = [];
    (() => {
      const model = network(3);
      model.run(1).itemSync();
      seen.push(...model.parameters.map((each) => new WeakRef(each)));
      // Four parameters, two moments of each.
      expect(backend.memory().buffers).toBeGreaterThanOrEqual(start + 12);
    })();
    expect(await eventually(() => backend.memory().buffers === start)).toBe(true);
    expect(seen.map((reference) => reference.deref())).toEqual(seen.map(() => undefined));
    expect(backend.memory().bufferBytes).toBe(0);
  });

  test("buffers of a disposed backend are gone, and freeing them is no error", () => {
    const backend = cpuSync();
    const buffer = backend.allocate("float32", 4);
    backend.dispose();
    expect(() => backend.readSync?.(buffer)).toThrow(BackendError);
    expect(() => backend.free(buffer)).not.toThrow();
  });
});

describe("determinism", () => {
  /** A loss and its gradient through product, relu and pooling, and a few steps of Adam. */
  function results(backend: Backend): Float32Array[] {
    useBackend(backend);
    const weight = numbers([48, 64], 5);
    const both = compile((x: Tensor, w: Tensor) =>
      valueAndGrad((factor: Tensor) => {
        const pooled = maxPool2d(reshape(relu(matmul(x, factor)), [1, 32, 8, 8]), { kernelSize: 2 });
        return sum(square(pooled));
      })(w),
    );
    const { value, gradients } = both(numbers([32, 48], 6), weight);
    const { run, parameters } = network(9);
    const losses = [1, 2, 3].map(run);
    return [value, gradients, ...losses, ...parameters].map((tensor) => tensor.dataSync() as Float32Array);
  }

  test("the same Programs on a fresh backend give the same bits", () => {
    const bits = (arrays: readonly Float32Array[]) =>
      arrays.map(({ buffer, byteOffset, length }) => Array.from(new Uint32Array(buffer, byteOffset, length)));
    const backend = cpuSync();
    const first = bits(results(backend));
    expect(first.flat().length).toBeGreaterThan(2000);
    // Again, when V8 has optimised the code, and where nothing has run yet.
    for (let i = 0; i < 20; i++) expect(bits(results(backend))).toEqual(first);
    expect(bits(results(cpuSync()))).toEqual(first);
  });
});
