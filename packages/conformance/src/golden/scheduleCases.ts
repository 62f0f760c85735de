/** Golden schedules: the learning rate in force at each step. */
import { type NamedSchedule, type Plateau, scheduleFrom, schedules } from "@thalweg/core/optim";
import { scheduleTolerance } from "../tolerances.ts";

export interface GoldenScheduleCase {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly baseLr?: number;
  /** At step i, from 0. */
  readonly lr: readonly number[];
  readonly momentum?: readonly number[];
  /** Reported after step i. */
  readonly metrics?: readonly number[];
}

export interface GoldenScheduleFile {
  readonly schema: "thalweg/golden-schedule/1";
  readonly schedule: string;
  readonly convention?: string;
  readonly cases: readonly GoldenScheduleCase[];
}

type Make = (options: Readonly<Record<string, unknown>>) => NamedSchedule;

/** The numbers at the steps `from`, `from` + 1, …, asked for in order or the last one first. */
function valuesOf(schedule: NamedSchedule, count: number, { from = 0, backwards = false } = {}): number[] {
  const steps = Array.from({ length: count - from }, (_, i) => from + i);
  if (!backwards) return steps.map((step) => schedule(step));
  return steps
    .reverse()
    .map((step) => schedule(step))
    .reverse();
}

function expectClose(what: string, actual: readonly number[], expected: readonly number[], from = 0): void {
  const scale = Math.max(...expected.map(Math.abs), Number.MIN_VALUE);
  for (const [i, value] of actual.entries()) {
    const wanted = expected[from + i] as number;
    if (!(Math.abs(value - wanted) <= scheduleTolerance.float64 * scale)) {
      throw new Error(`${what} at step ${from + i}: got ${value}, expected ${wanted}`);
    }
  }
}

function expectSame(what: string, actual: readonly number[], expected: readonly number[]): void {
  for (const [i, value] of actual.entries()) {
    if (!Object.is(value, expected[i]))
      throw new Error(`${what}: got ${value} for entry ${i}, expected ${expected[i]}`);
  }
}

/** A schedule again, from its JSON as text. */
const copyOf = (schedule: NamedSchedule): NamedSchedule => scheduleFrom(JSON.parse(JSON.stringify(schedule)));

/** A pure function of the step: values, in whatever order they are asked for, from a copy, from the middle. */
function checkFunction(what: string, schedule: NamedSchedule, expected: readonly number[]): void {
  const count = expected.length;
  const values = valuesOf(schedule, count);
  expectClose(what, values, expected);
  expectSame(`${what}, last step first`, valuesOf(schedule, count, { backwards: true }), values);
  expectSame(`${what}, from its JSON`, valuesOf(copyOf(schedule), count), values);
  const middle = count >> 1;
  expectSame(
    `${what}, resumed at step ${middle}`,
    valuesOf(copyOf(schedule), count, { from: middle }),
    values.slice(middle),
  );
}

const isPlateau = (schedule: NamedSchedule): schedule is NamedSchedule & Plateau => "report" in schedule;

/** The rates while metrics are reported; half way it goes on from its saved state, in a copy. */
function checkReports(schedule: NamedSchedule, { lr, metrics = [] }: GoldenScheduleCase): void {
  if (!isPlateau(schedule)) throw new Error(`${schedule.schedule} takes no metrics`);
  let current = schedule;
  const rates = lr.map((_, step) => {
    if (step === lr.length >> 1) {
      const copy = copyOf(current);
      if (!isPlateau(copy)) throw new Error(`${schedule.schedule} takes no metrics once made from JSON`);
      copy.loadStateDict(JSON.parse(JSON.stringify(current.stateDict())));
      current = copy;
    }
    const rate = current(step);
    if (metrics[step] !== undefined) current.report(metrics[step]);
    return rate;
  });
  expectClose("lr", rates, lr);
}

/** Why a file's schedule cannot be run; undefined if it can. */
export function unknownSchedule({ schedule, convention = "torch" }: GoldenScheduleFile): string | undefined {
  if (!Object.hasOwn(schedules, schedule)) return `the schedule ${schedule} is not known`;
  const { conventions } = schedules[schedule as keyof typeof schedules];
  if (Object.hasOwn(conventions, convention)) return undefined;
  return `the schedule ${schedule} with the conventions of ${convention} is not known`;
}

/** Throws unless the schedule is what the case says it is. */
export function checkScheduleCase(
  { schedule: name, convention }: GoldenScheduleFile,
  golden: GoldenScheduleCase,
): void {
  // The option names of the golden files are the library's; which schedule takes which is known at run time only.
  const make = (schedules as unknown as Readonly<Record<string, Make>>)[name] as Make;
  const { baseLr, options, lr, momentum, metrics } = golden;
  const schedule = make({
    ...(baseLr === undefined ? {} : { baseLr }),
    ...options,
    ...(convention === undefined ? {} : { convention }),
  });
  if (metrics !== undefined) checkReports(schedule, golden);
  else checkFunction("lr", schedule, lr);
  if (momentum === undefined) return;
  if (!schedule.momentum) throw new Error(`${name} has no momentum`);
  checkFunction("momentum", schedule.momentum, momentum);
}
