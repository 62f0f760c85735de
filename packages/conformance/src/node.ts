/** `@thalweg/conformance/node`: the suite in Node, where golden files are files and test runners are at hand. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { ArgumentError, type Backend } from "@thalweg/core/backend";
import type { BackendFactory, Case } from "./case.ts";
import { goldenCases } from "./golden/cases.ts";
import { type GoldenFile, parseGoldenFile } from "./golden/files.ts";
import { runCase, staleExpectations } from "./run.ts";
import { type SuiteOptions, suiteCases } from "./suite.ts";
import type { SweepOptions } from "./sweep/cases.ts";

/**
 * Every golden file below `directory`, in the order of their paths, which are given relative to it.
 *
 * @throws {ArgumentError} when there is none, or no such folder.
 */
export function readGoldenFiles(directory: string): GoldenFile[] {
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new ArgumentError("conformance", `there is no folder ${directory}`);
  }
  const paths = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".json"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const files = paths.flatMap(
    (path) => parseGoldenFile(relative(directory, path).split(sep).join("/"), readFileSync(path, "utf8")) ?? [],
  );
  if (files.length === 0) throw new ArgumentError("conformance", `there are no golden files below ${directory}`);
  return files;
}

/** The golden files that come with this package. */
export const builtInGolden = (): GoldenFile[] => readGoldenFiles(fileURLToPath(new URL("../golden", import.meta.url)));

/** The loss curves that come with this package, as `suiteCases` takes them. */
export const builtInCurves = (): string =>
  readFileSync(new URL("../golden/training/curves.json", import.meta.url), "utf8");

/** The cases of the golden files below `directory`, which are run instead of the built-in suite. */
export const goldenCasesBelow = (directory: string): Case[] => goldenCases(readGoldenFiles(directory));

/** Of the environment: THALWEG_SWEEP_RUNS and THALWEG_SWEEP_SEED, for tests, which take no arguments. */
function sweepOfEnvironment(): SweepOptions {
  const { THALWEG_SWEEP_RUNS: runs, THALWEG_SWEEP_SEED: seed } = process.env;
  return {
    ...(runs === undefined ? {} : { runs: Number(runs) }),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  };
}

/** The built-in suite with its golden files. */
export const builtInCases = ({ sweep, ...options }: Partial<SuiteOptions> = {}): Case[] =>
  suiteCases({
    golden: builtInGolden(),
    curves: builtInCurves(),
    ...options,
    sweep: { ...sweepOfEnvironment(), ...sweep },
  });

/** What the suite needs of a test runner: vitest, jest, mocha and node:test have it. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: (context?: unknown) => Promise<void>): unknown;
}

/** How runners let a test be skipped while it runs: vitest and node:test on its argument. */
const skip = (context: unknown, reason: string): void => {
  (context as { skip?: (reason: string) => unknown } | undefined)?.skip?.(reason);
};

/**
 * Declares the whole suite as tests of a backend package, one `describe` per layer. A case that is not applicable is skipped.
 *
 * ```ts
 * conformanceTests(cpu, { describe, it });
 * ```
 */
export function conformanceTests(
  create: BackendFactory,
  { describe, it }: TestRunner,
  cases: readonly Case[] = builtInCases(),
): void {
  let made: Promise<Backend> | undefined;
  const backend = (): Promise<Backend> => {
    made ??= Promise.resolve(create());
    return made;
  };
  for (const layer of new Set(cases.map((tested) => tested.layer))) {
    describe(`conformance: ${layer}`, () => {
      for (const tested of cases) {
        if (tested.layer !== layer) continue;
        it(tested.name, async (context) => {
          const outcome = await runCase(tested, await backend(), create);
          if (outcome.kind === "failed") throw new Error(outcome.message);
          if (outcome.kind === "notApplicable") skip(context, outcome.reason);
        });
      }
    });
  }
  describe("conformance: expected failures", () => {
    it("name cases that there are", async () => {
      const [stale] = staleExpectations(await backend(), cases);
      if (stale) throw new Error(`no case is named by ${stale.case} (${stale.reason})`);
    });
  });
}
