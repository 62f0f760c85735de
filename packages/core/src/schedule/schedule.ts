/** What a schedule is: a number for each step, that knows its name and options, can be saved and can draw itself. */
import type { PlotOptions } from "./plot.ts";

/** A number of each update: how many updates were done before it (from 0) → the number. A pure function. */
export type Schedule = (step: number) => number;

/** A schedule as plain JSON; `scheduleFrom` makes it a schedule again. */
export interface ScheduleDescription {
  /** Public name, e.g. `warmupCosine`. */
  readonly schedule: string;
  /** As its function takes them; `convention` among them where it is not the default. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What of a schedule that gives two numbers. Default: the rate. */
  readonly quantity?: "momentum";
}

/**
 * A schedule by one of the names of `schedules`. Call it with a step, or give it to an optimizer as any of its
 * hyper-parameters. It holds no state (but `reduceOnPlateau`, and what is made of one): resuming at a step gives what
 * having run until there would.
 */
export interface NamedSchedule<Options extends object = object> {
  /**
   * The number of a step.
   *
   * @param step Updates done before, from 0.
   * @throws ArgumentError unless it is a finite number ≥ 0.
   */
  (step: number): number;
  readonly schedule: string;
  /** All of them, defaults included. */
  readonly options: Readonly<Options>;
  /** The momentum that goes with the rate, itself a schedule; `oneCycle` and `cyclic` have one. */
  readonly momentum: NamedSchedule | undefined;
  /** Steps after which it has shown what it does; what a plot shows. */
  readonly horizon: number;
  toJSON(): ScheduleDescription;
  /** Its curve as some lines of text, with its numbers at the axes. */
  plot(options?: PlotOptions): string;
  /** Name, options and plot. */
  toString(): string;
}

export const isNamedSchedule = (value: unknown): value is NamedSchedule =>
  typeof value === "function" && "schedule" in value && typeof value.schedule === "string" && "toJSON" in value;
