/** Parameter groups: which parameters an optimizer updates, under which names, with which options. */
import { isFloat } from "../graph/dtype.ts";
import { ArgumentError, DTypeError } from "../graph/errors.ts";
import { Parameter } from "../tensor/parameter.ts";
import { fixedOptions, hasSchedules, optionsAt, type ScheduledOptions } from "./hyperparameters.ts";
import type { StateDType } from "./lowPrecisionState.ts";
import type { Rule, Schedule, Scheduled } from "./rule.ts";

export type LearningRate = number | Schedule;

/** Options of a rule and those every rule has; all optional, `undefined` meaning the default. */
export type GroupOptions<Options extends object> = {
  /** A number, or a schedule of it. */
  readonly [K in keyof Options]?: Scheduled<Options[K]> | undefined;
} & {
  /** A rate, or a schedule: number of updates done (from 0) → rate. */
  readonly lr?: LearningRate | undefined;
  /** Ascend instead of descend. Default false. */
  readonly maximize?: boolean | undefined;
  /** How moments are stored; default as the rule makes them, in the parameter's dtype. Cannot be changed later. */
  readonly stateDtype?: StateDType | undefined;
};

export type NamedParameters = readonly Parameter[] | Readonly<Record<string, Parameter>>;

/** One group with options of its own, over those of the optimizer. */
export type ParameterGroupOptions<Options extends object> = GroupOptions<Options> & {
  readonly parameters: NamedParameters;
  /** Shown in errors and `explain`, and what saved state goes by. Default `group.N`. */
  readonly name?: string | undefined;
};

/**
 * What an optimizer is given: parameters, which go by their `name` (`parameter.N` without one); a record, whose keys
 * are the names; or a list of groups.
 */
export type OptimizerParameters<Options extends object> = NamedParameters | readonly ParameterGroupOptions<Options>[];

/** One parameter of an optimizer. What is not readonly is the Optimizer's to write. */
export interface Entry {
  readonly name: string;
  readonly parameter: Parameter;
  /** Updates this parameter has had: it keeps its own count, as it may be without gradient at times. */
  updates: number;
  /** By name; made at the first update. */
  state: Readonly<Record<string, Parameter>> | undefined;
  /** The options `state` was made for. */
  stateOptions: object | undefined;
}

interface GroupSettings<Options extends object> {
  readonly lr: LearningRate;
  readonly maximize: boolean;
  readonly options: ScheduledOptions<Options>;
  /** With NaN where a schedule gives the number. */
  readonly fixed: Readonly<Options>;
  /** Whether a schedule gives any. */
  readonly scheduled: boolean;
}

/** A group of an optimizer: its parameters and the options in force. */
export class ParameterGroup<Options extends object> {
  readonly name: string;
  /** In the order they were given; the trainable ones only. */
  readonly parameters: readonly Parameter[];
  /** For the Optimizer. */
  readonly entries: readonly Entry[];
  readonly #rule: Rule<string, Options>;
  readonly #step: () => number;
  readonly #initial: LearningRate;
  #settings: GroupSettings<Options>;

  constructor(
    rule: Rule<string, Options>,
    name: string,
    entries: readonly Entry[],
    given: GroupOptions<Options>,
    step: () => number,
  ) {
    this.#rule = rule;
    this.#step = step;
    this.name = name;
    this.entries = entries;
    this.parameters = entries.map((entry) => entry.parameter);
    const base = {
      lr: rule.lr,
      maximize: false,
      options: rule.defaults as ScheduledOptions<Options>,
      fixed: rule.defaults,
      scheduled: false,
    };
    this.#settings = resolve(rule, base, given, step());
    this.#initial = this.#settings.lr;
  }

