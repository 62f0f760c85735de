/**
 * Adam-mini: Adam with one second moment for each block of a parameter. Zhang et al. 2024, "Adam-mini: Use Fewer Learning
 * Rates To Gain More", https://arxiv.org/abs/2406.16793 (algorithm 1); https://github.com/zyushun/Adam-mini (1.1.1).
 */
import { ArgumentError } from "../graph/errors.ts";
import { formatShape, type Shape, sizeOf } from "../graph/shape.ts";
import { zeros, zerosLike } from "../tensor/creation.ts";
import { add, div, mul, sqrt, square } from "../tensor/elementwise.ts";
import { mean } from "../tensor/reduce.ts";
import { reshape } from "../tensor/views.ts";
import { checkBetas, checkNonNegative, checkPositiveInteger } from "./checks.ts";
import { descended, moment } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule } from "./rule.ts";
import { shrunk } from "./weightDecay.ts";

export interface AdamMiniOptions {
  /** Decay rates of the two running averages. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the corrected root. Default 1e-8. */
  eps: number;
  /** p shrinks by lr · weightDecay, but for names that contain norm, ln or bias. Default 0. */
  weightDecay: number;
  /** Width of a transformer. Default 2048. */
  dim: number;
  /** Attention heads; queries and keys have a block of dim² / nHeads entries for each. Default 32. */
  nHeads: number;
}

const contains = (name: string, parts: string): boolean => parts.split(" ").some((part) => name.includes(part));

/**
 * How many blocks of consecutive entries have a second moment each, by the lower-cased name. Whichever comes first: bias,
 * every entry; queries and keys, dim² / nHeads entries; embeddings, outputs, values, projections and layers of MLPs, a row
 * (the first axis of two or more); others, all entries.
 */
function blocks(given: string, shape: Shape, { dim, nHeads }: Readonly<AdamMiniOptions>): number {
  const name = given.toLowerCase();
  const size = sizeOf(shape);
  if (name.includes("bias")) return size;
  if (contains(name, "q_proj k_proj wq wk query key")) {
    const head = (dim * dim) / nHeads;
    if (!Number.isInteger(size / head)) {
      throw new ArgumentError(
        "adamMini",
        `${given} of shape ${formatShape(shape)} cannot be divided into blocks of dim² / nHeads entries, with dim ${dim} and nHeads ${nHeads}`,
      );
    }
    return size / head;
  }
  const isByRow = contains(
    name,
    "embed embd wte lm_head output final_layer v_proj wv value o_proj wo attn.proj feed_forward linear mlp",
  );
  return isByRow && shape.length > 1 ? (shape[0] as number) : 1;
}

/**
 *     m ← β₁ m + (1 - β₁) g
 *     v ← β₂ v + (1 - β₂) mean(g²), the mean and v by block
 *     p ← p - lr / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + eps)
 *
 * after p ← (1 - lr weightDecay) p.
 */
export const adamMiniRule: Rule<"expAvg" | "expAvgSq", AdamMiniOptions> = {
  name: "adamMini",
  lr: 1e-3,
  defaults: { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, dim: 2048, nHeads: 32 },
  check({ betas, eps, weightDecay, dim, nHeads }) {
    checkBetas("adamMini", betas);
    checkNonNegative("adamMini", "eps", eps);
    checkNonNegative("adamMini", "weightDecay", weightDecay);
    checkPositiveInteger("adamMini", "dim", dim);
    checkPositiveInteger("adamMini", "nHeads", nHeads);
    if ((dim * dim) % nHeads !== 0) {
      throw new ArgumentError("adamMini", `nHeads must divide dim², got nHeads ${nHeads} and dim ${dim}`);
    }
  },
  initialState(parameter, options, name) {
    const { shape, dtype } = parameter;
    const count = blocks(name, shape, options);
    const expAvgSq = count === sizeOf(shape) ? zerosLike(parameter) : zeros([count], { dtype });
    return { expAvg: zerosLike(parameter), expAvgSq };
  },
  update(context) {
    const { name, parameter, gradient: g, state, scalar } = context;
    const { shape } = parameter;
    const eps = scalar("eps", ({ options }) => options.eps);
    const stepSize = scalar("stepSize", ({ lr, step, options }) => lr / (1 - options.betas[0] ** step));
    const rescale = scalar("rescale", ({ step, options }) => 1 / Math.sqrt(1 - options.betas[1] ** step));
    const size = sizeOf(shape);
    const count = sizeOf(state.expAvgSq.shape);
    const byBlock = [count, size === 0 ? 0 : size / count];
    const isByEntry = count === size;
    const squares = isByEntry ? square(g) : mean(square(reshape(g, byBlock)), { axis: 1 });
    const expAvg = moment(context, 0, state.expAvg, g);
    const expAvgSq = moment(context, 1, state.expAvgSq, squares);
    const denominator = add(mul(sqrt(expAvgSq), rescale), eps);
    const direction = isByEntry
      ? div(expAvg, denominator)
      : reshape(div(reshape(expAvg, byBlock), reshape(denominator, [count, 1])), shape);
    const decays = !contains(name.toLowerCase(), "norm ln bias");
    return {
      ...descended(decays ? shrunk(context) : parameter, mul(stepSize, direction)),
      state: { expAvg, expAvgSq },
    };
  },
};

/**
 * Adam-mini, as its authors' package (1.1.1); lr 1e-3. Trains like AdamW with half its memory: one state tensor per
 * parameter, and a number per block. Blocks go by the names that parameters have in common transformers; set `dim` and
 * `nHeads` where there are queries and keys.
 */
export const adamMini = namedOptimizer<{ torch: AdamMiniOptions }>({ torch: adamMiniRule });
