/** One update as graph: what a rule makes of every parameter that has a gradient, and of its state. */
import { computeDType, type DType, isFloat } from "../graph/dtype.ts";
import { ShapeError, ThalwegError } from "../graph/errors.ts";
import type { Node } from "../graph/node.ts";
import { formatShape, sameShape } from "../graph/shape.ts";
import { guard, uniformScalar } from "../runtime/context.ts";
import type { Storage } from "../runtime/storage.ts";
import { full } from "../tensor/creation.ts";
import { cast, neg } from "../tensor/elementwise.ts";
import { Parameter } from "../tensor/parameter.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Entry, ParameterGroup } from "./groups.ts";
import type { Rule, ScalarContext, ScalarMaker, SharedGroup, UpdateContext } from "./rule.ts";

/** What is assigned where. */
export type Pair = readonly [Storage, Node];

type FloatDType = "float32" | "float64";

/** What an update needs of its optimizer. What is not readonly is written here. */
export interface Updated<Options extends object> {
  readonly rule: Rule<string, Options>;
  readonly groups: readonly ParameterGroup<Options>[];
  /** Updates so far. */
  readonly step: () => number;
  /** The rule's shared state, by name; made at the first update. */
  shared: Readonly<Record<string, Parameter>> | undefined;
}

/** The dtype arithmetic on a tensor is done in. */
export const arithmetic = (x: Tensor): FloatDType => (computeDType(x.dtype) === "float64" ? "float64" : "float32");

export const inDType = (x: Tensor, dtype: DType): Tensor => (x.dtype === dtype ? x : cast(x, dtype));

/** The dtype a rule sees state in: codes and counts as they are. */
const stateArithmetic = (x: Tensor): DType => (isFloat(x.dtype) ? arithmetic(x) : x.dtype);

const eachInDType = (tensors: Readonly<Record<string, Tensor>>, dtype: (x: Tensor) => DType): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, inDType(x, dtype(x))]));

/** What a scalar may depend on, each thing computed when it is asked for: a run asks for every scalar. */
const scalarContext = <Options extends object>(
  updated: Updated<Options>,
  group: ParameterGroup<Options>,
  step: () => number,
  ahead = 0,
): ScalarContext<Options> => ({
  get lr() {
    return group.lr;
  },
  get initialLr() {
    return group.initialLr;
  },
  get step() {
    return step() + ahead;
  },
  get optimizerStep() {
    return updated.step() + 1 + ahead;
  },
  get options() {
    return group.currentOptions;
  },
});

/** The scalars of one cohort: parameters of a group that have had equally many updates. Made once per dtype. */
class Scalars<Options extends object> {
  readonly #prefix: string;
  readonly #context: ScalarContext<Options>;
  /** As of this update, though those that the trace has recorded before it have not run. */
  readonly #decisionContext: ScalarContext<Options>;
  readonly #made = new Map<string, Tensor>();

  /** `ahead`: updates that the current trace has recorded before this one. */
  constructor(updated: Updated<Options>, group: ParameterGroup<Options>, step: () => number, ahead = 0) {
    const { name } = updated.rule;
    this.#prefix = updated.groups.length > 1 ? `${name}.${group.name}` : name;
    this.#context = scalarContext(updated, group, step);
    this.#decisionContext = scalarContext(updated, group, step, ahead);
  }

