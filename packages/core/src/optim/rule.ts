/**
 * A rule: one optimization algorithm as a pure description. It names its state and says, in ordinary tensor operations,
 * what one update makes of a parameter, its gradient and its state. Everything else (groups, step counts, learning
 * rates, saving, applying in place) is the Optimizer's, once for all rules.
 */
import type { Tensor } from "../tensor/tensor.ts";

/** Learning rate of each update: the number of updates done before it (from 0) → the rate. A pure function. */
export type Schedule = (step: number) => number;

/** What the scalars of one update may depend on. */
export interface ScalarContext {
  /** Learning rate in force at this update. */
  readonly lr: number;
  /** Which update of these parameters this is, from 1. A parameter that had no gradient keeps its own count. */
  readonly step: number;
}

export interface UpdateContext<State extends string, Options extends object> {
  /** The value before the update, in the dtype arithmetic is done in (float32 for 16-bit parameters). */
  readonly parameter: Tensor;
  /** What to descend along: transformed already, and negated already when maximizing. Same shape and dtype. */
  readonly gradient: Tensor;
  /** State before the update: the names `initialState` gave, in the dtype arithmetic is done in. */
  readonly state: Readonly<Record<State, Tensor>>;
  readonly options: Readonly<Options>;
  /** The learning rate as a scalar tensor that is bound afresh at every run. */
  readonly lr: Tensor;
  /**
   * A scalar tensor computed on the host in float64 and bound afresh at every run: whatever changes from step to step,
   * such as a bias correction. Never bake such a number in as a constant: it would compile anew at every step. `value`
   * may depend on its argument and the options only; parameters updated together share the scalar by name.
   */
  scalar(name: string, value: (context: ScalarContext) => number): Tensor;
}

export interface UpdateResult<State extends string> {
  /** New value, of the parameter's shape. */
  readonly parameter: Tensor;
  /** New state: the names `initialState` gave. */
  readonly state?: Readonly<Partial<Record<State, Tensor>>>;
}

export interface Rule<State extends string, Options extends object> {
  /** The public name, e.g. `adamW`; the subject of every error. */
  readonly name: string;
  /** Default learning rate; a rule without one demands it of the user. */
  readonly lr?: number;
  /** Every option of the rule with its default. */
  readonly defaults: Readonly<Options>;
  /** Throws ArgumentError on options outside their ranges. */
  check(options: Readonly<Options>): void;
  /**
   * State at a parameter's first update, by name; usually zeros like the parameter. Which names may depend on the
   * options.
   */
  initialState(parameter: Tensor, options: Readonly<Options>): Readonly<Partial<Record<State, Tensor>>>;
  update(context: UpdateContext<State, Options>): UpdateResult<State>;
}
