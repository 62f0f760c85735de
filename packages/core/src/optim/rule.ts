/**
 * A rule: one optimization algorithm as a pure description. It names its state and says, in ordinary tensor operations,
 * what one update makes of a parameter, its gradient and its state. Everything else (groups, step counts, learning
 * rates, schedules, saving, applying in place) is the Optimizer's, once for all rules.
 */
import type { Schedule } from "../schedule/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { GroupOptions } from "./groups.ts";

export type { Schedule } from "../schedule/index.ts";

/** Options as a user may give them: a schedule wherever a number may stand. */
export type Scheduled<Value> = Value extends number
  ? Value | Schedule
  : Value extends readonly (number | null)[]
    ? { readonly [Key in keyof Value]: Scheduled<Value[Key]> }
    : Value;

/** What the scalars of one update may depend on. */
export interface ScalarContext<Options extends object = object> {
  /** Learning rate in force at this update. */
  readonly lr: number;
  /** Learning rate the group was made with; of a schedule, the first. */
  readonly initialLr: number;
  /** Which update of these parameters this is, from 1. A parameter that had no gradient keeps its own count. */
  readonly step: number;
  /** Which update of the optimizer this is, from 1, whether or not these parameters had a gradient in each. */
  readonly optimizerStep: number;
  /** Options with the numbers that schedules give at this update. */
  readonly options: Readonly<Options>;
}

/** Makes the scalars of an update. */
export interface ScalarMaker<Options extends object> {
  /** The learning rate as a scalar tensor that is bound afresh at every run. */
  readonly lr: Tensor;
  /**
   * A scalar tensor computed on the host in float64 and bound afresh at every run: whatever changes from step to step,
   * such as a bias correction, and every number among the options, since a schedule may give it. Never bake such a number
   * in as a constant: it would compile anew at every step. `value` may depend on its argument only; parameters updated
   * together share the scalar by name.
   */
  scalar(name: string, value: (context: ScalarContext<Options>) => number): Tensor;
}

export interface UpdateContext<State extends string, Options extends object> extends ScalarMaker<Options> {
  /** Name of the parameter. */
  readonly name: string;
  /** Name of its group. */
  readonly group: string;
  /** The value before the update, in the dtype arithmetic is done in (float32 for 16-bit parameters). */
  readonly parameter: Tensor;
  /** What to descend along: transformed already, and negated already when maximizing. Same shape and dtype. */
  readonly gradient: Tensor;
  /**
   * For a rule with `rowSparse`: which rows of the parameter the gradient lists, a bool mask that broadcasts to it.
   * Undefined where all count as listed.
   */
  readonly rows: Tensor | undefined;
  /** State before the update: the names `initialState` gave, in the dtype arithmetic is done in. */
  readonly state: Readonly<Record<State, Tensor>>;
  /**
   * The options, for what they decide once and for all (`amsgrad`, whether there is any momentum). A number that a schedule
   * gives is NaN here, so that no comparison with it holds; its value is in `scalar`'s argument.
   */
  readonly options: Readonly<Options>;
  /** What the rule's `share` gave for this update: its new state and its values. Empty for a rule without. */
  readonly shared: Readonly<Record<string, Tensor>>;
  /**
   * Whether `condition` holds at this update, known while its graph is built: for what costs too much to compute at every
   * update and throw away, such as roots of matrices that are computed anew at every tenth. A compiled step is traced
   * once for each answer and keeps both Programs. Everything that is cheap should be a scalar instead.
   */
  decide(condition: (context: ScalarContext<Options>) => boolean): boolean;
}

export interface UpdateResult<State extends string> {
  /** New value, of the parameter's shape. */
  readonly parameter: Tensor;
  /** New state: the names `initialState` gave. */
  readonly state?: Readonly<Partial<Record<State, Tensor>>>;
  /**
   * What `parameter` is made of, where the rule can tell: `from`, the value after decay, less `by`. For what changes the
   * step and leaves the decay alone (`cautious`).
   */
  readonly step?: { readonly from: Tensor; readonly by: Tensor };
}

