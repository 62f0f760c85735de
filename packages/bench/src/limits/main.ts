/** Entry of a process of its own: prints this machine's limits as one line of JSON. */
import type { MachineLimits } from "../benchReport.ts";
import { copyGbps } from "./copy.ts";
import { multiplyAddGflops, relaxed, scalar, simd } from "./multiplyAdd.ts";

/** Milliseconds for each figure: a processor needs some to reach its full clock. */
const time = 600;

const simdGflops = Math.max(multiplyAddGflops(simd, time) ?? 0, multiplyAddGflops(relaxed, time) ?? 0);
const limits: MachineLimits = {
  scalarGflops: multiplyAddGflops(scalar, time) as number,
  ...(simdGflops > 0 ? { simdGflops } : {}),
  copyGbps: copyGbps(time),
};
process.stdout.write(`${JSON.stringify(limits)}\n`);
