/** The backend object: what it checks, what it holds, how it ends. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { compile, fromHost, linear, mean, Parameter, square, sub, type Tensor, tanh, useBackend } from "@thalweg/core";
import { type Backend, BackendError, type DType, dtypes, type HostArray } from "@thalweg/core/backend";
import { adam } from "@thalweg/core/optim";
import { afterEach, describe, expect, it } from "vitest";
import { wasm, wasmSync } from "./index.ts";

const made: Backend[] = [];
function backendOf(threads: number): Backend {
  const backend = wasmSync({ threads });
  made.push(backend);
  return backend;
}
afterEach(() => {
  for (const backend of made.splice(0)) backend.dispose();
});

/** Numbers in [-1, 1) from a linear congruential generator (Numerical Recipes). */
function numbers(shape: readonly number[], seed: number): Tensor {
  let state = seed;
  const host = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return fromHost(host, shape, "float32");
}

/** A compiled Adam step of a two-layer network. */
function trainStep(hidden: number): (batch: number) => Tensor {
  const parameters = [[hidden, 64], [hidden], [1, hidden], [1]].map(
    (shape, i) => new Parameter(numbers(shape, i + 1), { name: `p${i}` }),
  );
  const [w1, b1, w2, b2] = parameters as [Parameter, Parameter, Parameter, Parameter];
  const optimizer = adam(parameters, { lr: 1e-2 });
  const step = compile((x: Tensor, y: Tensor) =>
    optimizer.minimize(mean(square(sub(linear(tanh(linear(x, w1, b1)), w2, b2), y)))),
  );
  return (batch) => step(numbers([16, 64], batch), numbers([16, 1], batch + 7));
}

describe("options", () => {
  it.each([0, -1, 1.5, 65, Number.NaN])("refuse %d threads", (threads) => {
    expect(() => wasmSync({ threads })).toThrow(`threads must be a whole number from 1 to 64, got ${threads}`);
  });

  it("are told in the description", async () => {
    const backend = await wasm({ threads: 3 });
    made.push(backend);
    expect(backend.capabilities.threads).toBe(3);
    expect(backend.description).toMatch(/SIMD.*3 threads; Node \d+/);
  });
});

describe("buffers", () => {
  it.each(Object.keys(dtypes) as DType[])("of %s begin with zeros and keep what is written", (dtype) => {
    const backend = backendOf(1);
    const handle = backend.allocate(dtype, 5);
    const array = new dtypes[dtype].hostArray(5);
    expect(backend.readSync?.(handle)).toEqual(array);
    array.set([1, 0, 1, 1, 0]);
    backend.write(handle, array);
    const copy = backend.readSync?.(handle) as HostArray;
    expect(copy).toEqual(array);
    copy.fill(0);
    expect(backend.readSync?.(handle)).toEqual(array);
  });

  it("are checked", () => {
    const [backend, other] = [backendOf(1), backendOf(1)];
    const handle = backend.allocate("float32", 2);
    expect(() => backend.write(handle, Int32Array.of(1, 2))).toThrow(
      "write: got Int32Array of 2, expected Float32Array of 2",
    );
    expect(() => backend.write(handle, Float32Array.of(1))).toThrow("write: got Float32Array of 1");
    expect(() => other.readSync?.(handle)).toThrow("wasm: read: the buffer is another backend's");
    backend.free(handle);
    expect(() => backend.readSync?.(handle)).toThrow("wasm: read: the buffer was freed");
    expect(() => backend.free(handle)).toThrow("wasm: free: the buffer was freed");
    backend.dispose();
    expect(() => backend.allocate("float32", 1)).toThrow(BackendError);
    expect(() => backend.free(handle)).not.toThrow();
  });

  it("are counted, and their memory is used again", () => {
    const backend = backendOf(1);
    const before = backend.memory();
    const handle = backend.allocate("float64", 1000);
    expect(backend.memory()).toEqual({ ...before, bufferBytes: 8000, buffers: 1 });
    backend.free(handle);
    expect(backend.memory()).toEqual(before);
    // 4 GiB would not hold them all.
    for (let i = 0; i < 500; i++) backend.free(backend.allocate("float32", 10_000_000));
  });

  it("that do not fit are refused with what was asked and what is held", () => {
    const backend = backendOf(1);
    backend.allocate("float32", 1_000_000);
    expect(() => backend.allocate("float64", 2 ** 30)).toThrow(
      /wasm: out of memory: asked for 8.* GiB, but 3\.\d+ MiB of at most/,
    );
    expect(backend.memory().buffers).toBe(1);
  });
});

describe.each([1, 2])("training with %i threads", (threads) => {
  it("ten thousand steps hold memory flat", async () => {
    const backend = backendOf(threads);
    useBackend(backend);
    const run = trainStep(32);
    let loss = Number.POSITIVE_INFINITY;
    const arenas = new Set<number>();
    let most = 0;
    for (let step = 0; step < 10_000; step++) {
      const result = run(step % 50);
      if (step % 500 === 499) {
        loss = await result.item();
        (globalThis as { gc?: () => void }).gc?.();
        await new Promise((resolve) => setTimeout(resolve, 5));
        const { arenaBytes, bufferBytes } = backend.memory();
        arenas.add(arenaBytes);
        if (step < 1000) most = bufferBytes;
        else expect(bufferBytes).toBeLessThan(2 * most);
      }
    }
    expect(loss).toBeLessThan(0.05);
    expect(arenas.size).toBe(1);
  });
});

it("gives the same bits for any number of threads", async () => {
  const results: string[] = [];
  for (const threads of [1, 2, 8]) {
    const backend = backendOf(threads);
    useBackend(backend);
    const run = trainStep(512);
    const losses: number[] = [];
    for (let step = 0; step < 30; step++) losses.push(await run(step).item());
    results.push(losses.join());
  }
  expect(new Set(results).size).toBe(1);
});

describe("workers", () => {
  it("keep no process alive", async () => {
    const code = `
      import { matmul, ones, useBackend } from "@thalweg/core";
      import { wasm } from "@thalweg/wasm";
      useBackend(await wasm({ threads: 4 }));
      const x = ones([300, 300]);
      console.log((await matmul(x, x).data())[7]);`;
    const args = ["--conditions=@thalweg/source", "--input-type=module", "-e", code];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000, cwd: import.meta.dirname });
    expect(stdout.trim()).toBe("300");
  });
});
