/** The layer `determinism`: the same Program, inputs and seed give the same bits, whenever, wherever, on any number of threads. */
import { manualSeed, useBackend } from "@thalweg/core";
import type { Backend } from "@thalweg/core/backend";
import { type Case, NotApplicable } from "../case.ts";
import { needDTypes } from "../needs.ts";
import { expectSameBits, type Recording, record } from "../training/recording.ts";
import { type Computation, computations, disturbance } from "./computations.ts";

const threadCounts = [1, 2, 4] as const;

async function runOn(backend: Backend, { run }: Computation): Promise<Recording> {
  needDTypes(backend, "float32", "int32");
  useBackend(backend);
  manualSeed(1234);
  return record(await run());
}

const again = (computation: Computation): Case => ({
  layer: "determinism",
  name: `${computation.name}: a second run`,
  async run({ backend }) {
    const first = await runOn(backend, computation);
    expectSameBits(await runOn(backend, computation), first, ["on the second run", "on the first"]);
    await runOn(backend, disturbance);
    expectSameBits(await runOn(backend, computation), first, ["after other programs", "on the first run"]);
  },
});

const elsewhere = (computation: Computation): Case => ({
  layer: "determinism",
  name: `${computation.name}: another instance`,
  async run({ backend, another }) {
    const other = await another();
    const first = await runOn(backend, computation);
    expectSameBits(await runOn(other, computation), first, ["on another instance", "on the first"]);
  },
});

const onThreads = (computation: Computation): Case => ({
  layer: "determinism",
  name: `${computation.name}: any number of threads`,
  async run({ backend, another }) {
    const made: Backend[] = [];
    for (const threads of threadCounts) {
      const other = await another({ threads });
      if (other.capabilities.threads === threads) made.push(other);
    }
    if (made.length < 2) throw new NotApplicable(`${backend.name} does not compute with the threads it is asked to`);
    const expected = await runOn(backend, computation);
    for (const other of made) {
      const { threads } = other.capabilities;
      const who = [`with ${threads} threads`, `with ${backend.capabilities.threads}`] as const;
      expectSameBits(await runOn(other, computation), expected, who);
    }
  },
});

export const determinismCases: readonly Case[] = [again, elsewhere, onThreads].flatMap((form) =>
  computations.map(form),
);
