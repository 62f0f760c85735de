/** An optimizer's state as plain data: written, checked, restored. Keyed by names, never by position. */
import { ArgumentError } from "../graph/errors.ts";
import { zeros } from "../tensor/creation.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { Entry, GroupOptions, ParameterGroup } from "./groups.ts";
import type { Rule } from "./rule.ts";
import { checkStored, restoreTensor, type StoredTensor, storeTensor } from "./storedTensor.ts";

export interface SavedParameterState {
  /** Updates the parameter has had. */
  readonly step: number;
  readonly values: Readonly<Record<string, StoredTensor>>;
}

export interface SavedGroup {
  readonly name: string;
  /** Null where a schedule gives it. */
  readonly lr: number | null;
  readonly maximize: boolean;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface OptimizerStateDict {
  /** Name of the rule. */
  readonly optimizer: string;
  readonly step: number;
  readonly groups: readonly SavedGroup[];
  /** By parameter name; parameters that were never updated are not there. */
  readonly state: Readonly<Record<string, SavedParameterState>>;
}

export async function readStateDict<Options extends object>(
  name: string,
  step: number,
  groups: readonly ParameterGroup<Options>[],
): Promise<OptimizerStateDict> {
  const entries = groups.flatMap((group) => group.entries).filter((entry) => entry.state !== undefined);
  const state = await Promise.all(
    entries.map(async (entry) => {
      const pairs = Object.entries(entry.state ?? {}).map(async ([key, value]) => [key, await storeTensor(value)]);
      const values = Object.fromEntries(await Promise.all(pairs)) as Record<string, StoredTensor>;
      return [entry.name, { step: entry.updates, values }] as const;
    }),
  );
  return {
    optimizer: name,
    step,
    groups: groups.map((group) => ({
      name: group.name,
      lr: typeof group.learningRate === "number" ? group.learningRate : null,
      maximize: group.maximize,
      options: { ...group.options },
    })),
    state: Object.fromEntries(state),
  };
}

interface LoadPlan<Options extends object> {
  readonly groups: readonly { readonly group: ParameterGroup<Options>; readonly changes: GroupOptions<Options> }[];
  readonly entries: readonly {
    readonly group: ParameterGroup<Options>;
    readonly entry: Entry;
    readonly saved: SavedParameterState | undefined;
  }[];
}

/** Checks all of `saved` against the optimizer it is meant for; throws before anything has changed. */
export function checkStateDict<Options extends object>(
  rule: Rule<string, Options>,
  groups: readonly ParameterGroup<Options>[],
  saved: OptimizerStateDict,
): LoadPlan<Options> {
  const fail = (message: string): never => {
    throw new ArgumentError("loadStateDict", message);
  };
  if (saved.optimizer !== rule.name) fail(`state of ${saved.optimizer} cannot be loaded into ${rule.name}`);
  checkCount("step", saved.step);
  const own = groups.map((group) => group.name).join(", ");
  const theirs = saved.groups.map((group) => group.name).join(", ");
  if (own !== theirs) fail(`the groups are ${own}, got ${theirs}`);

  const groupPlans = groups.map((group, i) => {
    const { lr, maximize, options } = saved.groups[i] as SavedGroup;
    for (const key of Object.keys(options)) {
      if (!Object.hasOwn(rule.defaults, key)) fail(`group ${group.name} has an unknown option ${key}`);
    }
    rule.check({ ...group.options, ...options } as Options);
    if (lr !== null && !(typeof lr === "number" && lr >= 0 && lr < Number.POSITIVE_INFINITY)) {
      fail(`group ${group.name} has lr ${String(lr)}, expected a finite number ≥ 0`);
    }
    if (typeof maximize !== "boolean")
      fail(`group ${group.name} has maximize ${String(maximize)}, expected true or false`);
    // A schedule is code and not saved; the one this optimizer was given goes on from the restored step.
    const rate = typeof group.learningRate === "number" && lr !== null ? { lr } : {};
    const same = JSON.stringify({ ...group.options, ...options }) === JSON.stringify(group.options);
    const changes = { ...(same ? {} : options), ...rate, maximize } as unknown as GroupOptions<Options>;
    return { group, changes, options: { ...group.options, ...options } as Options };
  });

  const entries = groupPlans.flatMap(({ group, options }) => group.entries.map((entry) => ({ group, entry, options })));
  const names = new Set(entries.map(({ entry }) => entry.name));
  for (const name of Object.keys(saved.state)) {
    if (!names.has(name)) fail(`there is no parameter named ${name}`);
  }
  const entryPlans = entries.map(({ group, entry, options }) => {
    const values = Object.hasOwn(saved.state, entry.name) ? saved.state[entry.name] : undefined;
    if (values) checkEntry(rule, entry, options, values);
    return { group, entry, saved: values };
  });
  return { groups: groupPlans, entries: entryPlans };
}

function checkCount(what: string, step: unknown): void {
  if (!Number.isInteger(step) || (step as number) < 0) {
    throw new ArgumentError("loadStateDict", `${what} must be a whole number ≥ 0, got ${String(step)}`);
  }
}

function checkEntry<Options extends object>(
  rule: Rule<string, Options>,
  { name, parameter }: Entry,
  options: Options,
  saved: SavedParameterState,
): void {
  checkCount(`the step of ${name}`, saved.step);
  const expected = Object.entries(rule.initialState(parameter, options));
  for (const [key, initial] of expected) {
    const stored = saved.values[key];
    if (!stored) throw new ArgumentError("loadStateDict", `${name} has no ${key}`);
    if (initial) checkStored("loadStateDict", `${name}.${key}`, stored, initial.shape, initial.dtype);
  }
  for (const key of Object.keys(saved.values)) {
    if (!expected.some(([known]) => known === key)) {
      throw new ArgumentError("loadStateDict", `${name} has an unknown state ${key}`);
    }
  }
}

/** Puts checked values in place; state that is there keeps its memory. Without values the parameter starts anew. */
export function restoreEntry(entry: Entry, options: object, saved: SavedParameterState | undefined): void {
  const before = entry.state;
  entry.updates = saved?.step ?? 0;
  entry.state = undefined;
  if (!saved) return;
  const state: Record<string, Parameter> = {};
  for (const [key, stored] of Object.entries(saved.values)) {
    const parameter = before?.[key] ?? emptyState(`${entry.name}.${key}`, stored);
    restoreTensor(parameter, stored);
    state[key] = parameter;
  }
  const names = Object.keys(state);
  const same =
    before && names.length === Object.keys(before).length && names.every((key) => before[key] === state[key]);
  // A compiled step holds on to the state it was traced with, and is valid as long as that is this very object.
  entry.state = same ? before : state;
  entry.stateOptions = options;
}

const emptyState = (name: string, { shape, dtype }: StoredTensor): Parameter =>
  new Parameter(zeros(shape, { dtype }), { name, trainable: false });
