/** Dynamic loss scaling, for gradients in float16: torch.amp.GradScaler. */
import { ArgumentError } from "../graph/errors.ts";
import {
  add,
  equal,
  greaterEqual,
  isFinite as isFiniteNumber,
  logicalAnd,
  maximum,
  mul,
  notEqual,
  where,
} from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { passingOver } from "./skipNonFinite.ts";
import { wrapper } from "./wrapper.ts";

export interface LossScalingSettings {
  /** The first scale. Default 65536. */
  readonly initialScale: number;
  /** What the scale is multiplied by after `growthInterval` updates in a row that were made. Default 2; 1 or more. */
  readonly growthFactor: number;
  /** What it is multiplied by after an update that was passed over. Default 0.5; between 0 and 1. */
  readonly backoffFactor: number;
  /** Default 2000. */
  readonly growthInterval: number;
}

/**
 * `minimize` differentiates the loss times a scale and divides the gradients by it, so that gradients too small for float16
 * survive the way back (https://arxiv.org/abs/1710.03740, section 3.2):
 *
 *     g ← ∇(s·loss) / s
 *
 * Where any gradient is not finite, the update changes no parameter and no state (as with `skipNonFinite`) and the scale
 * shrinks; after `growthInterval` updates without such it grows:
 *
 *     s ← s·backoffFactor (not below 1) or, at times, s·growthFactor
 *
 * Transforms such as clipping see gradients that are divided already. All of it happens in the step's own Program: nothing
 * waits for the scale. `optimizer.sharedState` holds `lossScale`, `growthTracker` (updates since the scale last changed) and
 * `skipped`. Gradients given to `update` must not be scaled. Needed for `autocast("float16", …)`; bfloat16 has the exponents
 * of float32.
 */
export const lossScaling = wrapper<LossScalingSettings>({
  name: "lossScaling",
  defaults: { initialScale: 65536, growthFactor: 2, backoffFactor: 0.5, growthInterval: 2000 },
  check({ initialScale, growthFactor, backoffFactor, growthInterval }) {
    const fail = (option: string, expected: string, value: number): never => {
      throw new ArgumentError("lossScaling", `expected ${option} ${expected}, got ${value}`);
    };
    if (!(initialScale >= 1 && initialScale < Number.POSITIVE_INFINITY))
      fail("initialScale", "of at least 1", initialScale);
    if (!(growthFactor >= 1 && growthFactor < Number.POSITIVE_INFINITY))
      fail("growthFactor", "of at least 1", growthFactor);
    if (!(backoffFactor > 0 && backoffFactor < 1)) fail("backoffFactor", "between 0 and 1", backoffFactor);
    if (!(Number.isInteger(growthInterval) && growthInterval >= 1))
      fail("growthInterval", "to be a whole number from 1", growthInterval);
  },
  transform(rule, { initialScale, growthFactor, backoffFactor, growthInterval }) {
    if (rule.name.split(/[()]/).includes("skipNonFinite"))
      throw new ArgumentError("lossScaling", "passes over such updates itself: leave skipNonFinite out");
    const inner = passingOver(rule);
    return {
      ...inner,
      sharedState: (groups) => ({ ...inner.sharedState?.(groups), lossScale: initialScale, growthTracker: 0 }),
      lossScale: ({ lossScale }) => lossScale as Tensor,
      share(context) {
        const { lossScale, growthTracker, ...before } = context.state as Record<string, Tensor>;
        const { state = {}, values = {} } = inner.share?.({ ...context, state: before }) ?? {};
        const finite = notEqual(values.allFinite as Tensor, 0);
        const made = add(growthTracker as Tensor, 1);
        const scale = lossScale as Tensor;
        const larger = mul(scale, growthFactor);
        const due = logicalAnd(greaterEqual(made, growthInterval), isFiniteNumber(larger));
        const grows = logicalAnd(finite, due);
        const smaller = maximum(mul(scale, backoffFactor), 1);
        return {
          state: {
            ...state,
            lossScale: where(grows, larger, where(finite, scale, smaller)),
            growthTracker: where(logicalAnd(finite, equal(grows, false)), made, 0),
          },
          values,
        };
      },
    };
  },
});
