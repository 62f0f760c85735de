/** Training for long: no growth, whatever is read, recompiled or fails on the way. */
import {
  add,
  barrier,
  compile,
  embedding,
  flip,
  IndexError,
  Parameter,
  rand,
  square,
  sum,
  type Tensor,
  tanh,
} from "@thalweg/core";
import { sgd } from "@thalweg/core/optim";
import type { Case } from "../case.ts";
import { failsAtRun, needDTypes } from "../needs.ts";
import { floats, indices } from "../training/numbers.ts";
import { eventually, needCollector, settled } from "./collector.ts";
import { network } from "./network.ts";
import { expect, expectNoGrowth } from "./use.ts";

/** A batch whose numbers change from step to step. */
const batch = (seed: number): Tensor => floats([6, 5], seed);

// Without results, what a step leaves behind is in the parameters: nothing has to wait for the collector, so that counts
// must stand still from run to run. No `await` comes between: what earlier cases left behind is not given back meanwhile.

const compiledRuns: Case = {
  layer: "memory",
  name: "1,000 runs of a compiled step",
  async run({ backend }) {
    const { train, optimizer, parameters, dispose } = network();
    const step = compile(train);
    const x = batch(1);
    for (let i = 0; i < 3; i++) step(x);
    const before = backend.memory();
    for (let i = 0; i < 1000; i++) step(x);
    expectNoGrowth(before, backend, "after 1,000 runs");
    expect(optimizer.step === 1003, () => `${optimizer.step} updates counted, expected 1003`);
    const values = await (parameters[0] as Parameter).data();
    expect(values.every(Number.isFinite), () => `the weights have become ${values}`);
    dispose();
  },
};

const directSteps: Case = {
  layer: "memory",
  name: "300 steps that are not compiled",
  run({ backend }) {
    const { train, dispose } = network();
    const x = batch(1);
    for (let i = 0; i < 3; i++) train(x);
    const before = backend.memory();
    for (let i = 0; i < 300; i++) train(x);
    expectNoGrowth(before, backend, "after 300 steps");
    dispose();
  },
};

const compiledAgain: Case = {
  layer: "memory",
  name: "compiling the same step 60 times",
  run({ backend }) {
    const { train, dispose } = network();
    const x = batch(1);
    for (let i = 0; i < 2; i++) compile(train)(x);
    const before = backend.memory();
    for (let i = 0; i < 60; i++) compile(train)(x);
    expectNoGrowth(before, backend, "after 60 times");
    dispose();
  },
};

const reading: Case = {
  layer: "memory",
  name: "reading a parameter 300 times",
  async run({ backend }) {
    const parameter = new Parameter(rand([50]));
    const first = await parameter.data();
    const before = backend.memory();
    for (let i = 0; i < 300; i++) {
      const values = await parameter.data();
      // What is read is the reader's: to change it changes nothing.
      values.fill(i);
    }
    expectNoGrowth(before, backend, "after 300 times");
    const last = await parameter.data();
    expect(last.join() === first.join(), () => "the values changed while they were read");
    parameter.dispose();
  },
};

/** Updates of rows that a list of indices names. */
function lookUp() {
  const table = new Parameter(rand([10, 4]), { name: "table" });
  const optimizer = sgd([table], { lr: 0.1, momentum: 0.9 });
  const loss = (rows: Tensor): Tensor => sum(square(embedding(rows, table)));
  return { table, optimizer, loss };
}

