/** What `thalweg optimizers` prints. */
import Table from "cli-table3";
import type { OptimizerResult, OptimizersReport } from "./optimizersCommand.ts";

const legend = [
  "state: bytes of float32 state per parameter; of a vector, a 1000 × 1000 and a 100 × 100 matrix where they differ.",
  "kernels, bytes moved per parameter and time: one update of 1,000,000 parameters in 32 tensors, 16 of [250, 249] and 16 of [250].",
  "Matrix rules treat only axes that are not too long as such; shampoo and soap see the diagonal of longer ones than 128.",
  "least: each gradient, parameter and state read once, parameters and state written once.",
];

/** The table, and what its columns mean. */
export function optimizersTable({ results, baseline }: Pick<OptimizersReport, "results" | "baseline">): string {
  const withTimes = results.some(({ medianMs }) => medianMs !== undefined);
  const head = ["rule", "convention", "state", "kernels", "moved", "least", "× least"];
  const table = new Table({
    head: withTimes ? [...head, "time", `× ${baseline}`] : head,
    style: { head: [], border: [] },
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
    colAligns: ["left", "left", ...Array.from({ length: 7 }, () => "right" as const)],
  });
  for (const result of results) table.push(row(result, withTimes));
  return `${table.toString()}\n${legend.map((line) => `${line}\n`).join("")}`;
}

function row(
  { rule, convention, kernels, movedBytes, leastBytes, medianMs, ratio, ...state }: OptimizerResult,
  withTimes: boolean,
): string[] {
  const states = [state.vectorStateBytes, state.matrixStateBytes, state.smallMatrixStateBytes].map(short);
  const times = [medianMs === undefined ? "" : `${short(medianMs)} ms`, ratio === undefined ? "" : ratio.toFixed(2)];
  return [
    rule,
    convention,
    new Set(states).size === 1 ? (states[0] as string) : states.join("; "),
    String(kernels),
    short(movedBytes),
    short(leastBytes),
    (movedBytes / leastBytes).toFixed(2),
    ...(withTimes ? times : []),
  ];
}

/** Three digits that count, and no zeros behind them. */
const short = (value: number): string =>
  value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(value < 0.01 ? 1 : 3)));
