/** Pieces that chain into rules: each takes a step apart from how it came about, and gives another. */
import type { Tensor } from "../../tensor/tensor.ts";
import type { LearningRate } from "../groups.ts";
import type { ScheduledOptions } from "../hyperparameters.ts";
import type { ScalarMaker, UpdateContext } from "../rule.ts";

/** What a piece sees of a parameter. */
export interface PieceContext<State extends string, Options extends object> extends ScalarMaker<Options> {
  /** Name of the parameter. */
  readonly name: string;
  /** The value before the update. */
  readonly parameter: Tensor;
  /** The gradient, as it was before the first piece. */
  readonly gradient: Tensor;
  /** The piece's own state before the update. */
  readonly state: Readonly<Record<State, Tensor>>;
  /** The piece's own options, for what they decide once and for all; numbers come through `scalar`. */
  readonly options: Readonly<Options>;
}

export interface PieceResult<State extends string> {
  /** What the next piece gets; in the end it is added to the parameter. Of the parameter's shape. */
  readonly update: Tensor;
  /** New state: the names `initialState` gave. */
  readonly state?: Readonly<Partial<Record<State, Tensor>>>;
}

export interface Piece<State extends string, Options extends object> {
  /** The public name, e.g. `scaleByAdam`: what its state and the chain go by. */
  readonly name: string;
  /** Every option, as given or by default. Any number may be a schedule. */
  readonly options: ScheduledOptions<Options>;
  /** Throws ArgumentError, whose subject is `name`, on options outside their ranges. Schedules have been evaluated. */
  check(options: Readonly<Options>): void;
  /** State at a parameter's first update, by name. Default: none. */
  initialState?(parameter: Tensor, options: Readonly<Options>): Readonly<Partial<Record<State, Tensor>>>;
  /** The first piece gets the gradient. */
  update(update: Tensor, context: PieceContext<State, Options>): PieceResult<State>;
  /** Names of state that is never negative, such as second moments: in 8 bits it needs no sign. */
  readonly nonNegativeState?: readonly string[];
  /** Set where the learning rate is used: the default, or null where it has to be given to the optimizer. */
  readonly learningRate?: LearningRate | null;
}

/** Any piece; what it does with its options and state is its own affair. */
export type AnyPiece = Piece<string, object>;

/** Of each option of a piece: its own name, and that in the chain. */
export type OptionNames = readonly (readonly [own: string, whole: string])[];

/** The options of one piece, by its own names, of all there are. */
export const ownOptions = (names: OptionNames, all: object): object =>
  Object.fromEntries(names.map(([own, whole]) => [own, (all as Readonly<Record<string, unknown>>)[whole]]));

/** What a piece that goes by `piece` sees of a parameter of the whole chain. `states`: names of its own state. */
export function contextOf(
  piece: string,
  options: OptionNames,
  states: readonly string[],
  context: UpdateContext<string, object>,
): PieceContext<string, object> {
  return {
    name: context.name,
    parameter: context.parameter,
    gradient: context.gradient,
    state: Object.fromEntries(states.map((name) => [name, context.state[`${piece}.${name}`] as Tensor])),
    options: ownOptions(options, context.options),
    scalar: (name, value) =>
      context.scalar(`${piece}.${name}`, (at) => value({ ...at, options: ownOptions(options, at.options) })),
    get lr() {
      return context.lr;
    },
  };
}
