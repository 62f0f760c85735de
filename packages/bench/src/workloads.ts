/** What is measured, by name. */
import { zeros } from "@thalweg/core";
import { optimizersByName } from "@thalweg/core/optim";
import { named } from "./pattern.ts";
import type { SpecOf, Workload } from "./spec.ts";

/** Bytes of a float32. */
const float = 4;
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** A multiply-add for each element of the result and of the inner axis. */
const matmulFlops = (size: number): number => 2 * size ** 3;

/**
 * Forward, each weight meets each row of the batch in one multiply-add. Backward the same again twice, for the gradient of
 * the weight and for that of the layer's input; which the first layer's, being data, does not need.
 */
function mlpFlops({ widths, batch }: Pick<SpecOf<"mlp">, "widths" | "batch">): number {
  const layers = widths.slice(1).map((outputs, i) => outputs * (widths[i] as number));
  return 2 * batch * (3 * sum(layers) - (layers[0] as number));
}

/** As for an MLP; a convolution's weights meet every position of its output: 28 × 28 and, pooled once, 14 × 14. */
function cnnFlops(batch: number): number {
  const conv1 = 28 * 28 * 32 * 25;
  const layers = [conv1, 14 * 14 * 64 * 32 * 25, 3136 * 256, 256 * 10];
  return 2 * batch * (3 * sum(layers) - conv1);
}

/**
 * Per token and layer: the projections of attention have 4 width² weights, the two layers after it 8 width²; queries
 * meet all keys, and weights all values, in width multiply-adds per token of the context each (the masked half is
 * counted: it is computed and thrown away). Then the head. Three times all that with the backward pass: every input has
 * a gradient, since the embeddings are trained.
 */
function gptFlops({ vocabulary, width, layers, context, batch }: SpecOf<"gpt">): number {
  const perToken = layers * (12 * width ** 2 + 2 * context * width) + width * vocabulary;
  return 3 * 2 * perToken * batch * context;
}

/** The parameter and its state, as the rule at its defaults starts it, are read and written, the gradient is read. */
function updateBytes({ optimizer, size }: Pick<SpecOf<"optimizer">, "optimizer" | "size">): number | undefined {
  const rule = optimizersByName[optimizer]?.rules.torch;
  if (!rule) return undefined;
  const state = Object.values(rule.initialState(zeros([size]), rule.defaults, "weight"));
  const elements = state.reduce((sum, tensor) => sum + (tensor?.size ?? 0), 0);
  return float * (2 * (size + elements) + size);
}

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
    // x and b are read, the result is written.
    bytes: 3 * float * elements,
  },
  {
    name: "softmax-rows",
    about: "softmax of each of 4096 rows of 512",
    spec: { kind: "softmax", rows, columns },
    warmUp: 5,
    repeats: 9,
    // The input is read, the result is written; a row fits into the cache.
    bytes: 2 * float * rows * columns,
  },
  {
    name: "layernorm-rows",
    about: "layer normalization of each of 4096 rows of 512, with weight and bias",
    spec: { kind: "layerNorm", rows, columns },
    warmUp: 5,
    repeats: 9,
    // As softmax, and weight and bias once.
    bytes: 2 * float * (rows + 1) * columns,
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
export const workloads: readonly Workload[] = [...operations, ...training, ...updates, ...overheads, ...scaling];

/** Measured unless others are asked for: no update of 32,000,000, and of the rules the best known. */
const usual = ({ spec }: Workload): boolean =>
  spec.kind !== "optimizer" || (spec.size <= 1_000_000 && ["sgd", "adam", "adamW"].includes(spec.optimizer));

/**
 * The workloads that a comma-separated list of patterns names, in their usual order; without one the usual workloads.
 * A pattern is a name, a name with `*` for any text, or a part of names; case does not matter.
 *
 * @throws Error for a pattern that names none.
 */
export function findWorkloads(pattern?: string): readonly Workload[] {
  if (pattern === undefined) return workloads.filter(usual);
  return named(workloads, pattern, "workload");
}
