/** What is measured, by name. */
import { optimizersByName } from "@thalweg/core/optim";
import {
  cnnFlops,
  elementwiseBytes,
  gptFlops,
  gptTokens,
  layerNormBytes,
  matmulFlops,
  mlpFlops,
  softmaxBytes,
  updateBytes,
} from "./costs.ts";
import { largeWorkloads } from "./largeWorkloads.ts";
import { named } from "./pattern.ts";
import type { SpecOf, Workload } from "./spec.ts";

const matmul = (size: number, warmUp: number, repeats: number): Workload => ({
  name: `matmul-${size}`,
  about: `${size} × ${size} by ${size} × ${size}, the product read back`,
  spec: { kind: "matmul", size },
  warmUp,
  repeats,
  flops: matmulFlops(size),
});

const elements = 4_000_000;
const [rows, columns] = [4096, 512];

const operations: readonly Workload[] = [
  matmul(256, 10, 15),
  matmul(512, 4, 9),
  matmul(1024, 2, 5),
  {
    name: "elementwise-4m",
    about: "tanh(1.5 x + b) · sigmoid(x) + x², 4,000,000 elements",
    spec: { kind: "elementwise", size: elements },
    warmUp: 3,
    repeats: 9,
    bytes: elementwiseBytes(elements),
  },
  {
    name: "softmax-rows",
    about: "softmax of each of 4096 rows of 512",
    spec: { kind: "softmax", rows, columns },
    warmUp: 5,
    repeats: 9,
    bytes: softmaxBytes(rows, columns),
  },
  {
    name: "layernorm-rows",
    about: "layer normalization of each of 4096 rows of 512, with weight and bias",
    spec: { kind: "layerNorm", rows, columns },
    warmUp: 5,
    repeats: 9,
    bytes: layerNormBytes(rows, columns),
  },
];

const mlpWidths = [784, 256, 128, 10];
const mlpBatch = 128;

const mlp = (optimizer: "sgd" | "adam"): Workload => ({
  name: `mlp-${optimizer}`,
  about: `training step of an MLP 784-256-128-10, batch 128, ${optimizer === "adam" ? "Adam" : "SGD"}, loss read back`,
  spec: { kind: "mlp", widths: mlpWidths, batch: mlpBatch, optimizer, readLoss: true },
  warmUp: 10,
  repeats: 15,
  flops: mlpFlops({ widths: mlpWidths, batch: mlpBatch }),
});

const gpt: SpecOf<"gpt"> = { kind: "gpt", vocabulary: 65, width: 128, heads: 4, layers: 4, context: 64, batch: 16 };

const training: readonly Workload[] = [
  mlp("sgd"),
  mlp("adam"),
  {
    name: "cnn-sgd",
    about:
      "training step of a CNN (conv 5×5 1→32, pool, conv 5×5 32→64, pool, 3136-256-10), batch 32, SGD, loss read back",
    spec: { kind: "cnn", batch: 32 },
    // Two, so that the loss that is compared shows the first update.
    warmUp: 2,
    repeats: 3,
    flops: cnnFlops(32),
  },
  {
    name: "gpt-adamw",
    about: "training step of a GPT (4 layers of width 128, 4 heads), 16 × 64 tokens out of 65, AdamW, loss read back",
    spec: gpt,
    warmUp: 2,
    repeats: 3,
    flops: gptFlops(gpt),
    tokens: gptTokens(gpt),
  },
];

function update(optimizer: string, size: number, tensors = 1): Workload {
  const millions = `${size / 1_000_000}m`;
  const spec: SpecOf<"optimizer"> = { kind: "optimizer", optimizer, size, tensors };
  const bytes = updateBytes(spec);
  const large = size > 1_000_000;
  return {
    name: `optimizer-${optimizer}-${tensors === 1 ? millions : "many"}`,
    about: `one ${optimizer} update of ${size.toLocaleString("en")} parameters in ${tensors === 1 ? "one tensor" : `${tensors} tensors`}`,
    spec,
    warmUp: large ? 2 : 5,
    repeats: large ? 7 : 15,
    ...(bytes === undefined ? {} : { bytes }),
  };
}

