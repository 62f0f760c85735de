/**
 * Schedule-free SGD: an average of the iterates in place of a falling rate. Defazio et al. 2024, "The Road Less
 * Scheduled", https://arxiv.org/abs/2405.15682; https://github.com/facebookresearch/schedule_free
 */
import { barrier, mul, sub } from "../tensor/elementwise.ts";
import { checkNonNegative } from "./checks.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule } from "./rule.ts";
import {
  type AveragingOptions,
  averageOf,
  averagingState,
  averagingWeight,
  checkAveraging,
  checkInterpolation,
  shareAveraging,
  stepWeight,
  towards,
  warmedUp,
} from "./scheduleFreeAveraging.ts";
import { withL2 } from "./weightDecay.ts";

export interface ScheduleFreeSgdOptions extends AveragingOptions {
  /** Weight of the average where the gradient is taken, between 0 and 1. Default 0.9. */
  momentum: number;
  /** L2, at y: weightDecay · y is added to the gradient. Default 0. */
  weightDecay: number;
  /** Steps over which the learning rate rises linearly. Default 0. */
  warmupSteps: number;
}

/**
 * The gradient g is taken at the parameter y; c is the step's share of the average (see `shareAveraging`):
 *
 *     g ← g + weightDecay y
 *     y ← y + c (z - y) - (1 - momentum (1 - c)) lr g,  z ← z - lr g
 *
 * so that y = (1 - momentum) z + momentum x with the average x, which `eval` puts into the parameter.
 */
export const scheduleFreeSgdRule: Rule<"z", ScheduleFreeSgdOptions> = {
  name: "scheduleFreeSgd",
  lr: 1,
  defaults: { momentum: 0.9, weightDecay: 0, warmupSteps: 0, r: 0, weightLrPower: 2 },
  check(options) {
    checkInterpolation("scheduleFreeSgd", "momentum", options.momentum);
    checkNonNegative("scheduleFreeSgd", "weightDecay", options.weightDecay);
    checkNonNegative("scheduleFreeSgd", "warmupSteps", options.warmupSteps);
    checkAveraging("scheduleFreeSgd", options);
  },
  initialState: (parameter) => ({ z: barrier(parameter) }),
  sharedState: averagingState,
  share: (context) => shareAveraging(context, warmedUp, (options) => options),
  update(context) {
    const { parameter: y, state, scalar } = context;
    const g = withL2(context);
    const c = averagingWeight(context);
    const lr = scalar("warmedUp", warmedUp);
    const momentum = scalar("momentum", ({ options }) => options.momentum);
    const step = mul(lr, g);
    return {
      parameter: sub(towards(y, state.z, c), mul(step, stepWeight(momentum, c))),
      state: { z: sub(state.z, step) },
    };
  },
  evaluationValue: (context) => averageOf(context, context.state.z, ({ momentum }) => momentum),
};

/**
 * SGD without a schedule, as the authors' SGDScheduleFree. `lr` 1, larger than SGD would stand; warm it up with
 * `warmupSteps`. For when it is not known beforehand how long to train: every step's average is as good as a run whose
 * rate had fallen until then. State: one tensor per parameter, two numbers per group. Call `eval()` before evaluating and
 * `train()` before going on; with batch normalisation, `updateBatchNorm` in between. It has one convention.
 */
export const scheduleFreeSgd = namedOptimizer<{ torch: ScheduleFreeSgdOptions }>({ torch: scheduleFreeSgdRule });
