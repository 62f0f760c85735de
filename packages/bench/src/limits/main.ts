/** Entry of a process of its own: prints this machine's limits with each of the numbers of threads it is given, as one line of JSON. */
import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import type { MachineLimits } from "../benchReport.ts";
import { copyGbps } from "./copy.ts";
import { type Crew, crewBytes, crewOf } from "./crew.ts";
import { multiplyAddGflops, relaxed, scalar, simd } from "./multiplyAdd.ts";

/** Milliseconds for each figure: a processor needs some to reach its full clock. */
const time = 600;

/** What a further thread is given. */
interface Recruit {
  readonly shared: SharedArrayBuffer;
  readonly size: number;
  readonly member: number;
}

/** Every member of a crew calls this at the same time. */
function limitsOf(crew: Crew): MachineLimits {
  const simdGflops = Math.max(multiplyAddGflops(simd, time, crew) ?? 0, multiplyAddGflops(relaxed, time, crew) ?? 0);
  return {
    threads: crew.size,
    scalarGflops: multiplyAddGflops(scalar, time, crew) as number,
    ...(simdGflops > 0 ? { simdGflops } : {}),
    copyGbps: copyGbps(time, crew),
  };
}

/** This thread is the first of so many, the others are started for it. */
function measured(size: number): MachineLimits {
  const shared = new SharedArrayBuffer(crewBytes);
  for (let member = 1; member < size; member++) {
    const recruit: Recruit = { shared, size, member };
    new Worker(fileURLToPath(import.meta.url), { workerData: recruit });
  }
  return limitsOf(crewOf(shared, size, 0));
}

if (isMainThread) {
  process.stdout.write(`${JSON.stringify(process.argv.slice(2).map((count) => measured(Number(count))))}\n`);
} else {
  const { shared, size, member } = workerData as Recruit;
  limitsOf(crewOf(shared, size, member));
}
