/** An optimizer's state as plain data: written, checked, restored. Keyed by names, never by position. */
import { ArgumentError } from "../graph/errors.ts";
import { zeros } from "../tensor/creation.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { Entry, GroupOptions, ParameterGroup } from "./groups.ts";
import { hasSchedules } from "./hyperparameters.ts";
import type { Rule } from "./rule.ts";
import { checkStored, restoreTensor, type StoredTensor, storeTensor } from "./storedTensor.ts";
import { initialShared, type Updated } from "./updates.ts";

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
  /** Without those that a schedule gives. */
  readonly options: Readonly<Record<string, unknown>>;
}

export interface OptimizerStateDict {
  /** Name of the rule. */
  readonly optimizer: string;
  /** Whose meaning the rule has, where it has several. */
  readonly convention?: string;
  readonly step: number;
  readonly groups: readonly SavedGroup[];
  /** By parameter name; parameters that were never updated are not there. */
  readonly state: Readonly<Record<string, SavedParameterState>>;
  /** State of the optimizer as a whole, for rules that have some. */
  readonly shared?: Readonly<Record<string, StoredTensor>>;
}

const entriesOf = <Options extends object>(groups: readonly ParameterGroup<Options>[]): readonly Entry[] =>
  groups.flatMap((group) => group.entries);

async function storeAll(
  parameters: Readonly<Record<string, Parameter>>,
): Promise<Readonly<Record<string, StoredTensor>>> {
  const pairs = Object.entries(parameters).map(async ([key, value]) => [key, await storeTensor(value)] as const);
  return Object.fromEntries(await Promise.all(pairs));
}

export async function readStateDict<Options extends object>(updated: Updated<Options>): Promise<OptimizerStateDict> {
  const { rule, groups, shared } = updated;
  const entries = entriesOf(groups).filter((entry) => entry.state !== undefined);
  const state = await Promise.all(
    entries.map(
      async (entry) => [entry.name, { step: entry.updates, values: await storeAll(entry.state ?? {}) }] as const,
    ),
  );
  return {
    optimizer: rule.name,
    ...(rule.convention === undefined ? {} : { convention: rule.convention }),
    step: updated.step(),
    groups: groups.map((group) => ({
      name: group.name,
      lr: typeof group.learningRate === "number" ? group.learningRate : null,
      maximize: group.maximize,
      options: Object.fromEntries(Object.entries(group.options).filter(([, value]) => !hasSchedules([value]))),
    })),
    state: Object.fromEntries(state),
    ...(shared ? { shared: await storeAll(shared) } : {}),
  };
}

/** What is wrong with a state dict, all of it. */
export class Problems {
  readonly #list: string[] = [];

