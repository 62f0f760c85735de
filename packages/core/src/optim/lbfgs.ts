/**
 * L-BFGS: steps along an approximate Newton direction, made of the last changes of parameters and gradient. Liu & Nocedal
 * 1989, "On the limited memory BFGS method for large scale optimization"; as torch.optim.LBFGS.
 */
import { ArgumentError, ThalwegError } from "../graph/errors.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkNonNegative, checkPositiveInteger } from "./checks.ts";
import {
  type GroupOptions,
  type LearningRate,
  makeGroups,
  type OptimizerParameters,
  type ParameterGroup,
} from "./groups.ts";
import { checkLbfgsState, type LbfgsState, readLbfgsState } from "./lbfgsState.ts";
import { type Evaluation, LbfgsVectors, type Loss } from "./lbfgsVectors.ts";
import type { Rule } from "./rule.ts";
import type { OptimizerStateDict } from "./stateDict.ts";
import { strongWolfe, type Trial } from "./strongWolfe.ts";

export interface LbfgsOptions {
  /** Iterations per step at most. Default 20. */
  maxIter: number;
  /** Evaluations of the loss per step after which no iteration begins; null (default) for 1.25 · maxIter. */
  maxEval: number | null;
  /** A step ends where no element of the gradient is larger. Default 1e-7. */
  toleranceGrad: number;
  /** A step ends where no parameter, or not the loss, changes by more. Default 1e-9. */
  toleranceChange: number;
  /** Pairs of changes that the direction is made of at most. Default 100. */
  historySize: number;
  /** `strong_wolfe`: search along each direction; null (default): go by `lr`. */
  lineSearchFn: "strong_wolfe" | null;
}

/** Pairs whose curvature is not clearly positive would spoil the direction. */
const leastCurvature = 1e-10;

/** What groups and saved options are checked by. */
const rule: Rule<never, LbfgsOptions> = {
  name: "lbfgs",
  lr: 1,
  defaults: {
    maxIter: 20,
    maxEval: null,
    toleranceGrad: 1e-7,
    toleranceChange: 1e-9,
    historySize: 100,
    lineSearchFn: null,
  },
  check({ maxIter, maxEval, toleranceGrad, toleranceChange, historySize, lineSearchFn }) {
    checkPositiveInteger("lbfgs", "maxIter", maxIter);
    if (maxEval !== null) checkPositiveInteger("lbfgs", "maxEval", maxEval);
    checkNonNegative("lbfgs", "toleranceGrad", toleranceGrad);
    checkNonNegative("lbfgs", "toleranceChange", toleranceChange);
    checkPositiveInteger("lbfgs", "historySize", historySize);
    if (lineSearchFn !== null && lineSearchFn !== "strong_wolfe") {
      throw new ArgumentError("lbfgs", `lineSearchFn must be strong_wolfe or null, got ${String(lineSearchFn)}`);
    }
  },
  initialState: () => ({}),
  update() {
    throw new ThalwegError("lbfgs", "a step looks at the loss several times; use minimize");
  },
};

/** An optimizer that goes by values of the loss, and so waits for them: its steps are asynchronous. */
export class Lbfgs {
  readonly name = "lbfgs";
  readonly #group: ParameterGroup<LbfgsOptions>;
  readonly #vectors: LbfgsVectors;
  #state: LbfgsState = { step: 0, iterations: 0, functionEvaluations: 0, last: undefined };
  #busy = false;

