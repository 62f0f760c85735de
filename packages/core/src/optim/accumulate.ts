/** Gradient accumulation: large batches in several pieces, as optax.MultiSteps. */
import { ArgumentError } from "../graph/errors.ts";
import { zeros } from "../tensor/creation.ts";
import { add, maximum, mul, notEqual, where } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { adapted, adaptedGroups } from "./adaptedContext.ts";
import { checkPositiveInteger } from "./checks.ts";
import type { ScalarContext, ScalarMaker, UpdateContext } from "./rule.ts";
import { arithmetic } from "./updates.ts";
import { wrapper } from "./wrapper.ts";

export interface AccumulateOptions {
  /** Updates whose gradients make one step. Default 2. */
  k: number;
  /** What is made of the k gradients. Default `mean`, as one batch of all pieces under a mean loss has it. */
  reduction: "mean" | "sum";
}

/** The same with steps counted where the optimizer counts updates. */
const atStep = <Options extends object>(context: ScalarContext<Options>, k: number): ScalarContext<Options> => ({
  ...context,
  step: Math.ceil(context.step / k),
  optimizerStep: Math.ceil(context.optimizerStep / k),
});

/** Scalars that count steps. */
const inSteps =
  <Options extends object>(scalar: ScalarMaker<Options>["scalar"], k: number): ScalarMaker<Options>["scalar"] =>
  (name, value) =>
    scalar(name, (context: ScalarContext<Options>) => value(atStep(context, k)));

/**
 * Adds gradients up, and hands their mean or sum to the optimizer inside at every k-th update:
 *
 *     s ← s + g;  at every k-th update: the inner step along s / k, then s ← 0
 *
 * In between parameters and inner state stay, and the inner step count, schedules of the rate and of other options, and bias
 * corrections advance once per k. Compiled it is one Program for all updates, in which switches bound at every run choose.
 * One more state tensor per parameter, in float32 for 16-bit parameters. Go round other wrappers with it, not the other way:
 * what is outside sees every update. A parameter that is without a gradient at times makes its step when it has had k.
 */
export const accumulate = wrapper<AccumulateOptions>({
  name: "accumulate",
  defaults: { k: 2, reduction: "mean" },
  check({ k, reduction }) {
    checkPositiveInteger("accumulate", "k", k);
    if (reduction !== "mean" && reduction !== "sum") {
      throw new ArgumentError("accumulate", `reduction must be mean or sum, got ${String(reduction)}`);
    }
  },
  transform(rule, { k, reduction }) {
    type Context<Options extends object> = UpdateContext<string, Options>;
    const total = <Options extends object>({ state, gradient }: Context<Options>): Tensor =>
      add(state.accumulated as Tensor, gradient);
    /** Which rows were listed in any of the gradients; undefined where the rule does not ask. */
    const listed = <Options extends object>({ state, rows }: Context<Options>): Tensor | undefined =>
      state.accumulatedRows &&
      (rows ? maximum(state.accumulatedRows, where(rows, 1, 0)) : add(state.accumulatedRows, 1));
    /** What differs for the rule inside. */
    const changes = <Options extends object>(context: Context<Options>) => {
      const rows = listed(context);
      return {
        gradient: reduction === "mean" ? mul(total(context), 1 / k) : total(context),
        rows: rows && notEqual(rows, 0),
        scalar: inSteps(context.scalar, k),
        decide: (condition: (at: ScalarContext<Options>) => boolean) =>
          context.decide((at) => condition(atStep(at, k))),
      };
    };
    const { share, perturb, observe, evaluationValue } = rule;
    return {
      ...rule,
      updatesPerStep: k * (rule.updatesPerStep ?? 1),
      initialState(parameter, options, name) {
        const dtype = arithmetic(parameter);
        const [rows, ...rest] = parameter.shape;
        const mask = rows === undefined ? [] : [rows, ...rest.map(() => 1)];
        return {
          ...rule.initialState(parameter, options, name),
          accumulated: zeros(parameter.shape, { dtype }),
          ...(rule.rowSparse ? { accumulatedRows: zeros(mask, { dtype }) } : {}),
        };
      },
      update(context) {
        const applies = notEqual(
          context.scalar("accumulate.applies", ({ step }) => (step % k === 0 ? 1 : 0)),
          0,
        );
        const inner = rule.update(adapted(context, changes(context)));
        const state = Object.fromEntries(
          Object.entries(context.state).flatMap(([name, before]) => {
            const now = inner.state?.[name];
            return now ? [[name, where(applies, now, before)]] : [];
          }),
        );
        const rows = listed(context);
        return {
          parameter: where(applies, inner.parameter, context.parameter),
          state: {
            ...state,
            accumulated: where(applies, 0, total(context)),
            ...(rows ? { accumulatedRows: where(applies, 0, rows) } : {}),
          },
        };
      },
      ...(share && {
        share(context) {
          const { groups, state: before } = context;
          const { scalar } = groups[0] as (typeof groups)[number];
          const applies = notEqual(
            scalar("accumulate.applies", ({ optimizerStep }) => (optimizerStep % k === 0 ? 1 : 0)),
            0,
          );
          const inner = share({ state: before, groups: adaptedGroups(groups, changes, (given) => inSteps(given, k)) });
          const state = Object.entries(inner.state ?? {}).map(
            ([name, now]) => [name, where(applies, now, before[name] as Tensor)] as const,
          );
          // What this step would make of them is what its own updates must see.
          return { state: Object.fromEntries(state), values: { ...inner.state, ...inner.values } };
        },
      }),
      ...(perturb && {
        perturb: (groups) =>
          perturb(
            adaptedGroups(
              groups,
              ({ scalar }) => ({ scalar: inSteps(scalar, k) }),
              (given) => inSteps(given, k),
            ),
          ),
      }),
      ...(observe && { observe: (context) => observe(adapted(context, { scalar: inSteps(context.scalar, k) })) }),
      ...(evaluationValue && {
        evaluationValue: (context) =>
          evaluationValue({
            ...context,
            // Of the steps begun only those made count.
            scalar: (name, value) => context.scalar(name, (at) => value({ ...at, step: Math.floor(at.step / k) })),
          }),
      }),
    };
  },
});