  /** Unlike scalars, which a run asks for in their turn, this is asked before the run begins. */
  decide(condition: (context: ScalarContext<Options>) => boolean): boolean {
    const now = condition(this.#decisionContext);
    guard(() => condition(this.#decisionContext) === now);
    return now;
  }

  maker(dtype: FloatDType): ScalarMaker<Options> {
    const scalar = (name: string, value: (context: ScalarContext<Options>) => number): Tensor => {
      const key = `${dtype} ${name}`;
      const known = this.#made.get(key);
      if (known) return known;
      const made = new Tensor(uniformScalar(`${this.#prefix}.${name}`, dtype, () => value(this.#context)));
      this.#made.set(key, made);
      return made;
    };
    return {
      scalar,
      get lr() {
        return scalar("lr", ({ lr }) => lr);
      },
    };
  }
}

/** One parameter at one update, as a rule sees it. */
class Member<Options extends object> implements UpdateContext<string, Options> {
  readonly entry: Entry;
  readonly name: string;
  readonly group: string;
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  readonly rows: Tensor | undefined;
  readonly state: Readonly<Record<string, Tensor>>;
  readonly options: Readonly<Options>;
  readonly scalar: ScalarMaker<Options>["scalar"];
  readonly decide: UpdateContext<string, Options>["decide"];
  shared: Readonly<Record<string, Tensor>> = {};
  readonly #scalars: ScalarMaker<Options>;

  constructor(
    rule: Rule<string, Options>,
    group: ParameterGroup<Options>,
    entry: Entry,
    gradient: Tensor,
    rows: Tensor | undefined,
    scalars: Scalars<Options>,
  ) {
    const dtype = arithmetic(entry.parameter);
    const descent = inDType(gradient, dtype);
    this.entry = entry;
    this.name = entry.name;
    this.group = group.name;
    this.rows = rows;
    this.parameter = inDType(entry.parameter, dtype);
    this.gradient = group.maximize ? neg(descent) : descent;
    this.options = group.fixedOptions;
    this.state = eachInDType(stateOf(rule, entry, group.fixedOptions), stateArithmetic);
    this.#scalars = scalars.maker(dtype);
    this.scalar = this.#scalars.scalar;
    this.decide = (condition) => scalars.decide(condition);
  }

  get lr(): Tensor {
    return this.#scalars.lr;
  }
}

/**
 * The update of every parameter in `gradients`. `countOf`: updates a parameter has had before this one, those that the
 * current trace has recorded among them. `rows`: masks of the rows that row-sparse gradients list.
 */
export function updatePairs<Options extends object>(
  updated: Updated<Options>,
  gradients: ReadonlyMap<Entry, Tensor>,
  countOf: (entry: Entry) => number,
  rows: ReadonlyMap<Entry, Tensor>,
): Pair[] {
  const { rule } = updated;
  const members = membersByGroup(updated, gradients, countOf, rows);
  const { pairs, values } = share(updated, members);
  for (const member of [...members.values()].flat()) {
    const { entry } = member;
    member.shared = eachInDType(values, () => arithmetic(entry.parameter));
    const result = rule.update(member);
    pairs.push(pairOf(rule.name, entry.name, entry.parameter, result.parameter));
    for (const [name, state] of Object.entries(entry.state ?? {})) {
      pairs.push(pairOf(rule.name, state.name, state, result.state?.[name]));
    }
  }
  return pairs;
}

/** Where the rule wants the gradient taken, given the gradients at the present values. */
export function perturbedValues<Options extends object>(
  updated: Updated<Options>,
  gradients: ReadonlyMap<Entry, Tensor>,
  countOf: (entry: Entry) => number,
): Map<Entry, Tensor> {
  const members = membersByGroup(updated, gradients, countOf);
  const groups = sharedGroups(updated, members);
  const values = updated.rule.perturb?.(groups) ?? [];
  const perturbed = new Map<Entry, Tensor>();
  for (const [g, group] of updated.groups.entries()) {
    for (const [i, { entry }] of (members.get(group) ?? []).entries()) {
      const value = values[g]?.[i];
      if (!value) throw new ThalwegError(updated.rule.name, `the rule gave no perturbed value for ${entry.name}`);
      perturbed.set(entry, inDType(value, entry.parameter.dtype));
    }
  }
  return perturbed;
}

/** What the rule's state becomes on observing `gradients`. */
export function observedPairs<Options extends object>(
  updated: Updated<Options>,
  gradients: ReadonlyMap<Entry, Tensor>,
): Pair[] {
  const { rule } = updated;
  const members = [...membersByGroup(updated, gradients, (entry) => entry.updates).values()].flat();
  return members.flatMap((member) => {
    const observed = rule.observe?.(member) ?? {};
    const state = member.entry.state ?? {};
    return Object.entries(observed).map(([name, value]) =>
      pairOf(rule.name, name, state[name] as Parameter, value as Tensor),
    );
  });
}

/** The values to evaluate the model with, of parameters that have state. */
export function evaluationValues<Options extends object>(updated: Updated<Options>): Map<Entry, Tensor> {
  const { rule, groups } = updated;
  const values = new Map<Entry, Tensor>();
  for (const group of groups) {
    for (const entry of group.entries) {
      if (!entry.state || !rule.evaluationValue) continue;
      const dtype = arithmetic(entry.parameter);
      const { scalar } = new Scalars(updated, group, () => entry.updates).maker(dtype);
      const value = rule.evaluationValue({
        name: entry.name,
        parameter: inDType(entry.parameter, dtype),
        state: eachInDType(entry.state, stateArithmetic),
        options: group.fixedOptions,
        scalar,
      });
      values.set(entry, inDType(value, entry.parameter.dtype));
    }
  }
  return values;
}

type Members<Options extends object> = ReadonlyMap<ParameterGroup<Options>, readonly Member<Options>[]>;

const membersByGroup = <Options extends object>(
  updated: Updated<Options>,
  gradients: ReadonlyMap<Entry, Tensor>,
  countOf: (entry: Entry) => number,
  rows: ReadonlyMap<Entry, Tensor> = new Map(),
): Members<Options> =>
  new Map(updated.groups.map((group) => [group, membersOf(updated, group, gradients, countOf, rows)]));

function membersOf<Options extends object>(
  updated: Updated<Options>,
  group: ParameterGroup<Options>,
  gradients: ReadonlyMap<Entry, Tensor>,
  countOf: (entry: Entry) => number,
  rows: ReadonlyMap<Entry, Tensor>,
): Member<Options>[] {
  const present = group.entries.filter((entry) => gradients.has(entry));
  const { maximize, fixedOptions } = group;
  const members: Member<Options>[] = [];
  for (const cohort of Map.groupBy(present, countOf).values()) {
    const first = cohort[0] as Entry;
    const scalars = new Scalars(updated, group, () => first.updates + 1, countOf(first) - first.updates);
    for (const entry of cohort) {
      members.push(new Member(updated.rule, group, entry, gradients.get(entry) as Tensor, rows.get(entry), scalars));
    }
    const states = cohort.map((entry) => entry.state);
    const ahead = cohort.map((entry) => entry.updates - first.updates);
    // `lr` and the numbers of schedules may change at will; what else the trace has built in may not.
    guard(
      () =>
        group.fixedOptions === fixedOptions &&
        group.maximize === maximize &&
        cohort.every((entry, i) => entry.updates - first.updates === ahead[i] && entry.state === states[i]),
    );
  }
  return members;
}

/** The shared state before the update, made where it is missing; a compiled step is traced anew when it is another. */
function sharedOf<Options extends object>(updated: Updated<Options>): Readonly<Record<string, Parameter>> {
  updated.shared ??= sharedState(updated);
  const before = updated.shared;
  guard(() => updated.shared === before);
  return before;
}

/** What the loss is multiplied by before it is differentiated; undefined: by nothing. */
export function lossScaleOf<Options extends object>(updated: Updated<Options>): Tensor | undefined {
  return updated.rule.lossScale?.(sharedOf(updated));
}

/** What the rule computes from all parameters together. */
function share<Options extends object>(
  updated: Updated<Options>,
  members: Members<Options>,
): { pairs: Pair[]; values: Readonly<Record<string, Tensor>> } {
  const { rule } = updated;
  if (!rule.share) return { pairs: [], values: {} };
  const before = sharedOf(updated);
  const { state = {}, values = {} } = rule.share({ groups: sharedGroups(updated, members), state: before });
  const pairs = Object.entries(before).map(([name, target]) => pairOf(rule.name, name, target, state[name]));
  return { pairs, values: { ...state, ...values } };
}

/** The groups as what looks at all parameters sees them. */
function sharedGroups<Options extends object>(
  updated: Updated<Options>,
  members: Members<Options>,
): SharedGroup<string, Options>[] {
  const dtype = sharedDType(updated.groups as readonly ParameterGroup<object>[]);
  return updated.groups.map((group) => {
    const scalars = new Scalars(updated, group, () => updated.step() + 1).maker(dtype);
    const { name, fixedOptions: options } = group;
    return {
      name,
      options,
      members: members.get(group) ?? [],
      scalar: scalars.scalar,
      get lr() {
        return scalars.lr;
      },
    };
  });
}

const sharedDType = (groups: readonly ParameterGroup<object>[]): FloatDType =>
  groups.some((group) => group.parameters.some((parameter) => arithmetic(parameter) === "float64"))
    ? "float64"
    : "float32";

/** The rule's shared state as it starts. */
export function initialShared<Options extends object>({
  rule,
  groups,
}: Updated<Options>): Readonly<Record<string, Tensor>> {
  const initial = rule.sharedState?.(groups.map(({ name, fixedOptions: options }) => ({ name, options }))) ?? {};
  const dtype = sharedDType(groups as readonly ParameterGroup<object>[]);
  return Object.fromEntries(Object.entries(initial).map(([name, value]) => [name, full([], value, { dtype })]));
}

function sharedState<Options extends object>(updated: Updated<Options>): Readonly<Record<string, Parameter>> {
  return Object.fromEntries(
    Object.entries(initialShared(updated)).map(([name, value]) => [
      name,
      new Parameter(value, { name: `${updated.rule.name}.${name}`, trainable: false }),
    ]),
  );
}

/**
 * The entry's state, made where it is missing: at its first update, or when an option that asks for more was changed.
 */
function stateOf<Options extends object>(
  rule: Rule<string, Options>,
  entry: Entry,
  options: Readonly<Options>,
): Readonly<Record<string, Parameter>> {
  if (entry.state && entry.stateOptions === options) return entry.state;
  const state: Record<string, Parameter> = {};
  for (const [name, initial] of Object.entries(rule.initialState(entry.parameter, options, entry.name))) {
    if (!initial) continue;
    state[name] = entry.state?.[name] ?? new Parameter(initial, { name: `${entry.name}.${name}`, trainable: false });
  }
  entry.state = state;
  entry.stateOptions = options;
  return state;
}

function pairOf(rule: string, name: string, target: Parameter, value: Tensor | undefined): Pair {
  if (!value) throw new ThalwegError(rule, `the rule gave no new value for ${name}`);
  if (!sameShape(value.shape, target.shape)) {
    throw new ShapeError(
      rule,
      `the rule gave ${name} the shape ${formatShape(value.shape)}, expected ${formatShape(target.shape)}`,
    );
  }
  return [target.storage, inDType(value, target.dtype).node];
}
