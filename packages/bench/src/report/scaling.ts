/** The workloads that differ in one size only, `scaling-mlp-batch-32` say, as curves. */
import type { BenchReport } from "../benchReport.ts";

export interface ScalingFamily {
  /** `mlp-batch`, say. */
  readonly name: string;
  /** What grows: `batch`. */
  readonly grows: string;
  /** By the size, in its order. */
  readonly members: readonly { readonly workload: string; readonly size: number }[];
}

const pattern = /^scaling-(.+)-(\d+(?:\.\d+)?)([km]?)$/;
const factors: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6 };

export const isScaling = (workload: string): boolean => pattern.test(workload);

export function scalingFamilies(report: BenchReport): readonly ScalingFamily[] {
  const families = new Map<string, { workload: string; size: number }[]>();
  for (const workload of new Set(report.results.map((result) => result.workload))) {
    const [, name, count, unit] = pattern.exec(workload) ?? [];
    if (name === undefined) continue;
    const members = families.get(name) ?? [];
    members.push({ workload, size: Number(count) * (factors[unit ?? ""] ?? 1) });
    families.set(name, members);
  }
  return [...families].map(([name, members]) => ({
    name,
    grows: name.split("-").at(-1) as string,
    members: members.sort((a, b) => a.size - b.size),
  }));
}

/** One line for the first and the last of a family: what they have in common once, and what differs as `1 … 512`. */
export function aboutBoth(first: string, last: string): string {
  if (first === last) return first;
  const [from, to] = [first.split(" "), last.split(" ")];
  const most = Math.min(from.length, to.length);
  let before = 0;
  while (before < most && from[before] === to[before]) before++;
  let after = 0;
  while (after < most - before && from.at(-1 - after) === to.at(-1 - after)) after++;
  const middle = from
    .slice(before, from.length - after)
    .join(" ")
    .replace(/,$/, "");
  return [...from.slice(0, before), middle, "…", ...to.slice(before)].filter((word) => word !== "").join(" ");
}
