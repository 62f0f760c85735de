/** Training as it is done: compiled steps in loops, through core, with reads as late as one likes. */
import { setImmediate as turn } from "node:timers/promises";
import {
  add,
  autocast,
  compile,
  fromHost,
  IndexError,
  indexSelect,
  linear,
  matmul,
  mean,
  mul,
  Parameter,
  relu,
  reshape,
  square,
  sub,
  sum,
  type Tensor,
  tanh,
  tensor,
  useBackend,
} from "@thalweg/core";
import { type Backend, referenceBackend } from "@thalweg/core/backend";
import { adam, lossScaling, sgd } from "@thalweg/core/optim";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  canEmulate,
  type EmulationMode,
  emulatedBackend,
  emulatedLibraries,
  emulationModes,
  modeValue,
  modeVariable,
  orderVariable,
} from "./testEmulation.ts";

/** Numbers in [-1, 1) from a linear congruential generator (Numerical Recipes). */
function numbers(shape: readonly number[], seed: number): Tensor {
  let state = seed;
  const host = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return fromHost(host, shape, "float32");
}

type Loss = (x: Tensor, y: Tensor, weights: readonly Parameter[]) => Tensor;

const network: Loss = (x, y, [w1, b1, w2, b2]) =>
  mean(square(sub(linear(tanh(linear(x, w1 as Tensor, b1)), w2 as Tensor, b2), y)));

/** A compiled step of two layers by `optimize`; batches come from a seed. */
function trainStep(optimize: (parameters: Parameter[]) => { minimize(loss: Tensor): Tensor }, loss: Loss = network) {
  const parameters = [[24, 16], [24], [1, 24], [1]].map(
    (shape, i) => new Parameter(numbers(shape, i + 1), { name: `p${i}` }),
  );
  const optimizer = optimize(parameters);
  const step = compile((x: Tensor, y: Tensor) => optimizer.minimize(loss(x, y, parameters)));
  return { parameters, step: (batch: number): Tensor => step(numbers([8, 16], batch), numbers([8, 1], batch + 7)) };
}

async function losses(backend: Backend, count: number, ...args: Parameters<typeof trainStep>): Promise<number[]> {
  useBackend(backend);
  const { step } = trainStep(...args);
  const kept: Tensor[] = [];
  for (let i = 0; i < count; i++) kept.push(step(i % 9));
  return Promise.all(kept.map((loss) => loss.item() as Promise<number>));
}

function expectClose(got: readonly number[], expected: readonly number[], relative: number): void {
  expect(got).toHaveLength(expected.length);
  got.forEach((value, i) => {
    const of = expected[i] as number;
    expect(Math.abs(value - of) / Math.max(1, Math.abs(of)), `step ${i}: ${value}, expected ${of}`).toBeLessThan(
      relative,
    );
  });
}