const failing: Case = {
  layer: "memory",
  name: "a step that fails 30 times",
  async run({ backend }) {
    needDTypes(backend, "int32");
    const { table, optimizer, loss } = lookUp();
    const step = compile((rows: Tensor): void => {
      optimizer.minimize(loss(rows));
    });
    const direct = (rows: Tensor): Tensor => loss(rows);
    const [good, bad] = [indices([0, 9, 3]), indices([1, 10, 2])];
    const fails = async (run: () => unknown): Promise<boolean> => {
      try {
        await run();
      } catch (error) {
        if (error instanceof IndexError) return true;
        throw error;
      }
      return false;
    };
    // At the run, or at the next read.
    const compiled = async (rows: Tensor) => {
      step(rows);
      await table.data();
    };
    const attempt = async (rows: Tensor) =>
      (await fails(() => compiled(rows))) && (await fails(() => direct(rows).data()));
    step(good);
    await direct(good).data();
    await attempt(bad);
    const before = await settled(backend);
    for (let i = 0; i < 30; i++) {
      expect(await attempt(bad), () => "row 10 of 10 was looked up without an IndexError");
      // What is refused at the run is given back there and then.
      if (failsAtRun(backend)) expectNoGrowth(before, backend, `after ${i + 1} failures`);
    }
    expect(await eventually(() => backend.memory().buffers <= before.buffers), () => "buffers were left behind");
    step(good);
    const values = await table.data();
    expect(values.every(Number.isFinite), () => `the weights have become ${values}`);
    table.dispose();
    optimizer.dispose();
  },
};

const sharedArena: Case = {
  layer: "memory",
  name: "programs share one arena",
  run({ backend }) {
    const before = backend.memory().arenaBytes;
    const target = new Parameter(rand([]), { trainable: false });
    const x = rand([4096]);
    const steps = Array.from({ length: 8 }, (_, depth) =>
      compile(() => {
        let value = x;
        for (let i = 0; i <= depth; i++) value = barrier(add(tanh(value), barrier(flip(value, 0))));
        target.assign(sum(value));
      }),
    );
    const needs = steps.map((step) => step.program().arenaBytes);
    for (const step of steps) step();
    const [largest, total] = [Math.max(...needs), needs.reduce((a, b) => a + b)];
    expect(total > 4 * largest, () => `the programs ask for ${needs} bytes, too little to tell`);
    // It may be rounded up, and hold rows that kernels keep for themselves.
    const allowed = Math.max(before, 2 * largest + 65_536);
    const arena = backend.memory().arenaBytes;
    expect(arena <= allowed, () => `${arena} bytes for programs that ask for ${needs}, expected ${allowed} at most`);
    for (const step of steps) step();
    expect(backend.memory().arenaBytes === arena, () => "the arena has grown when the same programs ran again");
    target.dispose();
  },
};

const readLosses: Case = {
  layer: "memory",
  name: "1,000 runs whose losses are read, on new batches",
  async run({ backend }) {
    needCollector();
    const { loss, optimizer, dispose } = network();
    const step = compile((x: Tensor) => optimizer.minimize(loss(x)));
    for (let i = 0; i < 3; i++) await step(batch(i)).data();
    const before = await settled(backend);
    for (let i = 0; i < 1000; i++) {
      const value = await step(batch(i)).item();
      if (!Number.isFinite(value)) throw new Error(`the loss of run ${i} is ${value}`);
    }
    await eventually(() => backend.memory().buffers <= before.buffers);
    expectNoGrowth(before, backend, "after 1,000 runs");
    dispose();
  },
};

const directLosses: Case = {
  layer: "memory",
  name: "300 steps that are not compiled, whose losses are read",
  async run({ backend }) {
    needCollector();
    const { loss, optimizer, dispose } = network();
    for (let i = 0; i < 3; i++) await optimizer.minimize(loss(batch(i))).data();
    const before = await settled(backend);
    for (let i = 0; i < 300; i++) await optimizer.minimize(loss(batch(i))).data();
    await eventually(() => backend.memory().buffers <= before.buffers);
    expectNoGrowth(before, backend, "after 300 steps");
    dispose();
  },
};

export const stepCases: readonly Case[] = [
  compiledRuns,
  directSteps,
  compiledAgain,
  reading,
  failing,
  sharedArena,
  readLosses,
  directLosses,
];
