/**
 * Workloads that a device with memory of its own needs, to show what it does: arrays of 64 million elements, matrices of
 * 8192, updates of a billion parameters, a GPT of 124 million. On a processor they take minutes, so there they are
 * measured only when each is named or all are asked for.
 */
import {
  elementwiseBytes,
  float,
  gptFlops,
  gptTokens,
  layerNormBytes,
  matmulFlops,
  softmaxBytes,
  updateBytes,
  updateMemory,
} from "./costs.ts";
import type { SpecOf, Workload } from "./spec.ts";

const elements = 64_000_000;
/** As many elements, in rows as long as those of the small workloads. */
const [rows, columns] = [125_000, 512];
const size = 8192;

const product = (dtype: "float32" | "bfloat16"): Workload => ({
  name: dtype === "float32" ? `matmul-${size}` : `matmul-${size}-bf16`,
  about: `${size} × ${size} by ${size} × ${size} in ${dtype}; the product stays on the device`,
  spec: { kind: "matmul", size, onDevice: true, ...(dtype === "float32" ? {} : { dtype }) },
  warmUp: 3,
  repeats: 9,
  flops: matmulFlops(size),
  arithmetic: dtype,
  largeBytes: 3 * (dtype === "float32" ? float : 2) * size ** 2,
});

function update(name: string, parameters: number, tensors: number): Workload {
  const spec: SpecOf<"optimizer"> = { kind: "optimizer", optimizer: "adamW", size: parameters, tensors };
  return {
    name: `optimizer-adamW-${name}${tensors === 1 ? "" : `-${tensors}`}`,
    about: `one adamW update of ${parameters.toLocaleString("en")} parameters in ${tensors === 1 ? "one tensor" : `${tensors} tensors`}`,
    spec,
    warmUp: 3,
    repeats: 9,
    bytes: updateBytes(spec) as number,
    largeBytes: updateMemory(spec),
  };
}

/** GPT-2 small. The vocabulary of 50,257 is filled up to a multiple of 128, for every runner alike. */
const gpt: SpecOf<"gpt"> = {
  kind: "gpt",
  vocabulary: 50_304,
  width: 768,
  heads: 12,
  layers: 12,
  context: 1024,
  batch: 8,
  tied: true,
  compute: "bfloat16",
};

export const largeWorkloads: readonly Workload[] = [
  product("bfloat16"),
  product("float32"),
  {
    name: "elementwise-64m",
    about: "tanh(1.5 x + b) · sigmoid(x) + x², 64,000,000 elements",
    spec: { kind: "elementwise", size: elements },
    warmUp: 3,
    repeats: 9,
    bytes: elementwiseBytes(elements),
    largeBytes: elementwiseBytes(elements),
  },
  {
    name: "softmax-rows-64m",
    about: "softmax of each of 125,000 rows of 512",
    spec: { kind: "softmax", rows, columns },
    warmUp: 3,
    repeats: 9,
    bytes: softmaxBytes(rows, columns),
    largeBytes: softmaxBytes(rows, columns),
  },
  {
    name: "layernorm-rows-64m",
    about: "layer normalization of each of 125,000 rows of 512, with weight and bias",
    spec: { kind: "layerNorm", rows, columns },
    warmUp: 3,
    repeats: 9,
    bytes: layerNormBytes(rows, columns),
    largeBytes: layerNormBytes(rows, columns),
  },
  {
    name: "gpt-124m",
    about:
      "training step of GPT-2 small (12 layers of width 768, head tied to the embedding), 8 × 1024 tokens, bfloat16 products with float32 weights, AdamW, loss read back",
    spec: gpt,
    warmUp: 3,
    repeats: 7,
    flops: gptFlops(gpt),
    tokens: gptTokens(gpt),
    arithmetic: "bfloat16",
    // Weights, gradients and state are 2 GB; the rest is what the backward pass needs of the forward one.
    largeBytes: 32e9,
  },
  ...[1, 400].map((tensors) => update("100m", 100_000_000, tensors)),
  ...[1, 400].map((tensors) => update("1b", 1_000_000_000, tensors)),
];