describe.skipIf(!canEmulate)("training", () => {
  const made: Backend[] = [];
  const backendIn = (mode: EmulationMode): Backend => {
    vi.stubEnv(modeVariable, modeValue(mode));
    const backend = emulatedBackend(mode);
    made.push(backend);
    useBackend(backend);
    return backend;
  };
  afterEach(() => {
    for (const backend of made.splice(0)) backend.dispose();
    vi.unstubAllEnvs();
  });

  it.each(emulationModes.flatMap((mode) => ["forward", "reverse", "shuffled"].map((order) => [mode, order] as const)))(
    "of many steps that are only read at the end is the reference's, the driver being %s, in %s order",
    async (mode, order) => {
      vi.stubEnv(orderVariable, order);
      const optimize = (parameters: Parameter[]) => adam(parameters, { lr: (step: number) => 0.01 / (1 + step / 20) });
      const got = await losses(backendIn(mode), 130, optimize);
      expectClose(got, await losses(referenceBackend(), 130, optimize), 1e-4);
      // It did learn.
      expect(got[129]).toBeLessThan((got[3] as number) / 10);
    },
  );

  it("of many small parameters is the reference's, and finds them where they are moved to", async () => {
    const values = async (backend: Backend): Promise<number[]> => {
      useBackend(backend);
      const parameters = Array.from({ length: 40 }, (_, i) => new Parameter(numbers([3 + i], i), { name: `p${i}` }));
      const optimizer = sgd(parameters, { lr: 0.05, momentum: 0.9 });
      const step = compile((x: Tensor) =>
        optimizer.minimize(
          parameters.reduce((loss, p, i) => add(loss, mean(square(sub(p, mul(x, i / 8))))), tensor(0)),
        ),
      );
      const results: Tensor[] = [];
      for (let i = 0; i < 12; i++) {
        if (i === 6) parameters[3]?.assign(numbers([6], 99));
        results.push(step(tensor(1 / (i + 1))));
      }
      const last = await Promise.all(parameters.map((p) => sum(p).item() as Promise<number>));
      return [...(await Promise.all(results.map((r) => r.item() as Promise<number>))), ...last];
    };
    expectClose(await values(backendIn("eager")), await values(referenceBackend()), 1e-5);
  });

  it("asks the driver for nothing more once it has gone round", { timeout: 60_000 }, async () => {
    const backend = backendIn("eager");
    const context = emulatedLibraries().createContext(0);
    const { step } = trainStep((parameters) => adam(parameters, { lr: 0.01 }));
    const round = async (count: number): Promise<readonly number[]> => {
      for (let i = 0; i < count; i++) {
        const loss = step(i % 9);
        if (i % 10 === 0) await loss.item();
      }
      for (let i = 0; i < 4; i++) {
        globalThis.gc?.();
        await turn();
      }
      const { bufferBytes, buffers, arenaBytes } = backend.memory();
      return [context.memoryInfo()[0], arenaBytes, bufferBytes, buffers];
    };
    await round(60);
    const [free, arena, bytes, buffers] = (await round(60)) as [number, number, number, number];
    for (let i = 0; i < 3; i++) {
      const after = await round(60);
      expect(after.slice(0, 2)).toEqual([free, arena]);
      // A tensor or two may still be held by a frame of the loop.
      expect(Math.abs((after[2] as number) - bytes)).toBeLessThan(2000);
      expect(Math.abs((after[3] as number) - buffers)).toBeLessThan(6);
    }
    context.dispose();
  });

  it.each(emulationModes)("sees what is written to parameters between steps, the driver being %s", async (mode) => {
    backendIn(mode);
    const p = new Parameter(tensor([1, 2, 3]));
    const step = compile((x: Tensor) => {
      p.assign(add(p, x));
      return sum(p);
    });
    const sums: Tensor[] = [];
    for (let i = 0; i < 100; i++) {
      if (i % 10 === 0) p.storage.write(Float32Array.of(i, 0, 0));
      sums.push(step(tensor([1, 0, 1])));
    }
    const values = await Promise.all(sums.map((s) => s.item()));
    expect(values).toEqual(values.map((_, i) => i - (i % 10) + 2 * ((i % 10) + 1)));
    expect([...p.dataSync()]).toEqual([100, 0, 10]);
  });

  describe.each(emulationModes)("an index out of range, the driver being %s", (mode) => {
    const table = () => {
      const weight = new Parameter(numbers([5, 4], 3), { name: "table" });
      const optimizer = sgd([weight], { lr: 0.5 });
      const step = compile((index: Tensor) =>
        optimizer.minimize(mean(square(indexSelect(weight, index, { axis: 0 })))),
      );
      return { weight, step: (...rows: number[]): Tensor => step(tensor(rows, { dtype: "int32" })) };
    };
    const outOfRange = /index 9 is out of range for size 5/;

    it("is told at the next read; the step changes nothing, those before and after do", async () => {
      const rows = [
        [0, 1],
        [2, 3],
        [4, 9],
        [1, 1],
        [3, 0],
      ] as const;
      const weights = async (backend: Backend, steps: readonly (readonly number[])[]): Promise<number[]> => {
        useBackend(backend);
        const { weight, step } = table();
        let failures = 0;
        for (let round = 0; round < 3; round++) {
          for (const row of steps) step(...row);
          try {
            weight.dataSync();
          } catch (error) {
            expect(error).toBeInstanceOf(IndexError);
            expect((error as Error).message).toMatch(outOfRange);
            failures++;
          }
        }
        expect(failures).toBe(steps.length === rows.length ? 3 : 0);
        return [...weight.dataSync()];
      };
      const got = await weights(backendIn(mode), rows);
      const expected = await weights(
        referenceBackend(),
        rows.filter((row) => !row.includes(9 as never)),
      );
      expectClose(got, expected, 1e-6);
    });

    it("is told once for each read that comes after one", async () => {
      backendIn(mode);
      const { weight, step } = table();
      const good = step(0, 1);
      step(2, 9);
      for (let i = 0; i < 7; i++) step(i % 5, 0);
      const first = weight.data();
      const second = weight.data();
      const bad = step(-3, 1);
      const third = bad.data();
      await expect(first).rejects.toThrow(outOfRange);
      expect(await second).toHaveLength(20);
      await expect(third).rejects.toThrow(/index -3 is out of range for size 5/);
      expect(Number.isFinite(await good.item())).toBe(true);
      expect(Number.isFinite(await step(4, 4).item())).toBe(true);
    });

    it("names the kernel that it comes from", async () => {
      const backend = backendIn(mode);
      const { step } = table();
      step(0, 9);
      const labels = step(1, 2);
      const failure = await labels.data().then(
        () => undefined,
        (error: IndexError) => error,
      );
      // Lookup and its gradient look at the same index: either may be first.
      expect(failure?.subject).toBe("index");
      const weight = new Parameter(numbers([5, 4], 3));
      const lookup = compile((index: Tensor) => indexSelect(weight, index, { axis: 0 }));
      const program = lookup.program(tensor([0], { dtype: "int32" }));
      const result = lookup(tensor([9], { dtype: "int32" }));
      const alone = await result.data().then(
        () => undefined,
        (error: IndexError) => error,
      );
      expect(program.kernels).toHaveLength(1);
      expect([alone?.subject, alone?.message]).toEqual([
        program.kernels[0]?.label,
        `${program.kernels[0]?.label}: index 9 is out of range for size 5`,
      ]);
      expect(backend.memory().buffers).toBeGreaterThan(0);
    });
  });

  it("in bfloat16 is the reference's, to bfloat16's precision", async () => {
    const inBfloat16: Loss = (x, y, weights) => autocast("bfloat16", () => network(x, y, weights));
    const optimize = (parameters: Parameter[]) => sgd(parameters, { lr: 0.05 });
    const got = await losses(backendIn("eager"), 12, optimize, inBfloat16);
    expectClose(got, await losses(referenceBackend(), 12, optimize, inBfloat16), 2 ** -6);
    expectClose(got, await losses(referenceBackend(), 12, optimize), 2 ** -4);
  });

  it("in float16 with scaled losses is the reference's, steps that overflow being left out", async () => {
    const deep: Loss = (x, y, [w1, b1, w2, b2]) =>
      autocast("float16", () => {
        const hidden = relu(add(matmul(x, reshape(w1 as Tensor, [16, 24])), b1 as Tensor));
        return mean(square(sub(linear(hidden, w2 as Tensor, b2), y)));
      });
    const optimize = (parameters: Parameter[]) =>
      lossScaling(sgd(parameters, { lr: 0.02 }), { initialScale: 2 ** 24, growthInterval: 5 });
    const got = await losses(backendIn("eager"), 25, optimize, deep);
    expectClose(got, await losses(referenceBackend(), 25, optimize, deep), 2 ** -7);
    expect(got.every(Number.isFinite)).toBe(true);
  });
});
