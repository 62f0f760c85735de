/** What this machine can do at most, which the workloads' figures are set against. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { MachineLimits } from "../benchReport.ts";
import { nodeLaunch } from "../process.ts";

/** Measures it, in a process of its own: one whose compiler and memory nothing else has used. */
export async function measureLimits(): Promise<MachineLimits> {
  const { command, args } = nodeLaunch("main", import.meta.url);
  return JSON.parse((await promisify(execFile)(command, args)).stdout) as MachineLimits;
}

/** The best of two measurements: a limit that a busy moment lowered is none. */
export function bestLimits(a: MachineLimits, b: MachineLimits): MachineLimits {
  const simd = [a.simdGflops, b.simdGflops].filter((value) => value !== undefined);
  return {
    scalarGflops: Math.max(a.scalarGflops, b.scalarGflops),
    ...(simd.length > 0 ? { simdGflops: Math.max(...simd) } : {}),
    copyGbps: Math.max(a.copyGbps, b.copyGbps),
  };
}
