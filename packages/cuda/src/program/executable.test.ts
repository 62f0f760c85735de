/** Programs by hand, so that what is bound where is the test's own choice. */
import { type Backend, BackendError, type BufferHandle, type Kernel, type Program } from "@thalweg/core/backend";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  canEmulate,
  emulatedBackend,
  emulatedCuda,
  emulationModes,
  memoryVariable,
  modeValue,
  modeVariable,
  orderVariable,
} from "../testEmulation.ts";

type Buffers = Program["buffers"];

const at = { offset: 0, strides: [1] } as const;

/** For each [a, b, to]: to = a · b + uniform, of `size` elements; all in one launch where there are several. */
function multiplyAdd(size: number, sets: readonly (readonly [number, number, number])[]): Kernel {
  return {
    kind: "loop",
    label: "a·b + u",
    outer: [size * sets.length],
    inner: [],
    stages: [
      {
        over: "outer",
        body: [
          { id: 0, op: "load", dtype: "float32", slot: 0, at },
          { id: 1, op: "load", dtype: "float32", slot: 1, at },
          { id: 2, op: "mul", dtype: "float32", args: [0, 1] },
          { id: 3, op: "uniform", dtype: "float32", uniform: 0 },
          { id: 4, op: "add", dtype: "float32", args: [2, 3] },
          { id: 5, op: "store", slot: 2, at, value: 4 },
        ],
      },
    ],
    segments: sets.map((buffers) => ({ size, buffers })),
  };
}

const bound = (kind: "input" | "parameter" | "output", size: number): Buffers[number] => ({
  dtype: "float32",
  size,
  kind,
});
const uniforms = [{ name: "u", dtype: "float32" }] as const;

/** parameter = parameter · input + u; output = parameter · parameter + u, through a temporary. */
function steps(size: number): Program {
  return {
    buffers: [
      bound("input", size),
      bound("parameter", size),
      { dtype: "float32", size, kind: "temporary", offset: 0 },
      bound("output", size),
    ],
    uniforms,
    kernels: [multiplyAdd(size, [[1, 0, 2]]), multiplyAdd(size, [[2, 0, 1]]), multiplyAdd(size, [[1, 1, 3]])],
    arenaBytes: Math.ceil((4 * size) / 64) * 64,
  };
}

const floats = (...values: number[]): Float32Array => Float32Array.from(values);

