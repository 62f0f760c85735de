import type { Program } from "@thalweg/core/backend";
import { afterEach, describe, expect, it } from "vitest";
import { type FunctionBuilder, i32 } from "../emit/index.ts";
import { detectFeatures } from "../features.ts";
import type { CompiledKernel, Launch, Pointer } from "../launch.ts";
import { GrowingBlock } from "../memory/growing.ts";
import { Heap } from "../memory/heap.ts";
import { type Machine, WasmExecutable } from "../program/executable.ts";
import { controlBytes } from "./control.ts";
import { Pool } from "./pool.ts";

const size = 64;

/** A Program whose kernels are given as functions: one bound buffer of `size` words, and one kernel label per launch. */
function programOf(kernels: number): Program {
  return {
    buffers: [{ dtype: "int32", size, kind: "output" }],
    uniforms: [],
    kernels: Array.from({ length: kernels }, (_, i) => ({ label: `kernel ${i}` })) as unknown as Program["kernels"],
    arenaBytes: 0,
  };
}

const buffer: Pointer = { kind: "buffer", buffer: 0 };

let built = 0;
function kernelOf(tasks: number, pointers: readonly Pointer[], build: Launch["build"]): CompiledKernel {
  return { launches: [{ key: `test ${built++}`, pointers, tasks, threadBytes: 64, build }], scratchBytes: 64 };
}

/** Turns a loop some thousand times, so that a task takes long enough for others to come. */
function linger(f: FunctionBuilder): void {
  const turns = f.local("i32");
  f.loop((again) => {
    f.set(turns, i32.add(turns, 1));
    f.brIf(again, i32.ltU(turns, 20_000));
  });
}

const pools: Pool[] = [];
afterEach(() => {
  for (const pool of pools.splice(0)) pool.dispose();
});

function machineOf(threads: number): Machine {
  const heap = new Heap(threads > 1, controlBytes);
  const pool = threads > 1 ? new Pool(heap.memory, threads) : undefined;
  if (pool) pools.push(pool);
  const [arena, scratch, threadMemory] = [0, 1, 2].map(() => new GrowingBlock(heap)) as [
    GrowingBlock,
    GrowingBlock,
    GrowingBlock,
  ];
  return { features: detectFeatures(), heap, arena, scratch, threadMemory, threads, pool, mayWait: true };
}

describe.each([1, 2, 4])("with %i threads", (threads) => {
  it("every task of every launch is done once, launches one after the other", () => {
    const machine = machineOf(threads);
    const { heap } = machine;
    // word[task] = 3 · word[task] + task
    const triple = kernelOf(size, [buffer], (f) => {
      const [pointer, task] = [f.parameter(0, "i32"), f.parameter(1, "i32")];
      const address = f.let(i32.add(pointer, i32.mul(task, 4)));
      linger(f);
      f.do(i32.store(address, i32.add(i32.mul(i32.load(address), 3), task)));
    });
    // word[0] = sum of all words: needs the launch before to be done.
    const sum = kernelOf(1, [buffer], (f) => {
      const pointer = f.parameter(0, "i32");
      const [i, total] = [f.local("i32"), f.local("i32")];
      f.for(i, 0, 4 * size, 4, () => f.set(total, i32.add(total, i32.load(i32.add(pointer, i)))));
      f.do(i32.store(pointer, total));
    });
    const executable = new WasmExecutable(programOf(4), [triple, triple, sum, triple], machine);
    const address = heap.allocate(4 * size);
    const expected = new Int32Array(size);
    for (let run = 0; run < 200; run++) {
      executable.run([address], []);
      for (let round = 0; round < 2; round++)
        for (let i = 0; i < size; i++) expected[i] = 3 * (expected[i] as number) + i;
      expected[0] = expected.reduce((a, b) => (a + b) | 0, 0);
      for (let i = 0; i < size; i++) expected[i] = 3 * (expected[i] as number) + i;
      expect(heap.words.subarray(address / 4, address / 4 + size)).toEqual(expected);
    }
  });

  it("an index out of range ends the run before the next kernel", () => {
    const machine = machineOf(threads);
    const { heap } = machine;
    const failing = kernelOf(8, [buffer], (f, code) => {
      const task = f.parameter(1, "i32");
      f.if(i32.eq(task, 5), () => code.fail(f, i32.const(-3), 7, false));
    });
    const writes = kernelOf(1, [buffer], (f) => f.do(i32.store(f.parameter(0, "i32"), 1)));
    const address = heap.allocate(4 * size);
    const executable = new WasmExecutable(programOf(2), [failing, writes], machine);
    for (let i = 0; i < 3; i++) {
      expect(() => executable.run([address], [])).toThrow("kernel 0: index -3 is out of range for size 7");
      expect(heap.words[address / 4]).toBe(0);
    }
    new WasmExecutable(programOf(1), [writes], machine).run([address], []);
    expect(heap.words[address / 4]).toBe(1);
  });
});