  /**
   * The learning rate of the next update. May be set to a rate or a schedule at any time: nothing is compiled anew.
   *
   * @throws ArgumentError when set to anything but a finite number ≥ 0 or a function, or when a schedule gives such a
   * rate.
   */
  get lr(): number {
    const { lr } = this.#settings;
    if (typeof lr === "number") return lr;
    const step = this.#step();
    const rate = lr(step);
    checkRate(this.#rule.name, `the schedule's lr at step ${step}`, rate);
    return rate;
  }
  set lr(lr: LearningRate) {
    this.#settings = resolve(this.#rule, this.#settings, { lr } as GroupOptions<Options>, this.#step());
  }

  /** The learning rate the group was made with; of a schedule, the first. */
  get initialLr(): number {
    return typeof this.#initial === "number" ? this.#initial : this.#initial(0);
  }
  /** The schedule, or the constant rate. */
  get learningRate(): LearningRate {
    return this.#settings.lr;
  }
  get maximize(): boolean {
    return this.#settings.maximize;
  }
  /** The rule's options as they were given, schedules among them; `configure` changes them. */
  get options(): ScheduledOptions<Options> {
    return this.#settings.options;
  }
  /** The options with NaN where a schedule gives the number. The same object as long as nothing is configured. */
  get fixedOptions(): Readonly<Options> {
    return this.#settings.fixed;
  }
  /**
   * The options of the next update.
   *
   * @throws ArgumentError when a schedule gives a number out of range.
   */
  get currentOptions(): Readonly<Options> {
    const { options, fixed, scheduled } = this.#settings;
    // Without schedules nothing is NaN, and the options are those that were checked.
    if (!scheduled) return fixed;
    const current = optionsAt(options, this.#step());
    this.#rule.check(current);
    return current;
  }

  /**
   * Changes options from the next update on. All but `lr` are constants of a compiled step, which is compiled anew.
   *
   * @throws ArgumentError as the optimizer's constructor.
   */
  configure(changes: GroupOptions<Options>): void {
    checkNames(this.#rule, changes, []);
    const { stateDtype } = { ...this.options } as { stateDtype?: StateDType };
    if (changes.stateDtype !== undefined && changes.stateDtype !== stateDtype) {
      throw new ArgumentError(this.#rule.name, "stateDtype can be chosen only when an optimizer is made");
    }
    this.#settings = resolve(this.#rule, this.#settings, changes, this.#step());
  }
}

const common = ["lr", "maximize"];

function checkNames(rule: Rule<string, object>, given: object, also: readonly string[]): void {
  const known = [...new Set([...common, "stateDtype", ...also, ...Object.keys(rule.defaults)])];
  for (const option of Object.keys(given)) {
    if (!known.includes(option)) {
      throw new ArgumentError(rule.name, `unknown option ${option}; expected one of ${known.join(", ")}`);
    }
  }
}

function checkRate(rule: string, what: string, rate: unknown): void {
  if (typeof rate !== "number" || !(rate >= 0) || rate === Number.POSITIVE_INFINITY) {
    throw new ArgumentError(rule, `${what} must be a finite number ≥ 0, got ${String(rate)}`);
  }
}

/** `given` over `base`, checked. The options object stays the same one when no option of the rule changes. */
function resolve<Options extends object>(
  rule: Rule<string, Options>,
  base: Omit<GroupSettings<Options>, "lr"> & { readonly lr: LearningRate | undefined },
  given: GroupOptions<Options>,
  step: number,
): GroupSettings<Options> {
  const lr = given.lr ?? base.lr;
  if (lr === undefined) throw new ArgumentError(rule.name, "lr is required: a number or a schedule (step) => number");
  if (typeof lr !== "function") checkRate(rule.name, "lr", lr);
  const maximize = given.maximize ?? base.maximize;
  if (typeof maximize !== "boolean") {
    throw new ArgumentError(rule.name, `maximize must be true or false, got ${String(maximize)}`);
  }
  const own = Object.entries(given).filter(([key, value]) => !structural.has(key) && value !== undefined);
  if (own.length === 0 && base.options !== rule.defaults) return { ...base, lr, maximize };
  const options = Object.freeze({ ...base.options, ...Object.fromEntries(own) }) as ScheduledOptions<Options>;
  rule.check(optionsAt(options, step));
  return { lr, maximize, options, fixed: fixedOptions(options), scheduled: hasSchedules(options) };
}

const structural: ReadonlySet<string> = new Set([...common, "parameters", "name", "transforms", "convention"]);

/**
 * The groups of an optimizer.
 *
 * @throws ArgumentError on unknown options, on a name or a parameter that comes twice, or when nothing is trainable;
 * DTypeError on a trainable parameter that is not of a float dtype.
 */
export function makeGroups<Options extends object>(
  rule: Rule<string, Options>,
  parameters: OptimizerParameters<Options>,
  defaults: GroupOptions<Options>,
  step: () => number,
): ParameterGroup<Options>[] {
  checkNames(rule, defaults, ["transforms", "convention"]);
  const taken = { names: new Set<string>(), parameters: new Map<Parameter, string>(), count: 0 };
  const groups: ParameterGroup<Options>[] = [];
  for (const [index, given] of asGroups(rule.name, parameters).entries()) {
    checkNames(rule, given, ["parameters", "name"]);
    const name = given.name ?? `group.${index}`;
    if (groups.some((group) => group.name === name)) {
      throw new ArgumentError(rule.name, `two groups are named ${name}; names of groups must differ`);
    }
    const entries = makeEntries(rule.name, given.parameters, taken);
    const own = defined(given);
    const options = rule.groupOptions?.(defaults, own) ?? { ...defaults, ...own };
    groups.push(new ParameterGroup(rule, name, entries, options, step));
  }
  if (groups.every((group) => group.entries.length === 0)) {
    throw new ArgumentError(rule.name, "there is no trainable parameter to update");
  }
  return groups;
}

function defined<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
}

function asGroups<Options extends object>(
  subject: string,
  parameters: OptimizerParameters<Options>,
): readonly ParameterGroupOptions<Options>[] {
  const one = (list: NamedParameters) => [{ parameters: list } as ParameterGroupOptions<Options>];
  if (!Array.isArray(parameters)) {
    if (typeof parameters !== "object" || parameters === null) {
      throw new ArgumentError(
        subject,
        `expected parameters, a record of parameters or a list of groups, got ${String(parameters)}`,
      );
    }
    return one(parameters as Readonly<Record<string, Parameter>>);
  }
  const list = parameters as readonly (Parameter | ParameterGroupOptions<Options>)[];
  const isGroup = (item: Parameter | ParameterGroupOptions<Options>): item is ParameterGroupOptions<Options> =>
    !(item instanceof Parameter) && typeof item === "object" && item !== null && "parameters" in item;
  if (list.length > 0 && list.every(isGroup)) return list;
  return one(list as readonly Parameter[]);
}

function makeEntries(
  subject: string,
  given: NamedParameters,
  taken: { readonly names: Set<string>; readonly parameters: Map<Parameter, string>; count: number },
): Entry[] {
  const isList = Array.isArray(given);
  const entries: Entry[] = [];
  for (const [key, parameter] of Object.entries(given) as [string, Parameter][]) {
    const position = taken.count++;
    if (!(parameter instanceof Parameter)) {
      throw new ArgumentError(subject, `expected a Parameter at ${key}, got ${String(parameter)}`);
    }
    const name = isList ? parameter.name || `parameter.${position}` : key;
    const other = taken.parameters.get(parameter);
    if (other !== undefined) {
      throw new ArgumentError(subject, `the same parameter is given twice, as ${other} and as ${name}`);
    }
    if (taken.names.has(name)) {
      throw new ArgumentError(
        subject,
        `two parameters are named ${name}; names must differ, as state goes by them (give a record { name: parameter } to rename)`,
      );
    }
    taken.names.add(name);
    taken.parameters.set(parameter, name);
    if (!parameter.trainable) continue;
    if (!isFloat(parameter.dtype)) {
      throw new DTypeError(subject, `parameter ${name} is ${parameter.dtype}; only float parameters can be trained`);
    }
    entries.push({ name, parameter, updates: 0, state: undefined, stateOptions: undefined });
  }
  return entries;
}
