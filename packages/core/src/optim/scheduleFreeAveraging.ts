/**
 * The weights that schedule-free rules average with. Defazio et al. 2024, "The Road Less Scheduled",
 * https://arxiv.org/abs/2405.15682
 */
import { ArgumentError } from "../graph/errors.ts";
import type { TensorLike } from "../tensor/convert.ts";
import { add, div, greater, maximum, mul, pow, square, sub, where } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkNonNegative } from "./checks.ts";
import type { ScalarContext, ScalarMaker, ShareContext, ShareResult } from "./rule.ts";

export interface AveragingOptions {
  /** Later steps count more, by step^r. Default 0. */
  r: number;
  /** Steps count by this power of the largest learning rate so far; 0 for no weighting. Default 2. */
  weightLrPower: number;
}

export function checkAveraging(rule: string, { r, weightLrPower }: Readonly<AveragingOptions>): void {
  checkNonNegative(rule, "r", r);
  checkNonNegative(rule, "weightLrPower", weightLrPower);
}

/** `momentum` is what the average is weighted with where the gradient is taken; it cannot be got back at 0. */
export function checkInterpolation(rule: string, option: string, momentum: unknown): void {
  if (typeof momentum !== "number" || !(momentum > 0 && momentum < 1)) {
    throw new ArgumentError(rule, `${option} must be between 0 and 1, exclusive, got ${String(momentum)}`);
  }
}

/** The sum of weights and the largest rate so far, of each group. */
export const averagingState = (groups: readonly { readonly name: string }[]): Record<string, number> =>
  Object.fromEntries(groups.flatMap(({ name }) => [`${name}.weightSum`, `${name}.largestLr`].map((key) => [key, 0])));

/**
 * One step of the weights, where k counts the steps of the optimizer:
 *
 *     largest ← max(largest, lr),  w = kʳ largestᵖᵒʷᵉʳ,  sum ← sum + w,  c = w / sum (0 while the sum is)
 *
 * `averagingWeight` finds c in `values`. `numbers`: where the options stand.
 */
export function shareAveraging<Options extends object>(
  { groups, state: before }: ShareContext<never, Options> | ShareContext<string, Options>,
  lr: (context: ScalarContext<Options>) => number,
  numbers: (options: Readonly<Options>) => Readonly<AveragingOptions>,
): Required<ShareResult> {
  const state: Record<string, Tensor> = {};
  const values: Record<string, Tensor> = {};
  for (const { name, scalar, options } of groups) {
    const largest = maximum(before[`${name}.largestLr`] as Tensor, scalar("averaged lr", lr));
    const late = scalar("step^r", ({ optimizerStep, options }) => optimizerStep ** numbers(options).r);
    const { weightLrPower } = numbers(options);
    const power = scalar("weightLrPower", ({ options }) => numbers(options).weightLrPower);
    const byRate = weightLrPower === 2 ? square(largest) : pow(largest, power);
    // What 0⁰ is differs between backends.
    const weight = weightLrPower === 0 ? late : mul(late, byRate);
    const sum = add(before[`${name}.weightSum`] as Tensor, weight);
    state[`${name}.largestLr`] = largest;
    state[`${name}.weightSum`] = sum;
    values[`${name}.averagingWeight`] = where(greater(sum, 0), div(weight, sum), 0);
  }
  return { state, values };
}

export const averagingWeight = ({
  group,
  shared,
}: {
  readonly group: string;
  readonly shared: Readonly<Record<string, Tensor>>;
}): Tensor => shared[`${group}.averagingWeight`] as Tensor;

/** 1 - momentum (1 - c): what of z's step goes into y. */
export const stepWeight = (momentum: Tensor, c: Tensor): Tensor => sub(1, mul(momentum, sub(1, c)));

/** x + w (end - x). */
export const towards = (x: Tensor, end: Tensor, w: TensorLike): Tensor => add(x, mul(w, sub(end, x)));

/** The average x, got back from y = momentum x + (1 - momentum) z. */
export function averageOf<Options extends object>(
  { parameter: y, scalar }: { readonly parameter: Tensor; readonly scalar: ScalarMaker<Options>["scalar"] },
  z: Tensor,
  momentum: (options: Readonly<Options>) => number,
): Tensor {
  return towards(
    y,
    z,
    scalar("1 - 1/momentum", ({ options }) => 1 - 1 / momentum(options)),
  );
}

/** The learning rate under a linear warm-up over the optimizer's first steps. */
export const warmedUp = ({
  lr,
  optimizerStep,
  options: { warmupSteps },
}: ScalarContext<{ warmupSteps: number }>): number =>
  optimizerStep <= warmupSteps ? lr * (optimizerStep / warmupSteps) : lr;
