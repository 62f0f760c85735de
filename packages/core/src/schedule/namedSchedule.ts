/** The public functions that make schedules: one name, and the meanings it has in different libraries. */
import { ArgumentError } from "../graph/errors.ts";
import { type Complete, completeOptions, type OptionTable, wholeNumber, wrongOption } from "./option.ts";
import { formatNumber, type PlotOptions, plotCurve } from "./plot.ts";
import { isNamedSchedule, type NamedSchedule, type Schedule, type ScheduleDescription } from "./schedule.ts";

/** Options of a name by convention; `torch` stands for the default, whoever the authors are. */
type OptionsByConvention = { readonly torch: object; readonly keras?: object; readonly optax?: object };

/** What a schedule comes to, once its options are known. */
interface Built<Extra extends object> {
  /** The rate at a step ≥ 0. */
  readonly at: Schedule;
  readonly momentum?: Schedule | undefined;
  /** Steps after which it has shown what it does. */
  readonly horizon: number;
  /** Further properties of the schedule. */
  readonly extra?: Extra;
}

/** One meaning of a name. */
export interface ScheduleDefinition<Options extends object, Extra extends object = object> {
  readonly options: OptionTable<Options>;
  /** Options have been checked one by one; throws ArgumentError where they do not fit together. */
  build(options: Complete<Options>): Built<Extra>;
}

/** Makes schedules; `convention` says whose meaning of the name, and so which options. */
export interface ScheduleFunction<ByConvention extends OptionsByConvention, Extra extends object = object> {
  /** @throws ArgumentError on an option that is missing, unknown, or out of range: it names option and value. */
  <C extends keyof ByConvention = "torch">(
    options: ByConvention[C] & { readonly convention?: C | undefined },
  ): NamedSchedule<Complete<ByConvention[C] & object>> & Extra;
  /** The public name. */
  readonly schedule: string;
  /** The options each convention takes. */
  readonly conventions: Readonly<Record<string, readonly string[]>>;
}

const plain = (value: unknown): unknown =>
  isNamedSchedule(value) ? value.toJSON() : Array.isArray(value) ? value.map(plain) : value;

const show = (value: unknown): string => {
  if (isNamedSchedule(value)) return value.schedule;
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (typeof value === "object" && value !== null && "schedule" in value) return String(value.schedule);
  return typeof value === "number" ? formatNumber(value) : JSON.stringify(value);
};

function describe(description: ScheduleDescription, table: object): string {
  const { schedule, options, quantity } = description;
  const changed = Object.entries(options).filter(([key, value]) => {
    const option = (table as Record<string, { readonly default?: unknown }>)[key];
    return option?.default !== value;
  });
  const list = changed.map(([key, value]) => `${key}: ${show(value)}`).join(", ");
  return `${schedule}({ ${list} })${quantity === undefined ? "" : `.${quantity}`}`;
}

interface Parts {
  readonly description: ScheduleDescription;
  /** Of the definition, without `convention`. */
  readonly options: object;
  readonly table: object;
  readonly built: Built<object>;
}

/** The function that is the schedule, with all that it carries. */
function assemble({ description, options, table, built }: Parts): NamedSchedule {
  const { schedule, quantity } = description;
  const { at, horizon, momentum } = built;
  const call = (step: number): number => {
    if (typeof step !== "number" || !(step >= 0) || step === Number.POSITIVE_INFINITY) {
      throw wrongOption(schedule, "step", "a finite number ≥ 0", step);
    }
    return at(step);
  };
  const plot = ({ steps = horizon, width = 60, height = 6 }: PlotOptions = {}): string => {
    const counts = { steps: [steps, 2], width: [width, 10], height: [height, 2] } as const;
    for (const [name, [value, least]] of Object.entries(counts)) {
      const count = wholeNumber(least);
      if (!count.holds(value)) throw wrongOption(schedule, `plot's ${name}`, count.expected, value);
    }
    return plotCurve(at, steps, width, height);
  };
  const print = (): string => `${describe(description, table)}\n${plot()}`;
  const properties = {
    schedule,
    options,
    horizon,
    momentum:
      momentum &&
      assemble({
        description: { ...description, quantity: "momentum" },
        options,
        table,
        built: { at: momentum, horizon },
      }),
    toJSON: (): ScheduleDescription => ({
      schedule,
      options: Object.fromEntries(Object.entries(description.options).map(([key, value]) => [key, plain(value)])),
      ...(quantity === undefined ? {} : { quantity }),
    }),
    plot,
    toString: print,
    // Alone it prints its plot; among other things, its name.
    [Symbol.for("nodejs.util.inspect.custom")]: (
      depth: number | null,
      { depth: whole }: { depth: number | null },
    ): string => (depth === whole ? print() : describe(description, table)),
    ...(quantity === undefined ? built.extra : {}),
  };
  for (const [key, value] of [...Object.entries(properties), ...symbols(properties)]) {
    Object.defineProperty(call, key, { value, enumerable: true });
  }
  return call as unknown as NamedSchedule;
}

const symbols = (properties: object): [symbol, unknown][] =>
  Object.getOwnPropertySymbols(properties).map((key) => [key, (properties as Record<symbol, unknown>)[key]]);

/** A function that makes schedules named `name` by one of `definitions`. */
export function namedSchedule<ByConvention extends OptionsByConvention, Extra extends object = object>(
  name: string,
  definitions: { readonly [C in keyof ByConvention]: ScheduleDefinition<ByConvention[C] & object, Extra> },
): ScheduleFunction<ByConvention, Extra> {
  const known = definitions as unknown as Readonly<Record<string, ScheduleDefinition<Record<string, unknown>>>>;
  const make = (given: { readonly convention?: string | undefined }): NamedSchedule => {
    if (typeof given !== "object" || given === null) {
      throw new ArgumentError(name, `expected an object of options, got ${String(given)}`);
    }
    const { convention = "torch", ...rest } = given;
    const definition = Object.hasOwn(known, convention) ? known[convention] : undefined;
    if (!definition) throw wrongOption(name, "convention", `one of ${Object.keys(known).join(", ")}`, convention);
    const options = completeOptions(name, definition.options, rest);
    return assemble({
      description: { schedule: name, options: convention === "torch" ? options : { ...options, convention } },
      options,
      table: definition.options,
      built: definition.build(options),
    });
  };
  const conventions = Object.fromEntries(
    Object.entries(known).map(([convention, { options }]) => [convention, Object.keys(options)]),
  );
  return Object.assign(make, { schedule: name, conventions }) as unknown as ScheduleFunction<ByConvention, Extra>;
}
