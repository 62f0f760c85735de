/** What the rules that estimate the distance to the solution (prodigy, dAdaptAdam) have in common. */
import { ArgumentError } from "../graph/errors.ts";
import { add, div, expm1, maximum, mul, neg, sqrt } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ScalarMaker, SharedGroup } from "./rule.ts";

interface DistanceOptions {
  readonly betas: readonly [number, number];
  readonly useBiasCorrection: boolean;
  readonly d0: number;
  readonly growthRate: number | null;
}

/** What d starts at. */
export function startOf(rule: string, groups: readonly { readonly options: Readonly<DistanceOptions> }[]): number {
  const { d0 } = (groups[0] as { readonly options: DistanceOptions }).options;
  if (Number.isNaN(d0)) throw new ArgumentError(rule, "d0 must be a number, as d starts at it; got a schedule");
  return d0;
}

export function checkGrowthRate(rule: string, growthRate: number | null): void {
  if (growthRate !== null && !(typeof growthRate === "number" && growthRate > 0)) {
    throw new ArgumentError(rule, `growthRate must be null or a number > 0, got ${String(growthRate)}`);
  }
}

/** Infinite where there is none. */
export const growthLimit = <Options extends DistanceOptions>({ scalar }: ScalarMaker<Options>): Tensor =>
  scalar("growthRate", ({ options }) => options.growthRate ?? Number.POSITIVE_INFINITY);

/** Of all groups. */
export const largestRate = (groups: readonly Pick<SharedGroup<never, object>, "lr">[]): Tensor =>
  groups.map(({ lr }) => lr).reduce((a, b) => maximum(a, b));

/** √(1 - β₂ᵏ⁺¹) / (1 - β₁ᵏ⁺¹), or 1. `k` is a tensor, as it depends on values whether a step counts. */
export function correction<Options extends DistanceOptions>(
  { options, scalar }: ScalarMaker<Options> & { readonly options: Readonly<Options> },
  k: Tensor,
): Tensor | number {
  if (!options.useBiasCorrection) return 1;
  // 1 - exp(x) for x near 0, which float32 would lose.
  const left = (i: 0 | 1): Tensor => {
    const logarithm = scalar(`log(betas[${i}])`, ({ options }) => Math.log(options.betas[i]));
    return neg(expm1(mul(add(k, 1), logarithm)));
  };
  return div(sqrt(left(1)), left(0));
}
