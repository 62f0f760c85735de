/**
 * Replay equals fresh graph: a compiled step gives what building the same steps afresh gives, to the bit, and what the
 * interpreter gives, which shares no code with the backend: a rate that is never brought up to date would be the same
 * stale rate in both of the backend's own runs.
 */
import { type CompiledFunction, compile, manualSeed, useBackend } from "@thalweg/core";
import { type Backend, referenceBackend } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { needDTypes } from "../needs.ts";
import { replayTolerance } from "../tolerances.ts";
import { expectNear, expectSameBits, type Recording } from "./recording.ts";
import { type Scenario, scenarios, type Wrap } from "./scenarios.ts";

/** Builds and compiles anew at every call: the same Program as the replayed one, so the same bits. */
const afresh: Wrap =
  (fn) =>
  (...args) =>
    compile(fn)(...args);

/** Compiles nothing: each update is a Program when it is called for, each tensor one when it is read. */
const directly: Wrap = (fn) => fn;

async function runOn(backend: Backend, scenario: Scenario, wrap: Wrap): Promise<Recording> {
  useBackend(backend);
  manualSeed(42);
  return scenario.run(wrap);
}

async function checkScenario(backend: Backend, scenario: Scenario): Promise<void> {
  const compiled: CompiledFunction<never, unknown>[] = [];
  const replay: Wrap = (fn) => {
    const made = compile(fn);
    compiled.push(made as unknown as CompiledFunction<never, unknown>);
    return made;
  };
  const replayed = await runOn(backend, scenario, replay);
  const traces = compiled.reduce((sum, fn) => sum + fn.traces, 0);
  if (scenario.traces !== undefined && traces !== scenario.traces) {
    throw new Error(`traced ${traces} times, expected ${scenario.traces}`);
  }
  expectSameBits(replayed, await runOn(backend, scenario, afresh), ["replayed", "compiled afresh"]);
  const direct = await runOn(backend, scenario, directly);
  const who = ["replayed", "without compiling"] as const;
  if (scenario.severalPrograms) expectNear(replayed, direct, who, replayTolerance.float32);
  else expectSameBits(replayed, direct, who);
  if (scenario.undetermined) return;
  const interpreter = referenceBackend({ rounding: true });
  try {
    const interpreted = await runOn(interpreter, scenario, replay);
    expectNear(replayed, interpreted, [`on ${backend.name}`, "on the interpreter"], replayTolerance.float32);
  } finally {
    useBackend(backend);
    interpreter.dispose();
  }
}

export const replayCases: readonly Case[] = scenarios.map((scenario) => ({
  layer: "training",
  name: `replay equals fresh graph: training ${scenario.name}`,
  async run({ backend }) {
    needDTypes(backend, "float32", "int32");
    await checkScenario(backend, scenario);
  },
}));
