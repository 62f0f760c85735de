/**
 * Whether the suite notices a broken backend: breaks one in every way there is, and runs the built-in suite on each. Fails
 * when a mutant survives.
 *
 *     npm run mutation --workspace @thalweg/conformance -- [--backend cpu-js] [--only TEXT] [--layers first|all] [--jobs 2]
 *
 * `--layers all` names every layer that notices a mutant, rather than the first.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Layer, layers as order } from "../src/case.ts";
import { builtInCases } from "../src/node.ts";
import { backendNames } from "./backends.ts";
import { mutants } from "./mutants.ts";
import type { Assignment, ChildResult } from "./protocol.ts";

/** A mutant may make the suite hang. */
const limitSeconds = 180;

/** `layer`: the one that was running; none where the suite itself could not be loaded. */
type Outcome =
  | { readonly kind: "ran"; readonly result: ChildResult }
  | { readonly kind: "timeout"; readonly layer: string }
  | { readonly kind: "crashed"; readonly layer: string; readonly message: string };

function runChild(assignment: Assignment): Promise<Outcome> {
  const script = fileURLToPath(new URL("child.ts", import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, script, JSON.stringify(assignment)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4000);
  });
  const lastLine = (): string => output.trimEnd().split("\n").at(-1) ?? "";
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      resolve({ kind: "timeout", layer: lastLine() });
    }, limitSeconds * 1000);
    child.on("close", (code) => {
      clearTimeout(timer);
      const last = lastLine();
      if (code === 0 && last.startsWith("{")) return resolve({ kind: "ran", result: JSON.parse(last) as ChildResult });
      const message = errors.split("\n").find((line) => line.includes("Error")) ?? `exit code ${code}`;
      return resolve({ kind: "crashed", layer: last, message });
    });
  });
}

interface Verdict {
  readonly survived: boolean;
  readonly by: string;
  readonly detail: string;
}

function verdictOf(outcome: Outcome): Verdict {
  if (outcome.kind !== "ran") {
    const { kind, layer } = outcome;
    const detail = kind === "timeout" ? `no end after ${limitSeconds} s` : outcome.message;
    if (layer === "") return { survived: true, by: "NEVER RUN", detail };
    return { survived: false, by: `${kind} in ${layer}`, detail };
  }
  const { applied, layers } = outcome.result;
  const unfounded = layers.find((layer) => layer.failed && layer.applied === 0);
  if (unfounded?.failed) {
    const { layer, failed } = unfounded;
    return { survived: true, by: "UNFOUNDED", detail: `${layer}/${failed.case} failed before anything was broken` };
  }
  if (applied === 0) return { survived: true, by: "NEVER APPLIED", detail: "the suite gives it nothing to break" };
  const killers = layers.filter(({ failed }) => failed !== null);
  const [first] = killers;
  if (!first?.failed) return { survived: true, by: "SURVIVED", detail: `though applied ${applied} times` };
  return { survived: false, by: killers.map(({ layer }) => layer).join(", "), detail: first.failed.case };
}

const cut = (text: string, width: number): string =>
  text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width);

async function inParallel<T>(items: readonly T[], jobs: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: jobs }, worker));
}

/** Layers by the time they take on the backend as it is, which must pass them. Undefined when it does not. */
async function baseline(backend: string): Promise<Layer[] | undefined> {
  const present = new Set(builtInCases().map(({ layer }) => layer));
  const layers = order.filter((layer) => present.has(layer));
  const outcome = await runChild({ backend, mutant: null, layers, first: false });
  if (outcome.kind !== "ran") {
    const what = outcome.kind === "timeout" ? `no end after ${limitSeconds} s` : outcome.message;
    console.error(`the suite does not end on ${backend} as it is: ${what} (${outcome.layer})`);
    return undefined;
  }
  const results = [...outcome.result.layers].sort((a, b) => a.seconds - b.seconds);
  for (const { layer, cases, seconds, failed } of results) {
    console.log(
      `${cut(layer, 14)}${String(cases).padStart(6)} cases ${seconds.toFixed(1).padStart(6)} s${failed ? `  FAILED ${failed.case}: ${failed.message}` : ""}`,
    );
  }
  const passing = results.filter(({ failed }) => failed === null).map(({ layer }) => layer);
  if (passing.length < results.length) console.error(`${backend} fails layers as it is; they are left out`);
  return passing;
}

const { values } = parseArgs({
  options: {
    backend: { type: "string", default: "cpu-js" },
    only: { type: "string" },
    layers: { type: "string", default: "first" },
    jobs: { type: "string", default: "2" },
  },
});
const jobs = Number(values.jobs);
if (!backendNames.includes(values.backend))
  throw new Error(`--backend: expected one of ${backendNames.join(", ")}, got ${values.backend}`);
if (values.layers !== "first" && values.layers !== "all")
  throw new Error(`--layers: expected first or all, got ${values.layers}`);
if (!Number.isInteger(jobs) || jobs < 1) throw new Error(`--jobs: expected a whole number from 1, got ${values.jobs}`);
const chosen = mutants.filter(({ name }) => name.includes(values.only ?? ""));
if (chosen.length === 0) throw new Error(`--only: no mutant is named ${values.only}`);

const layers = await baseline(values.backend);
if (!layers) process.exit(1);
console.log(`\n${chosen.length} mutants of ${values.backend}\n`);
const width = Math.max(...chosen.map(({ name }) => name.length)) + 2;
let survivors = 0;
await inParallel(chosen, jobs, async ({ name }) => {
  const verdict = verdictOf(
    await runChild({ backend: values.backend, mutant: name, layers, first: values.layers === "first" }),
  );
  if (verdict.survived) survivors++;
  console.log(
    `${cut(name, width)} ${cut(verdict.by, values.layers === "all" ? 60 : 16)} ${cut(verdict.detail, 90).trimEnd()}`,
  );
});
console.log(survivors === 0 ? "\nall of them noticed" : `\n${survivors} of ${chosen.length} not noticed`);
process.exit(survivors === 0 && layers.length > 0 ? 0 : 1);