const updates: readonly Workload[] = [
  ...Object.keys(optimizersByName).flatMap((name) => [update(name, 1_000_000), update(name, 32_000_000)]),
  { ...update("adamW", 1_000_000, 400), name: "optimizer-adamw-many" },
];

const overheads: readonly Workload[] = [
  {
    name: "dispatch",
    about:
      "the smallest training step: an MLP 8-8-8, batch 1, SGD, loss not read: what a step costs beside its arithmetic",
    spec: { kind: "mlp", widths: [8, 8, 8], batch: 1, optimizer: "sgd", readLoss: false },
    warmUp: 3000,
    repeats: 15,
    hostTime: true,
  },
  {
    name: "compile",
    about: "the first step of gpt-adamw with a single sequence and nothing known before: trace, compile, run once",
    // One sequence: the graph is that of gpt-adamw, and the run itself is short.
    spec: { ...gpt, batch: 1, compileOnly: true },
    warmUp: 1,
    repeats: 5,
  },
];

/** The step of mlp-adam with one of its sizes changed. */
const scaled = (
  axis: string,
  value: number,
  change: { readonly widths?: number[]; readonly batch?: number },
): Workload => {
  const { widths = mlpWidths, batch = mlpBatch } = change;
  return {
    name: `scaling-${axis}-${value}`,
    about: `training step of an MLP ${shorten(widths)}, batch ${batch}, Adam, loss read back`,
    spec: { kind: "mlp", widths, batch, optimizer: "adam", readLoss: true },
    warmUp: 5,
    repeats: 7,
    flops: mlpFlops({ widths, batch }),
  };
};

/** 784-256-256-256-10 as 784-256×3-10. */
function shorten(widths: readonly number[]): string {
  const runs: { width: number; count: number }[] = [];
  for (const width of widths) {
    const last = runs.at(-1);
    if (last?.width === width) last.count++;
    else runs.push({ width, count: 1 });
  }
  return runs.map(({ width, count }) => (count === 1 ? `${width}` : `${width}×${count}`)).join("-");
}

const scaling: readonly Workload[] = [
  ...[1, 8, 32, 128, 512].map((batch) => scaled("batch", batch, { batch })),
  ...[64, 128, 256, 512, 1024].map((width) => scaled("width", width, { widths: [784, width, width / 2, 10] })),
  ...[1, 2, 4, 8, 16].map((depth) =>
    scaled("depth", depth, { widths: [784, ...new Array<number>(depth).fill(256), 10] }),
  ),
];

/** Every workload, in the order they are reported. */
export const workloads: readonly Workload[] = [
  ...operations,
  ...training,
  ...updates,
  ...overheads,
  ...largeWorkloads,
  ...scaling,
];

/** Measured unless others are asked for: nothing large, no update of 32,000,000, and of the rules the best known. */
const usual = ({ spec, largeBytes }: Workload): boolean =>
  largeBytes === undefined &&
  (spec.kind !== "optimizer" || (spec.size <= 1_000_000 && ["sgd", "adam", "adamW"].includes(spec.optimizer)));

/**
 * The workloads that a comma-separated list of patterns names, in their usual order; without one the usual workloads, and
 * with `large` the large ones, too. A pattern is a name, a name with `*` for any text, or a part of names; case does not matter.
 *
 * @throws Error for a pattern that names none.
 */
export function findWorkloads(pattern?: string, { large = false } = {}): readonly Workload[] {
  if (pattern !== undefined) return named(workloads, pattern, "workload");
  return workloads.filter((workload) => usual(workload) || (large && workload.largeBytes !== undefined));
}

/** Whether a list of patterns has a workload's whole name in it, so that it is meant and not only matched. */
export const isMeant = (pattern: string, { name }: Workload): boolean =>
  pattern.split(",").some((part) => part.trim().toLowerCase() === name.toLowerCase());
