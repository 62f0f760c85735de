/** Parameters, optimizers and models that end: their buffers are returned. */
import { compile, full, Parameter, type Tensor } from "@thalweg/core";
import type { Case } from "../case.ts";
import { floats } from "../training/numbers.ts";
import { eventually, needCollector, settled } from "./collector.ts";
import { network, parameterBuffers, parameterBytes, stateBuffers } from "./network.ts";
import { expect, expectBuffers, expectNoGrowth } from "./use.ts";

const parameters: Case = {
  layer: "memory",
  name: "disposing of parameters returns their buffers",
  run({ backend }) {
    const before = backend.memory();
    const made = [10, 20, 30].map((size) => new Parameter(full([size], 1)));
    // The first use allocates.
    for (const parameter of made) parameter.assign(full(parameter.shape, 2));
    expectBuffers(before, backend, 3, 240, "three parameters held");
    const [first, second, third] = made as [Parameter, Parameter, Parameter];
    first.dispose();
    expectBuffers(before, backend, 2, 200, "one of three disposed of");
    first.dispose();
    expectBuffers(before, backend, 2, 200, "one of three disposed of twice");
    // As `using` does where its block ends.
    second[Symbol.dispose]();
    third[Symbol.dispose]();
    expectBuffers(before, backend, 0, 0, "all disposed of");
  },
};

const optimizers: Case = {
  layer: "memory",
  name: "disposing of an optimizer returns its state",
  run({ backend }) {
    const x = floats([6, 5], 1);
    const warm = network();
    warm.train(x);
    warm.dispose();
    const before = backend.memory();
    const { train, optimizer, dispose } = network();
    const step = compile((batch: Tensor) => train(batch));
    step(x);
    expectBuffers(before, backend, parameterBuffers + stateBuffers, 3 * parameterBytes, "parameters and state held");
    optimizer.dispose();
    expectBuffers(before, backend, parameterBuffers, parameterBytes, "the state disposed of");
    // It starts over.
    step(x);
    expectBuffers(before, backend, parameterBuffers + stateBuffers, 3 * parameterBytes, "trained again");
    optimizer[Symbol.dispose]();
    dispose();
    expectBuffers(before, backend, 0, 0, "all disposed of");
  },
};

const replaced: Case = {
  layer: "memory",
  name: "30 models, each trained and disposed of",
  run({ backend }) {
    const x = floats([6, 5], 1);
    const one = (): void => {
      const { train, dispose } = network();
      const step = compile((batch: Tensor) => train(batch));
      for (let i = 0; i < 3; i++) step(x);
      dispose();
    };
    one();
    const before = backend.memory();
    for (let i = 0; i < 30; i++) {
      one();
      expectNoGrowth(before, backend, `after ${i + 1} models`);
    }
  },
};

const dropped: Case = {
  layer: "memory",
  name: "20 models that are dropped",
  async run({ backend }) {
    needCollector();
    const x = floats([6, 5], 1);
    const one = async (): Promise<void> => {
      const { loss, optimizer } = network();
      const step = compile((batch: Tensor) => optimizer.minimize(loss(batch)));
      for (let i = 0; i < 3; i++) await step(x).data();
    };
    await one();
    const before = await settled(backend);
    for (let i = 0; i < 20; i++) await one();
    const returned = await eventually(() => backend.memory().buffers <= before.buffers);
    expect(returned, () => `${backend.memory().buffers} buffers, ${before.buffers} before`);
    expectNoGrowth(before, backend, "after 20 models");
  },
};

export const lifetimeCases: readonly Case[] = [parameters, optimizers, replaced, dropped];