  add(problem: string): void {
    this.#list.push(problem);
  }
  /** Whatever `check` throws is a problem. */
  of(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.add((error as Error).message.replace(/^loadStateDict: /, ""));
    }
  }
  /** @throws ArgumentError that lists all. */
  report(): void {
    const [first, ...others] = this.#list;
    if (first === undefined) return;
    const message =
      others.length === 0 ? first : `${this.#list.length} problems:${this.#list.map((p) => `\n- ${p}`).join("")}`;
    throw new ArgumentError("loadStateDict", message);
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The outermost shape of it; untrusted data may hold anything. */
const isStateDict = (saved: unknown): boolean =>
  isRecord(saved) && Array.isArray(saved.groups) && saved.groups.every(isRecord) && isRecord(saved.state);

interface LoadPlan<Options extends object> {
  readonly groups: readonly { readonly group: ParameterGroup<Options>; readonly changes: GroupOptions<Options> }[];
  readonly entries: readonly { readonly entry: Entry; readonly saved: SavedParameterState | undefined }[];
}

/** Checks all of `saved` against the optimizer it is meant for; throws before anything has changed. */
export function checkStateDict<Options extends object>(
  updated: Updated<Options>,
  saved: OptimizerStateDict,
): LoadPlan<Options> {
  const { rule, groups } = updated;
  const problems = new Problems();
  if (!isStateDict(saved)) {
    throw new ArgumentError("loadStateDict", "expected { optimizer, step, groups, state } as stateDict gives it");
  }
  const own = called(rule.name, rule.convention);
  const theirs = called(saved.optimizer, saved.convention);
  if (own !== theirs) problems.add(`state of ${theirs} cannot be loaded into ${own}`);
  problems.of(() => checkCount("step", saved.step));
  const names = (list: readonly { readonly name: string }[]): string => list.map(({ name }) => name).join(", ");
  if (names(groups) !== names(saved.groups))
    problems.add(`the groups are ${names(groups)}, got ${names(saved.groups)}`);
  // What follows would only repeat itself.
  problems.report();

  const plans = groups.map((group, i) => planGroup(rule, group, saved.groups[i] as SavedGroup, problems));
  const known = new Set(entriesOf(groups).map((entry) => entry.name));
  for (const name of Object.keys(saved.state))
    if (!known.has(name)) problems.add(`there is no parameter named ${name}`);
  const entries = plans.flatMap(({ group, options }) =>
    group.entries.map((entry) => {
      const values = Object.hasOwn(saved.state, entry.name) ? saved.state[entry.name] : undefined;
      if (values) checkEntry(rule, entry, options, values, problems);
      return { entry, saved: values };
    }),
  );
  if (saved.shared) checkShared(updated, saved.shared, problems);
  problems.report();
  return { groups: plans, entries };
}

const called = (name: string, convention: string | undefined): string =>
  convention === undefined || convention === "torch" ? name : `${name} with the conventions of ${convention}`;

function planGroup<Options extends object>(
  rule: Rule<string, Options>,
  group: ParameterGroup<Options>,
  { lr, maximize, options }: SavedGroup,
  problems: Problems,
): { group: ParameterGroup<Options>; changes: GroupOptions<Options>; options: Options } {
  const given = isRecord(options) ? options : {};
  for (const key of Object.keys(given)) {
    if (key !== "stateDtype" && !Object.hasOwn(rule.defaults, key)) {
      problems.add(`group ${group.name} has an unknown option ${key}`);
    }
  }
  const stateDtypeOf = (of: object): unknown => ("stateDtype" in of ? of.stateDtype : null) ?? null;
  const [own, theirs] = [stateDtypeOf(group.options), stateDtypeOf(given)];
  if (own !== theirs) problems.add(`group ${group.name} has stateDtype ${String(own)}, got ${String(theirs)}`);
  // A schedule is code and not saved; the one this optimizer was given goes on from the restored step.
  const scheduled = (key: string): boolean => hasSchedules([group.options[key as keyof Options]]);
  const taken = Object.fromEntries(Object.entries(given).filter(([key]) => !scheduled(key)));
  const merged = { ...group.fixedOptions, ...taken } as Options;
  problems.of(() => rule.check({ ...group.currentOptions, ...taken } as Options));
  if (lr !== null && !(typeof lr === "number" && lr >= 0 && lr < Number.POSITIVE_INFINITY)) {
    problems.add(`group ${group.name} has lr ${String(lr)}, expected a finite number ≥ 0`);
  }
  if (typeof maximize !== "boolean") {
    problems.add(`group ${group.name} has maximize ${String(maximize)}, expected true or false`);
  }
  const rate = typeof group.learningRate === "number" && lr !== null ? { lr } : {};
  const same = JSON.stringify(merged) === JSON.stringify(group.fixedOptions);
  const changes = { ...(same ? {} : taken), ...rate, maximize } as unknown as GroupOptions<Options>;
  return { group, changes, options: merged };
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
  problems: Problems,
): void {
  problems.of(() => checkCount(`the step of ${name}`, saved.step));
  checkTensors(name, rule.initialState(parameter, options, name), saved.values, problems);
}

function checkShared<Options extends object>(
  updated: Updated<Options>,
  saved: Readonly<Record<string, StoredTensor>>,
  problems: Problems,
): void {
  checkTensors("the optimizer", initialShared(updated), saved, problems);
}

function checkTensors(
  owner: string,
  expected: Readonly<Record<string, { shape: readonly number[]; dtype: StoredTensor["dtype"] } | undefined>>,
  saved: unknown,
  problems: Problems,
): void {
  const values = isRecord(saved) ? (saved as Readonly<Record<string, StoredTensor>>) : {};
  for (const [key, initial] of Object.entries(expected)) {
    const stored = Object.hasOwn(values, key) ? values[key] : undefined;
    if (!initial) continue;
    if (!stored) problems.add(`${owner} has no ${key}`);
    else problems.of(() => checkStored("loadStateDict", `${owner}.${key}`, stored, initial.shape, initial.dtype));
  }
  for (const key of Object.keys(values)) {
    if (!expected[key]) problems.add(`${owner} has an unknown state ${key}`);
  }
}

/** Puts checked values in place; state that is there keeps its memory. Without values the parameter starts anew. */
export function restoreEntry(entry: Entry, options: object, saved: SavedParameterState | undefined): void {
  const before = entry.state;
  entry.updates = saved?.step ?? 0;
  entry.state = saved && restoreAll(`${entry.name}.`, before, saved.values);
  entry.stateOptions = saved && options;
}

/** As restoreEntry, for the state of the optimizer as a whole. */
export function restoreShared<Options extends object>(
  updated: Updated<Options>,
  saved: OptimizerStateDict["shared"],
): void {
  updated.shared = saved && restoreAll(`${updated.rule.name}.`, updated.shared, saved);
}

function restoreAll(
  prefix: string,
  before: Readonly<Record<string, Parameter>> | undefined,
  values: Readonly<Record<string, StoredTensor>>,
): Readonly<Record<string, Parameter>> {
  const state: Record<string, Parameter> = {};
  for (const [key, stored] of Object.entries(values)) {
    const parameter = before?.[key] ?? emptyState(`${prefix}${key}`, stored);
    restoreTensor(parameter, stored);
    state[key] = parameter;
  }
  const names = Object.keys(state);
  const same =
    before && names.length === Object.keys(before).length && names.every((key) => before[key] === state[key]);
  // A compiled step holds on to the state it was traced with, and is valid as long as that is this very object.
  return same ? before : state;
}

const emptyState = (name: string, { shape, dtype }: StoredTensor): Parameter =>
  new Parameter(zeros(shape, { dtype }), { name, trainable: false });
