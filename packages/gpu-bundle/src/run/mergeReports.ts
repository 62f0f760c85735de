/** Benchmarks that had to be run in several commands, as one report. */
import type { BenchReport, DeviceLimits } from "@thalweg/bench";

/** A workload in both is the later one's. Machine, versions and limits are the later one's too; of devices, the better limits. */
function merged(earlier: BenchReport, later: BenchReport): BenchReport {
  const again = new Set(later.workloads.map(({ name }) => name));
  const others = <Entry extends { readonly workload: string }>(entries: readonly Entry[]): readonly Entry[] =>
    entries.filter(({ workload }) => !again.has(workload));
  const devices = bestOf([...(earlier.machine.devices ?? []), ...(later.machine.devices ?? [])]);
  const names = new Set(later.runners.map(({ name }) => name));
  return {
    ...later,
    machine: { ...later.machine, ...(devices.length === 0 ? {} : { devices }) },
    versions: { ...earlier.versions, ...later.versions },
    threads: { ...earlier.threads, ...later.threads },
    devices: { ...earlier.devices, ...later.devices },
    runners: [...later.runners, ...earlier.runners.filter(({ name }) => !names.has(name))],
    workloads: [...earlier.workloads.filter(({ name }) => !again.has(name)), ...later.workloads],
    results: [...others(earlier.results), ...later.results],
    missing: [...others(earlier.missing), ...later.missing],
    ratios: [...others(earlier.ratios), ...later.ratios],
  };
}

function bestOf(limits: readonly DeviceLimits[]): readonly DeviceLimits[] {
  return [...Map.groupBy(limits, ({ device }) => device)].map(([device, same]) => {
    const kinds = new Set(same.flatMap(({ gflops }) => Object.keys(gflops))) as Set<keyof DeviceLimits["gflops"]>;
    const best = (kind: keyof DeviceLimits["gflops"]) => Math.max(...same.map(({ gflops }) => gflops[kind] ?? 0));
    return {
      device,
      copyGbps: Math.max(...same.map(({ copyGbps }) => copyGbps)),
      gflops: Object.fromEntries([...kinds].map((kind) => [kind, best(kind)])),
    };
  });
}

/** In the order they were made; undefined without any. */
export function mergeReports(reports: readonly BenchReport[]): BenchReport | undefined {
  const inOrder = [...reports].sort((a, b) => a.date.localeCompare(b.date));
  return inOrder.reduce<BenchReport | undefined>((all, report) => (all ? merged(all, report) : report), undefined);
}
