/** Passing over updates whose gradients are not all finite, as mixed-precision training does and optax.apply_if_finite. */
import { tensor } from "../tensor/creation.ts";
import { add, isFinite as areFinite, logicalAnd, notEqual, where } from "../tensor/elementwise.ts";
import { all } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Rule } from "./rule.ts";
import { wrapper } from "./wrapper.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** `now` where `applies`, else what was before. */
const chosen = (applies: Tensor, now: Readonly<Partial<Tensors>>, before: Tensors): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(before).flatMap(([name, old]) => {
      const value = now[name];
      return value ? [[name, where(applies, value, old)]] : [];
    }),
  );

/** The rule that passes over updates whose gradients are not all finite; `values.allFinite` of its `share` says whether. */
export const passingOver = <Options extends object>(rule: Rule<string, Options>): Rule<string, Options> => ({
  ...rule,
  sharedState: (groups) => ({ ...rule.sharedState?.(groups), skipped: 0 }),
  share(context) {
    const gradients = context.groups.flatMap(({ members }) => members.map(({ gradient }) => gradient));
    const finite = gradients.map((gradient) => all(areFinite(gradient))).reduce(logicalAnd, tensor(true));
    const { skipped, ...before } = context.state;
    const { state = {}, values = {} } = rule.share?.({ ...context, state: before }) ?? {};
    return {
      state: { ...chosen(finite, state, before), skipped: add(skipped as Tensor, where(finite, 0, 1)) },
      values: { ...values, allFinite: where(finite, 1, 0) },
    };
  },
  update(context) {
    const finite = notEqual(context.shared.allFinite as Tensor, 0);
    const { parameter, state = {} } = rule.update(context);
    return {
      parameter: where(finite, parameter, context.parameter),
      state: chosen(finite, state, context.state),
    };
  },
});

/**
 * When any gradient of any parameter holds a NaN or an infinity, the update changes no parameter and no state:
 *
 *     p ← all gradients finite ? the inner p : p
 *
 * Decided where the gradients are, so nothing waits; `optimizer.sharedState.get("skipped")` holds how many updates were
 * passed over. What the host counts goes on counting: steps, and so schedules and bias corrections, take a skipped update for
 * one without effect. Costs a reduction over the gradients.
 */
export const skipNonFinite = wrapper<Record<never, never>>({
  name: "skipNonFinite",
  defaults: {},
  check() {},
  transform: passingOver,
});