describe.skipIf(!canEmulate).each(emulationModes)("an executable, the driver being %s", (mode) => {
  let backend: Backend;
  beforeEach(() => {
    vi.stubEnv(modeVariable, modeValue(mode));
    backend = emulatedBackend(mode);
  });
  afterEach(() => {
    backend.dispose();
    vi.unstubAllEnvs();
  });

  const filled = (...values: number[]): BufferHandle => {
    const handle = backend.allocate("float32", values.length);
    backend.write(handle, floats(...values));
    return handle;
  };
  const read = (handle: BufferHandle): number[] => Array.from(backend.readSync?.(handle) ?? []);

  it.each(["forward", "reverse", "shuffled"])(
    "gives each run its own uniforms and inputs, kernels in %s order",
    (order) => {
      vi.stubEnv(orderVariable, order);
      const executable = backend.compile(steps(3));
      const parameter = filled(1, 2, 3);
      const expected = [1, 2, 3];
      const outputs: { handle: BufferHandle; values: number[] }[] = [];
      // More than may be under way at once; outputs are kept for a while, so that addresses change and come back.
      for (let run = 0; run < 150; run++) {
        const factors = [0.5, run % 3, -0.25 * (run % 2)];
        const input = filled(...factors);
        const output = backend.allocate("float32", 3);
        backend.run(executable, [input, parameter, output], [run % 7]);
        backend.free(input);
        factors.forEach((x, i) => {
          expected[i] = Math.fround(Math.fround(Math.fround((expected[i] as number) * x) + (run % 7)) * x) + (run % 7);
          expected[i] = Math.fround(expected[i] as number);
        });
        outputs.push({ handle: output, values: expected.map((x) => Math.fround(Math.fround(x * x) + (run % 7))) });
        if (outputs.length > 20) {
          const { handle, values } = outputs.shift() as (typeof outputs)[number];
          if (run % 5 === 0) expect(read(handle)).toEqual(values);
          backend.free(handle);
        }
      }
      for (const { handle, values } of outputs) expect(read(handle)).toEqual(values);
      expect(read(parameter)).toEqual(expected);
    },
  );

  it("finds what a table names where it has moved to", () => {
    const count = 30;
    const sets = Array.from({ length: count }, (_, i) => [i, count, count + 1 + i] as const);
    const program: Program = {
      buffers: [
        ...Array.from({ length: count }, () => bound("input", 2)),
        bound("input", 2),
        ...Array.from({ length: count }, () => bound("output", 2)),
      ],
      uniforms,
      kernels: [multiplyAdd(2, sets)],
      arenaBytes: 0,
    };
    const executable = backend.compile(program);
    const inputs = Array.from({ length: count }, (_, i) => filled(i, -i));
    const factors = [filled(2, 3), filled(5, 7)];
    const kept: BufferHandle[][] = [];
    for (let run = 0; run < 6; run++) {
      const outputs = inputs.map(() => backend.allocate("float32", 2));
      inputs.reverse();
      backend.run(executable, [...inputs, factors[run % 2] as BufferHandle, ...outputs], [run]);
      kept.push(outputs);
    }
    kept.forEach((outputs, run) => {
      const [a, b] = [
        [2, 3],
        [5, 7],
      ][run % 2] as [number, number];
      const values = outputs.map((_, i) => {
        const input = run % 2 === 0 ? count - 1 - i : i;
        return [input * a + run, -input * b + run];
      });
      expect(outputs.map(read)).toEqual(values);
    });
  });

  it("goes on when the memory that Programs share has grown under it", () => {
    const [small, large] = [backend.compile(steps(2)), backend.compile(steps(100_000))];
    const [input, parameter, output] = [filled(1, 1), filled(1, 2), filled(0, 0)];
    const many = Array.from({ length: 3 }, () => backend.allocate("float32", 100_000));
    for (let run = 0; run < 3; run++) backend.run(small, [input, parameter, output], [1]);
    const before = backend.memory().arenaBytes;
    backend.run(large, many, [1]);
    expect(backend.memory().arenaBytes).toBeGreaterThan(before);
    // They get what the smaller arena was.
    const others = Array.from({ length: 4 }, () => filled(9, 9));
    for (let run = 0; run < 3; run++) backend.run(small, [input, parameter, output], [1]);
    backend.run(large, many, [2]);
    // Twice 1 is added in each run.
    expect([read(parameter), read(output)]).toEqual([
      [13, 14],
      [170, 197],
    ]);
    expect(read(many[2] as BufferHandle).every((x) => x === 6)).toBe(true);
    expect(others.map(read)).toEqual(others.map(() => [9, 9]));
  });

  it("changes nothing when there is too little memory for a run, and runs once there is enough", () => {
    backend.dispose();
    vi.stubEnv(memoryVariable, String(24 * 2 ** 20));
    backend = emulatedBackend(mode);
    // Buffers of 2 MiB each and an arena as large do not fit beside what is held here.
    const size = 2 ** 19;
    const executable = backend.compile(steps(size));
    const parameter = backend.allocate("float32", size);
    backend.write(parameter, new Float32Array(size).fill(3));
    const [input, output] = [backend.allocate("float32", size), backend.allocate("float32", size)];
    const held: BufferHandle[] = [];
    const hold = (): void => {
      for (;;) held.push(backend.allocate("float32", size));
    };
    expect(hold).toThrow(
      /cuda: allocate: 2\.0 MiB do not fit: .* of the device's 24\.0 MiB are free, .* MiB are used by this backend/,
    );
    const run = (): void => backend.run(executable, [input, parameter, output], [1]);
    expect(run).toThrow(BackendError);
    expect([read(output)[5], read(input)[5], read(parameter)[5]]).toEqual([0, 0, 3]);
    for (const handle of held) backend.free(handle);
    run();
    run();
    expect([read(output)[size - 1], read(parameter)[size - 1]]).toEqual([2, 1]);
  });

  it("refuses buffers that do not fit", async () => {
    const executable = backend.compile(steps(2));
    const [input, parameter, output] = [filled(1, 1), filled(1, 2), filled(7, 7)];
    const refused = (handles: readonly BufferHandle[], message: string): void => {
      expect(() => backend.run(executable, handles, [0])).toThrow(new BackendError("cuda", `run: ${message}`));
    };
    refused([input, parameter], "got 2 buffers, expected 3");
    refused([filled(1), parameter, output], "buffer 0 is float32 of 1, expected float32 of 2");
    refused([backend.allocate("int32", 2), parameter, output], "buffer 0 is int32 of 2, expected float32 of 2");
    refused([parameter, parameter, output], "buffers 0 and 1 are one, which the run writes to");
    const other = await emulatedCuda();
    refused([other.allocate("float32", 2), parameter, output], "the buffer is another backend's");
    const foreign = other.compile(steps(2));
    expect(() => backend.run(foreign, [input, parameter, output], [0])).toThrow("the executable is another backend's");
    other.dispose();
    const freed = filled(1, 1);
    backend.free(freed);
    refused([freed, parameter, output], "the buffer was freed");
    expect([read(parameter), read(output)]).toEqual([
      [1, 2],
      [7, 7],
    ]);
  });

  it("takes one buffer for several that are only read", () => {
    const program: Program = {
      buffers: [bound("input", 2), bound("input", 2), bound("output", 2)],
      uniforms,
      kernels: [multiplyAdd(2, [[0, 1, 2]])],
      arenaBytes: 0,
    };
    const executable = backend.compile(program);
    const [x, y] = [filled(3, 4), backend.allocate("float32", 2)];
    backend.run(executable, [x, x, y], [0.5]);
    expect(read(y)).toEqual([9.5, 16.5]);
  });

  it("of nothing to do leaves the zeros that buffers begin with", () => {
    const nothing: Program = { buffers: [bound("output", 2)], uniforms: [], kernels: [], arenaBytes: 0 };
    const empty: Program = { ...steps(0), arenaBytes: 0 };
    const output = backend.allocate("float32", 2);
    backend.run(backend.compile(nothing), [output], []);
    expect(read(output)).toEqual([0, 0]);
    const none = Array.from({ length: 3 }, () => backend.allocate("float32", 0));
    const executable = backend.compile(empty);
    for (let run = 0; run < 3; run++) backend.run(executable, none, [1]);
    expect(none.map(read)).toEqual([[], [], []]);
  });
});
