/**
 * `npm run bench:compare -- [COMMIT] [--only PATTERN] [--backend NAME] [--json] [--fail-on-slower]`: this tree against another
 * commit, by default the last when there are changes, else the one before. The other commit's library is measured by this
 * tree's runners, so that only the library differs.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { disagreement } from "./agreement.ts";
import { backendRunner } from "./bench.ts";
import { checkOut, git } from "./checkout.ts";
import { type Comparison, compareRounds, leastEffect, type Pair } from "./comparison.ts";
import type { Runner } from "./measure.ts";
import { nodeLaunch, RunnerProcess } from "./process.ts";
import type { Workload } from "./spec.ts";
import { median } from "./statistics.ts";
import { findWorkloads } from "./workloads.ts";

/** Processes of each tree, and measurements in each: the first show what differs from one process to the next. */
const rounds = 5;
const pairsPerRound = 6;
const window = 250;

interface Row extends Comparison {
  readonly workload: string;
  /** Milliseconds, medians. */
  readonly oursMs: number;
  readonly theirsMs: number;
}

interface Outcome {
  readonly commit: string;
  readonly backend: string;
  readonly results: readonly (Row & { readonly pairs: readonly (readonly Pair[])[] })[];
  /** Workloads that could not be compared. */
  readonly missing: readonly { readonly workload: string; readonly reason: string }[];
}

/** A runner of this tree and the other commit's, started and warmed up. */
interface Contestants {
  readonly ours: RunnerProcess;
  readonly theirs: RunnerProcess;
}

async function compareWorkload(workload: Workload, ours: Runner, theirs: Runner): Promise<readonly Pair[][]> {
  const measured: Pair[][] = [];
  for (let round = 0; round < rounds; round++) {
    const processes: Contestants = {
      ours: new RunnerProcess(ours.launch),
      theirs: new RunnerProcess(theirs.launch),
    };
    try {
      const expected = await warmUp("this tree", processes.ours, ours, workload);
      const found = await warmUp("the other commit", processes.theirs, theirs, workload);
      const reason = disagreement(workload.spec, found, { runner: "this tree", values: expected });
      if (reason !== undefined) throw new Error(`the other commit: ${reason}`);
      measured.push(await measureRound(processes, round));
    } finally {
      await Promise.all([processes.ours.stop(), processes.theirs.stop()]);
    }
  }
  return measured;
}

async function warmUp(
  who: string,
  process: RunnerProcess,
  { options }: Runner,
  { spec, warmUp: times }: Workload,
): Promise<readonly number[]> {
  try {
    await process.load(options);
    const reason = await process.start(spec);
    if (reason !== undefined) throw new Error(reason);
    await process.run(times);
    return await process.check();
  } catch (error) {
    throw new Error(`${who}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

async function measureRound({ ours, theirs }: Contestants, round: number): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let i = 0; i < pairsPerRound; i++) {
    // Who goes first alternates: what drifts falls on both alike.
    if ((round + i) % 2 === 0) {
      const first = await ours.measure(window);
      pairs.push({ ours: first, theirs: await theirs.measure(window) });
    } else {
      const first = await theirs.measure(window);
      pairs.push({ ours: await ours.measure(window), theirs: first });
    }
  }
  return pairs;
}

const columns = [26, 12, 12, 8, 16, 10] as const;
const line = (cells: readonly string[]): string =>
  cells
    .map((cell, i) => cell.padEnd(columns[i] ?? 0))
    .join(" ")
    .trimEnd();

function rowLine({ workload, oursMs, theirsMs, ratio, low, high, verdict }: Row): string {
  const interval = `${low.toFixed(3)} … ${high.toFixed(3)}`;
  return line([workload, oursMs.toPrecision(4), theirsMs.toPrecision(4), ratio.toFixed(3), interval, verdict]);
}

/** Where `create` is, for the backends of this repository. */
const creators: Readonly<Record<string, string>> = { "cpu-js": "cpu" };

async function main(): Promise<void> {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: "string" },
      backend: { type: "string", default: "cpu-js" },
      json: { type: "boolean", default: false },
      "fail-on-slower": { type: "boolean", default: false },
    },
  });
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  const dirty = git(root, "status", "--porcelain") !== "";
  const commit = git(root, "rev-parse", "--verify", `${positionals[0] ?? (dirty ? "HEAD" : "HEAD~1")}^{commit}`);
  const workloads = findWorkloads(options.only);
  const say = (text: string) => (options.json ? undefined : process.stdout.write(`${text}\n`));
  const { backend } = options;
  const source = { name: backend, module: `@thalweg/${backend}`, create: creators[backend] ?? backend };
  const ours = backendRunner(source);
  const folder = join(root, ".peers", "commits", commit);
  const child = pathToFileURL(join(folder, "packages", "bench", "src", "process.ts"));
  const theirs: Runner = { ...ours, launch: nodeLaunch("runners/child", child) };
  say(
    `this tree${dirty ? " (with changes)" : ""} against ${git(root, "log", "-1", "--format=%h %s", commit)}, on ${backend}`,
  );
  const results: Outcome["results"][number][] = [];
  const missing: Outcome["missing"][number][] = [];
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("SIGINT", () => {
    remove();
    process.exit(130);
  });
  try {
    checkOut(root, commit, folder);
    say(line(["workload", "ours, ms", "theirs, ms", "ratio", "95 % interval", "verdict"]));
    for (const workload of workloads) {
      try {
        const pairs = await compareWorkload(workload, ours, theirs);
        results.push({ workload: workload.name, ...medians(pairs), ...compareRounds(pairs), pairs });
        say(rowLine(results.at(-1) as Row));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        missing.push({ workload: workload.name, reason });
        say(`${workload.name}: not compared: ${reason}`);
      }
    }
  } finally {
    remove();
  }
  const outcome: Outcome = { commit, backend, results, missing };
  if (options.json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
  else say(summary(outcome));
  if (options["fail-on-slower"] && results.some(({ verdict }) => verdict === "slower")) process.exitCode = 1;
}

const medians = (pairs: readonly Pair[][]): Pick<Row, "oursMs" | "theirsMs"> => ({
  oursMs: median(pairs.flat().map((pair) => pair.ours)),
  theirsMs: median(pairs.flat().map((pair) => pair.theirs)),
});

function summary({ results, missing }: Outcome): string {
  const named = (verdict: Row["verdict"]) => {
    const rows = results.filter((row) => row.verdict === verdict);
    return rows.map(({ workload, ratio }) => `${workload} (${ratio.toFixed(2)})`).join(", ") || "none";
  };
  const beyond = `beyond noise and ${100 * leastEffect} %`;
  const skipped = missing.length > 0 ? `; not compared: ${missing.map(({ workload }) => workload).join(", ")}` : "";
  return `\n${beyond}: faster: ${named("faster")}; slower: ${named("slower")}${skipped}`;
}

await main();