/** A group at one update, as `share` sees it. */
export interface SharedGroup<State extends string, Options extends object> extends ScalarMaker<Options> {
  readonly name: string;
  readonly options: Readonly<Options>;
  /** Parameters that have a gradient; perhaps none. Their `shared` is not there yet. */
  readonly members: readonly UpdateContext<State, Options>[];
}

/** What is computed from all parameters together, before any is updated. */
export interface ShareContext<State extends string, Options extends object> {
  readonly groups: readonly SharedGroup<State, Options>[];
  /** Shared state before the update: scalars by the names `sharedState` gave. */
  readonly state: Readonly<Record<string, Tensor>>;
}

export interface ShareResult {
  /** New shared state, every name of it. */
  readonly state?: Readonly<Record<string, Tensor>>;
  /** Further scalars for `update`. */
  readonly values?: Readonly<Record<string, Tensor>>;
}

export interface Rule<State extends string, Options extends object> {
  /** The public name, e.g. `adamW`; the subject of every error. */
  readonly name: string;
  /** Whose meaning of the name this is, where there are several. Default `torch`. */
  readonly convention?: Convention;
  /** Whether it reads `rows`; they are looked for in the gradients of `minimize` only then. */
  readonly rowSparse?: boolean;
  /** How many updates make one step of the schedules: gradients may be gathered over several. Default 1. */
  readonly updatesPerStep?: number;
  /** Default learning rate; a rule without one demands it of the user. */
  readonly lr?: number;
  /** Every option of the rule with its default. */
  readonly defaults: Readonly<Options>;
  /** The options of a group, of those given to the optimizer and its own. Default: its own over the optimizer's. */
  groupOptions?(shared: GroupOptions<Options>, own: GroupOptions<Options>): GroupOptions<Options>;
  /** Throws ArgumentError on options outside their ranges. Schedules have been evaluated. */
  check(options: Readonly<Options>): void;
  /**
   * State at a parameter's first update, by name; usually zeros like the parameter. Which names may depend on the
   * options and on the parameter's shape and name.
   */
  initialState(parameter: Tensor, options: Readonly<Options>, name: string): Readonly<Partial<Record<State, Tensor>>>;
  update(context: UpdateContext<State, Options>): UpdateResult<State>;
  /**
   * State that is never negative: in 8 bits it needs no sign, and what is not 0 does not become 0. Default: the names that
   * second moments have here, such as `expAvgSq`.
   */
  readonly nonNegativeState?: readonly string[];
  /** State like the parameter that starts at zeros and yet is no moment: `stateDtype` leaves it alone. */
  readonly exactState?: readonly string[];
  /** Scalar state of the whole optimizer at its first update, by name. `groups`: their names and options. */
  sharedState?(
    groups: readonly { readonly name: string; readonly options: Readonly<Options> }[],
  ): Readonly<Record<string, number>>;
  /** Called once per update, before any parameter's. */
  share?(context: ShareContext<State, Options>): ShareResult;
  /**
   * Where to take the gradient that counts: new values for the members of each group, given the gradients at the present
   * ones. For rules that look at a loss twice (sharpness-aware minimization); only `minimize` can apply them.
   */
  perturb?(groups: readonly SharedGroup<State, Options>[]): readonly (readonly Tensor[])[];
  /** What `minimize` multiplies the loss by before it is differentiated, and divides the gradients by; of the shared state. */
  lossScale?(state: Readonly<Record<string, Tensor>>): Tensor;
  /** Takes in gradients that are no descent direction, such as those an estimate of the curvature is made from. */
  observe?(context: UpdateContext<State, Options>): Readonly<Partial<Record<State, Tensor>>>;
  /** The value to evaluate the model with, where it is not the one that is trained: an average. */
  evaluationValue?(context: EvaluationContext<State, Options>): Tensor;
}

/** A parameter that is not being updated. */
export type EvaluationContext<State extends string, Options extends object> = Pick<
  UpdateContext<State, Options>,
  "name" | "parameter" | "state" | "options" | "scalar"
>;

/** Of the same name, optimizers differ between libraries. The default is PyTorch's meaning, or the authors'. */
export type Convention = "torch" | "keras" | "optax" | "original";
