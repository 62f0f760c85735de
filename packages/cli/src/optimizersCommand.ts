/** `thalweg optimizers`: what each rule's update costs. */
import {
  baseline,
  machineReport,
  measureLimits,
  type NamedUpdate,
  named,
  namedUpdates,
  timeBeside,
  type UpdateCosts,
  type UpdateTime,
  updateCosts,
} from "@thalweg/bench";
import { ThalwegError, useBackend } from "@thalweg/core";
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  backendNames,
  backendOptions,
  chooseBackend,
  defaultBackends,
  startBackend,
  threadsOption,
} from "./backends.ts";
import { machineLines, missingLines } from "./benchTable.ts";
import type { Io } from "./io.ts";
import { optimizersTable } from "./optimizersTable.ts";

/** A line of the table; without times where none were asked for. */
export interface OptimizerResult extends UpdateCosts, Partial<UpdateTime> {
  readonly rule: string;
  readonly convention: string;
}

/** What `--json` prints. */
export interface OptimizersReport {
  readonly machine: ReturnType<typeof machineReport>;
  readonly versions: Readonly<Record<string, string>>;
  readonly threads: Readonly<Record<string, number>>;
  /** What `ratio` is relative to. */
  readonly baseline: string;
  readonly results: readonly OptimizerResult[];
  readonly missing: readonly { readonly rule: string; readonly reason: string }[];
}

interface OptimizersOptions {
  readonly backend?: string;
  readonly threads?: number;
  readonly only?: readonly NamedUpdate[];
  readonly time: boolean;
  readonly json: boolean;
}

/** Adds the command to `parent`; `whole` reads a count. */
export function addOptimizersCommand(parent: Command, io: Io, whole: (text: string) => number): void {
  parent
    .command("optimizers")
    .description("list the optimizers with what an update costs: state, kernels, bytes moved, time beside adamW")
    .addOption(new Option("--backend <name>", `what computes (default: ${defaultBackends})`).choices(backendNames))
    .option(...threadsOption, whole)
    .option("--only <pattern>", "only rules named by this: * stands for any text", only)
    .option("--no-time", "count only, which takes seconds and not minutes")
    .option("--json", "print one JSON object with the results on stdout", false)
    .action((options: OptimizersOptions) => listOptimizers(options, io));
}

async function listOptimizers(options: OptimizersOptions, io: Io): Promise<void> {
  const { only, time, json } = options;
  const spec = await chooseBackend(options.backend, io);
  const updates = only ?? namedUpdates();
  const backend = await startBackend(spec, backendOptions(options));
  // Its threads are asleep meanwhile.
  const limits = await measureLimits([backend.capabilities.threads]);
  useBackend(backend);
  const results: OptimizerResult[] = [];
  const missing: { rule: string; reason: string }[] = [];
  for (const [i, update] of updates.entries()) {
    const { name: rule, convention } = update;
    if (io.stderr.isTTY) io.stderr.write(`\r\x1b[K${i + 1}/${updates.length} ${rule}`);
    try {
      results.push({ rule, convention, ...updateCosts(update), ...(time ? await timed(update) : {}) });
    } catch (error) {
      if (!(error instanceof ThalwegError)) throw error;
      missing.push({ rule, reason: error.message });
    }
  }
  if (io.stderr.isTTY) io.stderr.write("\r\x1b[K");
  const report: OptimizersReport = {
    machine: machineReport(limits),
    versions: { [spec]: backend.description },
    threads: { [spec]: backend.capabilities.threads },
    baseline,
    results,
    missing,
  };
  backend.dispose();
  if (json) {
    io.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    return;
  }
  const unmeasured = missing.map(({ rule, reason }) => ({ workload: rule, runner: spec, reason }));
  io.stdout.write(`${machineLines(report)}\n${optimizersTable(report)}${missingLines({ missing: unmeasured })}`);
}

async function timed(update: NamedUpdate): Promise<UpdateTime> {
  const beside = namedUpdates().find(({ name, convention }) => name === baseline && convention === "torch");
  return timeBeside(update, beside as NamedUpdate);
}

function only(pattern: string): readonly NamedUpdate[] {
  try {
    return named(namedUpdates(), pattern, "rule");
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