  /** Prefer `lbfgs(…)`. */
  constructor(parameters: OptimizerParameters<LbfgsOptions>, options: GroupOptions<LbfgsOptions>) {
    const groups = makeGroups(rule as Rule<string, LbfgsOptions>, parameters, options, () => this.#state.step);
    const [group, second] = groups;
    if (!group || second) {
      throw new ArgumentError("lbfgs", `takes one group, as its direction is of all parameters, got ${groups.length}`);
    }
    if (group.maximize) throw new ArgumentError("lbfgs", "maximize is not there; minimize the negative loss");
    this.#group = group;
    this.#vectors = new LbfgsVectors(group.parameters);
  }

  /** Number of steps so far. */
  get step(): number {
    return this.#state.step;
  }
  /** Iterations of all steps so far: directions that were made. */
  get iterations(): number {
    return this.#state.iterations;
  }
  /** How often the loss and its gradient were computed so far. */
  get functionEvaluations(): number {
    return this.#state.functionEvaluations;
  }
  /** The learning rate of the next step; may be set to a rate or a schedule of the steps at any time. */
  get lr(): number {
    return this.#group.lr;
  }
  set lr(lr: LearningRate) {
    this.#group.lr = lr;
  }
  /** The trainable parameters, in order. */
  get parameters(): readonly Parameter[] {
    return this.#group.parameters;
  }

  /**
   * One step: up to `maxIter` iterations, each with the loss and its gradient computed at least once. They are compiled once
   * for a function: keep `loss` the same from step to step, and hand what changes to it as `inputs`.
   *
   * @param loss Builds the loss from the parameters and `inputs`, as a compiled function would.
   * @returns The loss at the start of the step.
   * @throws AutodiffError for a loss that is not a scalar or depends on no parameter; ArgumentError while another step is
   * under way.
   */
  async minimize<Inputs extends readonly Tensor[]>(loss: Loss<Inputs>, ...inputs: Inputs): Promise<Tensor> {
    if (this.#busy) throw new ArgumentError("lbfgs", "minimize: a step is under way; await it first");
    this.#busy = true;
    try {
      return await this.#minimize(loss, inputs);
    } finally {
      this.#busy = false;
    }
  }

  async #minimize<Inputs extends readonly Tensor[]>(loss: Loss<Inputs>, inputs: Inputs): Promise<Tensor> {
    const vectors = this.#vectors;
    const options = this.#group.currentOptions;
    const { lr } = this.#group;
    const maxEval = options.maxEval ?? Math.floor((options.maxIter * 5) / 4);
    const first = await vectors.evaluate(loss, inputs);
    let evaluations = 1;
    this.#state = {
      ...this.#state,
      step: this.#state.step + 1,
      functionEvaluations: this.#state.functionEvaluations + 1,
    };
    if (first.largest <= options.toleranceGrad) return first.loss;

    let now: Pick<Evaluation, "gradient" | "value" | "largest"> = first;
    for (let iteration = 1; iteration <= options.maxIter; iteration++) {
      const { direction, history, scale } = await this.#nextDirection(now.gradient, options.historySize);
      const isFirst = this.#state.iterations === 0;
      let t = isFirst ? Math.min(1, 1 / first.total) * lr : lr;
      const before = now;
      const remember = (searched = 0): void => {
        const functionEvaluations = this.#state.functionEvaluations + searched;
        const last = { direction, t, gradient: before.gradient, history, scale };
        this.#state = { ...this.#state, functionEvaluations, last };
        evaluations += searched;
      };
      this.#state = { ...this.#state, iterations: this.#state.iterations + 1 };
      remember();
      const { slope, reach } = await vectors.along(now.gradient, direction);
      if (slope > -options.toleranceChange) break;

      const start = vectors.position();
      if (options.lineSearchFn === "strong_wolfe") {
        const evaluate = async (at: number): Promise<Trial<Evaluation>> => {
          const trial = await vectors.evaluateAt(loss, inputs, start, direction, at);
          return { t: at, value: trial.value, slope: trial.slope, gradient: trial };
        };
        const from = { t: 0, value: now.value, slope, gradient: { ...first, ...now } };
        const search = await strongWolfe(evaluate, from, t, reach);
        t = search.best.t;
        vectors.place(start, direction, t);
        now = search.best.gradient;
        remember(search.evaluations);
      } else if (iteration < options.maxIter) {
        now = await vectors.evaluateAt(loss, inputs, start, direction, t);
        remember(1);
      } else {
        vectors.place(start, direction, t);
      }

      if (evaluations >= maxEval || now.largest <= options.toleranceGrad) break;
      if (Math.abs(t) * reach <= options.toleranceChange) break;
      if (Math.abs(now.value - before.value) < options.toleranceChange) break;
    }
    return first.loss;
  }

  /** The direction from a place with that gradient, and what it is made of. */
  async #nextDirection(gradient: Tensor, historySize: number) {
    const { last } = this.#state;
    if (!last) return { direction: this.#vectors.descent(gradient), history: [], scale: 1 };
    const { step, change, curvature, square } = await this.#vectors.differences(
      gradient,
      last.gradient,
      last.direction,
      last.t,
    );
    let { history, scale } = last;
    if (curvature > leastCurvature) {
      history = [...history, { step, change, rho: 1 / curvature }].slice(-historySize);
      scale = curvature / square;
    }
    return { direction: this.#vectors.direction(gradient, history, scale), history, scale };
  }

  /** Counts, options, directions and history as plain data, by parameter name; of the form all optimizers have. */
  async stateDict(): Promise<OptimizerStateDict> {
    return readLbfgsState(this.#group, this.#state);
  }

  /**
   * Restores what `stateDict` gave. All or nothing: everything is checked before anything changes.
   *
   * @throws ArgumentError that lists all that is wrong.
   */
  async loadStateDict(saved: OptimizerStateDict): Promise<void> {
    if (this.#busy) throw new ArgumentError("lbfgs", "loadStateDict: a step is under way; await it first");
    const { changes, state } = checkLbfgsState(rule, this.#group, this.#vectors, saved);
    this.#group.configure(changes);
    this.#state = state;
  }

  /** Forgets history and direction, as if no step had been made. Parameters are not touched. */
  dispose(): void {
    this.#state = { step: 0, iterations: 0, functionEvaluations: 0, last: undefined };
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * L-BFGS, as torch.optim.LBFGS: for deterministic losses of small and middling size (fitting, physics, fine convergence at
 * the end), where it takes tens of steps for what first-order rules take thousands. `lr` 1. Each iteration of a step
 *
 *     y = g - g',  s = t d',  kept when y·s > 1e-10
 *     d ← -H g by the two-loop recursion over the last pairs, from H = (y·s / y·y) I
 *     p ← p + t d,  t = lr or what the strong Wolfe search finds
 *
 * with the first d = -g and the first t at most lr / Σ|g|. State: 2 historySize + 3 vectors like the parameters at most.
 * Steps depend on values of the loss and so are asynchronous: `await optimizer.minimize(() => loss)`. One group only; it has
 * one convention, and no transforms.
 *
 * @param parameters Parameters, a record of them, or one group; those that are not trainable are passed over.
 * @throws ArgumentError on unknown options or options out of range, several groups, or when nothing is trainable.
 */
export const lbfgs = (parameters: OptimizerParameters<LbfgsOptions>, options: GroupOptions<LbfgsOptions> = {}): Lbfgs =>
  new Lbfgs(parameters, options);
