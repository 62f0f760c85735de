/**
 * Any rule without a schedule: an average of the iterates in place of a falling rate. Defazio et al. 2024, "The Road Less
 * Scheduled", https://arxiv.org/abs/2405.15682, as the authors' ScheduleFreeWrapper,
 * https://github.com/facebookresearch/schedule_free
 */
import { barrier, mul, sub } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { adapted, adaptedGroups, checkWithoutAverage } from "./adaptedContext.ts";
import { checkNonNegative } from "./checks.ts";
import {
  type AveragingOptions,
  averageOf,
  averagingState,
  averagingWeight,
  checkAveraging,
  checkInterpolation,
  shareAveraging,
  towards,
} from "./scheduleFreeAveraging.ts";
import { wrapper } from "./wrapper.ts";

export interface ScheduleFreeOptions extends AveragingOptions {
  /** Weight of the average where the gradient is taken, between 0 and 1. Default 0.9. */
  momentum: number;
  /** Decoupled decay taken at y; the inner rule's own is taken at z. Default 0. */
  weightDecayAtY: number;
}

/**
 * The gradient is taken at the parameter y, the inner rule steps z along it; c is the step's share of the average (see
 * `shareAveraging`):
 *
 *     x = y + (1 - 1/momentum) (z - y)
 *     z ← the inner step of z,  x ← x + c (z - x),  y ← momentum x + (1 - momentum) z
 *
 * and before, z ← z - lr weightDecayAtY y and y ← y - lr weightDecayAtY (1 - momentum) y. `optimizer.eval()` puts x into the
 * parameters, `optimizer.train()` puts y back. One more state tensor per parameter, two numbers per group. The inner rule
 * needs no momentum of its own; its rate should be constant after a warm-up.
 */
export const scheduleFree = wrapper<ScheduleFreeOptions>({
  name: "scheduleFree",
  defaults: { momentum: 0.9, weightDecayAtY: 0, r: 0, weightLrPower: 2 },
  check(settings) {
    checkInterpolation("scheduleFree", "momentum", settings.momentum);
    checkNonNegative("scheduleFree", "weightDecayAtY", settings.weightDecayAtY);
    checkAveraging("scheduleFree", settings);
  },
  transform(rule, settings) {
    checkWithoutAverage("scheduleFree", rule);
    const { momentum, weightDecayAtY } = settings;
    /** z and y after the decay. */
    const decayed = ({ parameter: y, state, lr }: Parameters<typeof rule.update>[0]): { z: Tensor; y: Tensor } => {
      const z = state.z as Tensor;
      if (weightDecayAtY === 0) return { z, y };
      const decay = mul(mul(lr, weightDecayAtY), y);
      return { z: sub(z, decay), y: sub(y, mul(decay, 1 - momentum)) };
    };
    return {
      ...rule,
      initialState: (parameter, options, name) => ({
        ...rule.initialState(parameter, options, name),
        z: barrier(parameter),
      }),
      sharedState: (groups) => ({ ...rule.sharedState?.(groups), ...averagingState(groups) }),
      share(context) {
        const inner = rule.share?.({
          ...context,
          groups: adaptedGroups(context.groups, (member) => ({ parameter: decayed(member).z })),
        });
        const averaging = shareAveraging(
          context,
          ({ lr }) => lr,
          () => settings,
        );
        return {
          state: { ...inner?.state, ...averaging.state },
          values: { ...inner?.values, ...averaging.values },
        };
      },
      update(context) {
        const before = decayed(context);
        const inner = rule.update(adapted(context, { parameter: before.z }));
        const z = inner.parameter;
        const x = towards(towards(before.y, before.z, 1 - 1 / momentum), z, averagingWeight(context));
        return { parameter: towards(x, z, 1 - momentum), state: { ...inner.state, z } };
      },
      evaluationValue: (context) => averageOf(context, context.state.z as Tensor, () => momentum),
    };
  },
});
