/** What this machine can do at most, which the workloads' figures are set against. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { MachineLimits } from "../benchReport.ts";
import { nodeLaunch } from "../process.ts";

/**
 * Measures it with each of these numbers of threads, and with one first; in a process of its own, whose compiler and memory
 * nothing else has used. In ascending order.
 */
export async function measureLimits(threads: readonly number[] = []): Promise<readonly MachineLimits[]> {
  const counts = [...new Set([1, ...threads])].sort((a, b) => a - b);
  const { command, args } = nodeLaunch("main", import.meta.url);
  const { stdout } = await promisify(execFile)(command, [...args, ...counts.map(String)]);
  return JSON.parse(stdout) as MachineLimits[];
}

/** The better of two measurements with the same numbers of threads: a limit that a busy moment lowered is none. */
export function bestLimits(
  first: readonly MachineLimits[],
  second: readonly MachineLimits[],
): readonly MachineLimits[] {
  return first.map((a) => {
    const b = second.find(({ threads }) => threads === a.threads) ?? a;
    const simd = [a.simdGflops, b.simdGflops].filter((value) => value !== undefined);
    return {
      threads: a.threads,
      scalarGflops: Math.max(a.scalarGflops, b.scalarGflops),
      ...(simd.length > 0 ? { simdGflops: Math.max(...simd) } : {}),
      copyGbps: Math.max(a.copyGbps, b.copyGbps),
    };
  });
}