describe("several executables", () => {
  it("take turns with the same workers", () => {
    const machine = machineOf(3);
    const { heap } = machine;
    const address = heap.allocate(4 * size);
    const adding = (amount: number) =>
      new WasmExecutable(
        programOf(1),
        [
          kernelOf(size, [buffer], (f) => {
            const at = f.let(i32.add(f.parameter(0, "i32"), i32.mul(f.parameter(1, "i32"), 4)));
            linger(f);
            f.do(i32.store(at, i32.add(i32.load(at), amount)));
          }),
        ],
        machine,
      );
    const all = [adding(1), adding(10), adding(100)];
    for (let round = 0; round < 40; round++) for (const executable of all) executable.run([address], []);
    expect([...new Set(heap.words.subarray(address / 4, address / 4 + size))]).toEqual([40 * 111]);
  });
});

describe("a crash", () => {
  /** Traps in every thread whose own memory begins with 1. */
  const trapping = () =>
    kernelOf(size, [{ kind: "thread" }], (f) => {
      linger(f);
      f.if(i32.eq(i32.load(f.parameter(0, "i32")), 1), () => f.unreachable());
    });

  it("in a worker rejects the run with its cause, and the next runs go on", async () => {
    const machine = machineOf(2);
    const { heap } = machine;
    const address = heap.allocate(4 * size);
    const executable = new WasmExecutable(programOf(1), [trapping()], machine);
    executable.run([address], []);
    const own = machine.threadMemory.atLeast(1);
    heap.words[(own + 64) / 4] = 1;
    let caught: unknown;
    for (let run = 0; run < 2000 && caught === undefined; run++) {
      try {
        executable.run([address], []);
      } catch (error) {
        caught = error;
      }
      if (run % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(String(caught)).toMatch(/wasm: a worker crashed: RuntimeError: unreachable/);
    heap.words[(own + 64) / 4] = 0;
    for (let run = 0; run < 50; run++) executable.run([address], []);
  });

  it("in a kernel of one task leaves the workers ready", () => {
    const machine = machineOf(2);
    const { heap } = machine;
    const address = heap.allocate(4 * size);
    const alone = kernelOf(1, [buffer], (f) => f.if(i32.load(f.parameter(0, "i32")), () => f.unreachable()));
    const executable = new WasmExecutable(programOf(3), [trapping(), alone, trapping()], machine);
    for (let round = 0; round < 20; round++) {
      heap.words[address / 4] = 1;
      expect(() => executable.run([address], [])).toThrow("wasm: a kernel crashed: RuntimeError: unreachable");
      heap.words[address / 4] = 0;
      executable.run([address], []);
    }
  });

  it("in the caller too", () => {
    const machine = machineOf(2);
    const { heap } = machine;
    const address = heap.allocate(4 * size);
    const executable = new WasmExecutable(programOf(1), [trapping()], machine);
    executable.run([address], []);
    const own = machine.threadMemory.atLeast(1);
    for (let round = 0; round < 20; round++) {
      heap.words[own / 4] = 1;
      expect(() => executable.run([address], [])).toThrow("wasm: a kernel crashed: RuntimeError: unreachable");
      heap.words[own / 4] = 0;
      executable.run([address], []);
    }
  });
});
