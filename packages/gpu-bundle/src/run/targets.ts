/** What is to be shown on a GPU, and whether a report shows it. */
import type { BenchReport, WorkloadResult } from "@thalweg/bench";

export interface Target {
  readonly workload: string;
  /** What is asked for, as a reader reads it. */
  readonly asked: string;
  /** What was measured; undefined where that was not. */
  readonly found?: number;
  /** How `found` is written. */
  readonly unit: "share" | "ratio" | "tokens/s" | "µs";
  /** Whether it is enough; undefined where nothing is asked but the figure. */
  readonly reached?: boolean;
}

interface Demand {
  readonly workload: string;
  readonly asked: string;
  readonly unit: Target["unit"];
  readonly least?: number;
  find(report: BenchReport, result: WorkloadResult): number | undefined;
}

const ofLimit = (workload: string, least: number, of: string): Demand => ({
  workload,
  asked: `≥ ${100 * least} % of ${of}`,
  unit: "share",
  least,
  find: (_, result) => result.ofLimit,
});

/** How many times as long a peer takes. */
const against = (workload: string, peer: string, asked: string, least?: number): Demand => ({
  workload,
  asked,
  unit: "ratio",
  ...(least === undefined ? {} : { least }),
  find: ({ ratios }, { runner }) =>
    ratios.find((ratio) => ratio.workload === workload && ratio.runner === runner && ratio.peer === peer)?.ratio,
});

const updates = [
  ...["optimizer-adamW-1m", "optimizer-adamw-many", "optimizer-adamW-100m", "optimizer-adamW-100m-400"],
  ...["optimizer-adamW-1b", "optimizer-adamW-1b-400"],
];

const demands: readonly Demand[] = [
  ...updates.flatMap((workload) => [
    ofLimit(workload, 0.9, "the copy bandwidth"),
    against(workload, "pytorch-fused", "no slower than torch fused=True", 1),
  ]),
  ...["elementwise-64m", "softmax-rows-64m", "layernorm-rows-64m"].map((workload) =>
    ofLimit(workload, 0.85, "the copy bandwidth"),
  ),
  ...["mlp-adam", "cnn-sgd", "gpt-adamw"].flatMap((workload) => [
    against(workload, "pytorch-eager", "≥ 3 × torch eager", 3),
    against(workload, "pytorch-cudagraph", "no slower than torch with CUDA graphs", 1),
    against(workload, "pytorch-compile", "no slower than torch.compile", 1),
  ]),
  {
    workload: "gpt-124m",
    asked: "tokens per second",
    unit: "tokens/s",
    find: (_, { tokensPerSecond }) => tokensPerSecond,
  },
  {
    workload: "gpt-124m",
    asked: "share of the bfloat16 peak",
    unit: "share",
    find: (_, result) => result.ofLimit,
  },
  against("gpt-124m", "pytorch-compile", "against torch.compile"),
  against("matmul-8192-bf16", "pytorch-eager", "≥ 95 % of torch", 0.95),
  {
    workload: "dispatch",
    asked: "host time per replayed step",
    unit: "µs",
    find: (_, { hostMs }) => hostMs && 1000 * hostMs,
  },
];

/** Every target, for one backend's figures. */
export function targets(report: BenchReport, backend: string): readonly Target[] {
  return demands.map(({ workload, asked, unit, least, find }) => {
    const result = report.results.find((one) => one.workload === workload && one.runner === backend);
    const found = result && find(report, result);
    if (found === undefined) return { workload, asked, unit };
    return { workload, asked, unit, found, ...(least === undefined ? {} : { reached: found >= least }) };
  });
}
