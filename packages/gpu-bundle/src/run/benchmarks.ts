/** The workloads on a backend, beside PyTorch on the same device. */
import { writeFileSync } from "node:fs";
import { type BenchReport, backendRunner, bench, findPeers, PeerError, type Runner } from "@thalweg/bench";
import { creators, type RunOptions } from "./options.ts";

async function runnersOf({ backend, peers, python, torchDevice }: RunOptions): Promise<readonly Runner[]> {
  const module = import.meta.resolve(`@thalweg/${backend}`);
  const own = backendRunner({ name: backend, module, create: creators[backend] });
  if (peers.length === 0) return [own];
  try {
    return [own, ...(await findPeers(peers, { python, device: torchDevice }))];
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    process.stderr.write(`no comparison: ${error.message}\n`);
    return [own];
  }
}

/** Writes the report at every workload's end, whatever comes after it. */
export async function runBenchmarks(options: RunOptions, path: string): Promise<BenchReport> {
  const { workloads, window } = options;
  const runners = await runnersOf(options);
  const total = workloads.length;
  let done = 0;
  let report: BenchReport = {
    date: new Date().toISOString(),
    machine: { processor: "", cores: 0, memoryBytes: 0, system: "", node: "", limits: [] },
    versions: {},
    threads: {},
    runners: runners.map(({ name, kind }) => ({ name, kind })),
    ...{ workloads: [], results: [], missing: [], ratios: [] },
  };
  const write = (next: BenchReport): void => {
    report = next;
    writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
  };
  write(
    await bench({
      runners,
      workloads,
      ...(window === undefined ? {} : { window }),
      on: {
        started: (start) => write({ ...report, ...start }),
        measured({ workload: { name, about }, results, missing, ratios }) {
          done++;
          const figures = results.map(({ runner, medianMs }) => `${runner} ${medianMs.toPrecision(3)} ms`);
          process.stderr.write(`${done}/${total} ${name}: ${figures.join(", ") || "not measured"}\n`);
          write({
            ...report,
            workloads: [...report.workloads, { name, about }],
            results: [...report.results, ...results],
            missing: [...report.missing, ...missing],
            ratios: [...report.ratios, ...ratios],
          });
        },
      },
    }),
  );
  return report;
}
