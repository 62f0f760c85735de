/**
 * `npm run test:browser`: the conformance suite and a training run in Chromium, on pages that are isolated from other
 * origins and on one that is not. Exit code 1 when anything fails.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { builtInCurves, builtInGolden, readGoldenFiles } from "@thalweg/conformance/node";
import { type BrowserBackend, browserBackends } from "../page/backendNames.ts";
import type { ConformanceRequest } from "../page/conformance.ts";
import type { TrainResult } from "../page/train.ts";
import { findChromium, launchChromium, noChromium } from "./chromium.ts";
import { BrowserSession } from "./session.ts";

const usage = `usage: npm run test:browser -- [--backend ${browserBackends.join("|")}] [--threads 2,4] [--golden DIR] [--only PATTERN] [--sources]`;

interface Options {
  readonly backend: BrowserBackend;
  readonly threads: readonly number[];
  /** Golden files to run instead of the built-in suite. */
  readonly golden?: string;
  readonly only?: string;
  /** Whether the packages are read from their sources, which need no build. */
  readonly sources: boolean;
}

/** Of an isolated page and of one that is not: which threads are asked for, and how many there must be. */
interface Configuration {
  readonly name: string;
  readonly isolated: boolean;
  readonly development: boolean;
  readonly threads: readonly { readonly asked: number; readonly expected: number }[];
}

function options(): Options {
  const { values } = parseArgs({
    options: {
      backend: { type: "string", default: "wasm" },
      threads: { type: "string", default: "2,4" },
      golden: { type: "string" },
      only: { type: "string" },
      sources: { type: "boolean", default: false },
    },
  });
  const backend = browserBackends.find((name) => name === values.backend);
  const threads = values.threads.split(",").map(Number);
  if (!backend || threads.some((count) => !Number.isInteger(count) || count < 1)) throw new Error(usage);
  const { golden, only, sources } = values;
  return {
    backend,
    threads,
    sources,
    ...(golden === undefined ? {} : { golden }),
    ...(only === undefined ? {} : { only }),
  };
}

function configurations({ backend, threads }: Options): readonly Configuration[] {
  const single = backend === "cpu-js";
  const most = Math.max(...threads);
  const counts = threads.map((asked) => ({ asked, expected: single ? 1 : asked }));
  return [
    { name: "isolated", isolated: true, development: false, threads: counts },
    { name: "not isolated", isolated: false, development: false, threads: [{ asked: most, expected: 1 }] },
    { name: "isolated, Vite's development server", isolated: true, development: true, threads: counts.slice(0, 1) },
  ];
}

/** Enough of them that a network which learns reaches `leastAccuracy` with room to spare. */
const training = { images: 3000, epochs: 6 } as const;
const leastAccuracy = 0.9;

function suite({ golden, only }: Options): Omit<ConformanceRequest, "backend"> {
  const chosen = only === undefined ? {} : { only };
  // npm runs this in the package's folder; paths are relative to where the user stands.
  const start = process.env.INIT_CWD ?? process.cwd();
  if (golden !== undefined) return { golden: readGoldenFiles(resolve(start, golden)), ...chosen };
  return { golden: builtInGolden(), curves: builtInCurves(), ...chosen };
}

const failures: string[] = [];
const check = (holds: boolean, failure: string): void => {
  if (!holds) failures.push(failure);
};
const print = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const chosen = options();
  const executable = findChromium();
  if (executable === undefined) throw new Error(noChromium);
  const cases = suite(chosen);
  const { backend } = chosen;
  const browser = await launchChromium(executable);
  print(`Chromium ${browser.version()}, ${backend}`);
  let first: TrainResult | undefined;
  try {
    for (const { name, threads, ...site } of configurations(chosen)) {
      const session = await BrowserSession.open(browser, { ...site, sources: chosen.sources });
      for (const { asked, expected } of threads) {
        const where = `${name}, ${asked} threads asked for`;
        // What the server for development does differently is how code is found, not what it computes.
        if (!site.development) {
          const { report, seconds, ...answer } = await session.inPage("conformance", {
            ...cases,
            backend,
            threads: asked,
          });
          const { passed, failed, expectedFailures, notApplicable } = report;
          print(
            `${where}: ${answer.threads} used; ${passed} passed, ${failed} failed, ${expectedFailures} expected failures, ${notApplicable} not applicable; ${seconds.toFixed(1)} s`,
          );
          for (const failure of report.failures) print(`  ${failure.layer}/${failure.case}: ${failure.message}`);
          check(failed === 0, `${where}: ${failed} cases failed`);
        }
        const request = { ...training, backend, threads: asked };
        for (const [place, trained] of [
          ["", await session.inPage("train", request)],
          [", in a worker", await session.inWorker("train", request)],
        ] as const) {
          const percent = (100 * trained.accuracy).toFixed(1);
          const which = `${where}${place}`;
          print(`${which}: ${trained.threads} used; trained to ${percent} % in ${trained.seconds.toFixed(1)} s`);
          check(trained.isolated === site.isolated, `${which}: crossOriginIsolated is ${trained.isolated}`);
          check(trained.threads === expected, `${which}: ${trained.threads} threads, expected ${expected}`);
          check(trained.accuracy >= leastAccuracy, `${which}: an accuracy of ${percent} %`);
          first ??= trained;
          check(trained.losses.join() === first.losses.join(), `${which}: losses differ from the first page's`);
        }
      }
      await session.close();
    }
  } finally {
    await browser.close();
  }
}

await main().catch((error: unknown) => failures.push(error instanceof Error ? error.message : String(error)));
for (const failure of failures) process.stderr.write(`error: ${failure}\n`);
process.exitCode = failures.length === 0 ? 0 : 1;
