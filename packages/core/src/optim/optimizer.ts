/**
 * The Optimizer: applies a rule to parameters. It finds gradients, passes them through transforms, hands each parameter
 * to the rule and assigns all results at once, in place. Used in a compiled function it is recorded with everything
 * else and replayed: step counts, learning rates and bias corrections advance as they would without compiling.
 */
import { grad, stopGradient } from "../autodiff/index.ts";
import { ArgumentError, AutodiffError, ShapeError } from "../graph/errors.ts";
import type { Node } from "../graph/node.ts";
import { formatShape, sameShape } from "../graph/shape.ts";
import { substitute } from "../graph/substitute.ts";
import { currentTrace, guard, onRun, type Trace } from "../runtime/context.ts";
import { assignAll } from "../runtime/evaluate.ts";
import { autocast } from "../tensor/autocast.ts";
import { castTo } from "../tensor/convert.ts";
import { zeros } from "../tensor/creation.ts";
import { barrier, div, mul } from "../tensor/elementwise.ts";
import { Parameter } from "../tensor/parameter.ts";
import { Tensor } from "../tensor/tensor.ts";
import { differentiableAncestors } from "./dependence.ts";
import { ClippedElements, diagnosticsOf, nodesOf, type UpdateDiagnostics } from "./diagnostics.ts";
import { type ExplainUpdateOptions, explainUpdate } from "./explainUpdate.ts";
import { checkTransforms, type GradientTransform } from "./gradientTransform.ts";
import {
  type Entry,
  type GroupOptions,
  type LearningRate,
  makeGroups,
  type OptimizerParameters,
  type ParameterGroup,
} from "./groups.ts";
import { asksForStateDType, withStateDType } from "./lowPrecisionState.ts";
import { prepareGradients } from "./preparedGradients.ts";
import type { Rule } from "./rule.ts";
import { listedRows, SparseGradient } from "./sparseGradient.ts";
import { checkStateDict, type OptimizerStateDict, readStateDict, restoreEntry, restoreShared } from "./stateDict.ts";
import { evaluationValues, lossScaleOf, observedPairs, perturbedValues, type Updated, updatePairs } from "./updates.ts";

export type OptimizerOptions<Options extends object> = GroupOptions<Options> & {
  /** Applied in order to the gradients of every update. */
  readonly transforms?: readonly GradientTransform[] | undefined;
};

export interface UpdateOptions {
  /** Given norms and ratios of the update, scalars computed in its own Program; see `minimizeWithDiagnostics`. */
  readonly onDiagnostics?: ((diagnostics: UpdateDiagnostics) => void) | undefined;
}

export interface MinimizeOptions extends UpdateOptions {
  /** Whether parameters the loss does not depend on are passed over (default) or an error. */
  readonly allowUnused?: boolean;
  /** Given the loss where the gradient was taken, by rules that look at it twice (`sam`, `asam`). */
  readonly onPerturbed?: (loss: Tensor) => void;
}

type Gradient = Tensor | SparseGradient | null;
type Gradients = ReadonlyMap<Parameter, Gradient> | readonly Gradient[];

export class Optimizer<Options extends object = object> {
  /** Name of the rule. */
  readonly name: string;
  readonly groups: readonly ParameterGroup<Options>[];
  readonly #updated: Updated<Options>;
  readonly #transforms: readonly GradientTransform[];
  /** Updates that a trace has recorded so far, and that its runs will count. */
  readonly #recorded = new WeakMap<Trace, Map<Entry, number>>();
  readonly #given: { readonly parameters: OptimizerParameters<Options>; readonly options: OptimizerOptions<Options> };
  /** What the parameters are while those of evaluation stand in them. */
  #training: ReadonlyMap<Parameter, Parameter> | undefined;
  #step = 0;

  /** Prefer the named optimizers, or `optimizer(rule, …)`. */
  constructor(
    given: Rule<string, Options>,
    parameters: OptimizerParameters<Options>,
    options: OptimizerOptions<Options>,
  ) {
    const isWrapped = Object.hasOwn(given.defaults, "stateDtype");
    const groups = (Array.isArray(parameters) ? parameters : []) as readonly object[];
    const rule = !isWrapped && [options, ...groups].some(asksForStateDType) ? withStateDType(given) : given;
    this.name = rule.name;
    this.#given = { parameters, options };
    this.#transforms = checkTransforms(rule.name, options.transforms);
    this.groups = makeGroups(rule, parameters, options, () => Math.floor(this.#step / (rule.updatesPerStep ?? 1)));
    this.#updated = { rule, groups: this.groups, step: () => this.#step, shared: undefined };
  }

  /** Number of updates so far; replays of a compiled step count. */
  get step(): number {
    return this.#step;
  }

  /**
   * The learning rate of the next update (of the first group, where they differ). Setting it, to a rate or a schedule,
   * sets it for every group and compiles nothing anew.
   */
  get lr(): number {
    return (this.groups[0] as ParameterGroup<Options>).lr;
  }
  set lr(lr: LearningRate) {
    for (const group of this.groups) group.lr = lr;
  }

  /** The trainable parameters of all groups, in order. */
  get parameters(): readonly Parameter[] {
    return this.#entries().map((entry) => entry.parameter);
  }

  /** State by parameter name, then by the rule's own names; parameters that were never updated have none. */
  get state(): ReadonlyMap<string, Readonly<Record<string, Parameter>>> {
    const state = new Map<string, Readonly<Record<string, Parameter>>>();
    for (const entry of this.#entries()) if (entry.state) state.set(entry.name, entry.state);
    return state;
  }

  #entries(): Entry[] {
    return this.groups.flatMap((group) => group.entries);
  }

  /**
   * One update down the gradient of `loss` (up it where `maximize`), in one Program with the loss itself. Parameters
   * the loss does not depend on keep value, state and step count.
   *
   * @param loss A scalar.
   * @returns The loss, before the update.
   * @throws AutodiffError for a loss that is not a scalar or depends on no parameter; with `allowUnused: false` on the
   * first parameter it does not depend on.
   */
  minimize(loss: Tensor, { allowUnused = true, onPerturbed, onDiagnostics }: MinimizeOptions = {}): Tensor {
    if (this.#training)
      throw new ArgumentError(this.name, "minimize: the parameters are those of evaluation; call train()");
    const root = loss.node;
    const ancestors = differentiableAncestors(root);
    const entries = this.#entries();
    const used = entries.filter((entry) => ancestors.has(entry.parameter.node));
    if (used.length === 0) throw new AutodiffError(this.name, "the loss depends on no parameter of the optimizer");
    if (!allowUnused && used.length < entries.length) {
      const unused = entries.find((entry) => !used.includes(entry)) as Entry;
      throw new AutodiffError(this.name, `the loss does not depend on parameter ${unused.name}`);
    }
    const gradients = gradientsOf(
      loss,
      new Map(used.map((entry) => [entry, entry.parameter])),
      lossScaleOf(this.#updated),
    );
    if (!this.#updated.rule.perturb) {
      this.#apply(gradients, [root], this.#listedRows(gradients), onDiagnostics);
      return loss;
    }
    const perturbed = this.#atPerturbed(root, gradients);
    this.#apply(perturbed.gradients, [root, perturbed.loss.node], this.#listedRows(perturbed.gradients), onDiagnostics);
    onPerturbed?.(perturbed.loss);
    return loss;
  }

  /**
   * As `minimize`, and tells how the update went: norms of gradients and update, update over weights, what was clipped; of
   * all parameters and of each group. Scalars of the same Program: return them from a compiled step, and reading them later
   * costs no synchronisation that reading the loss does not.
   */
  minimizeWithDiagnostics(
    loss: Tensor,
    options: Omit<MinimizeOptions, "onDiagnostics"> = {},
  ): { loss: Tensor; diagnostics: UpdateDiagnostics } {
    let diagnostics: UpdateDiagnostics | undefined;
    const onDiagnostics = (given: UpdateDiagnostics): void => {
      diagnostics = given;
    };
    this.minimize(loss, { ...options, onDiagnostics });
    return { loss, diagnostics: diagnostics as unknown as UpdateDiagnostics };
  }

  /** The same loss where the rule wants its gradients taken, and these. */
  #atPerturbed(root: Node, gradients: ReadonlyMap<Entry, Tensor>): { loss: Tensor; gradients: Map<Entry, Tensor> } {
    const values = perturbedValues(this.#updated, gradients, this.#countOf());
    // Variables of their own: what they were computed from is no part of the derivative.
    const variables = new Map([...values].map(([entry, value]) => [entry, barrier(stopGradient(value))]));
    const replacements = new Map([...variables].map(([entry, { node }]) => [entry.parameter.node, node]));
    const [perturbed] = substitute([root], (node) => replacements.get(node)) as [Node];
    const loss = new Tensor(perturbed);
    return { loss, gradients: gradientsOf(loss, variables) };
  }

  /** Masks of the rows that gradients list, where the rule asks for them and a gradient is made by looking rows up. */
  #listedRows(gradients: ReadonlyMap<Entry, Tensor>): Map<Entry, Tensor> {
    const rows = new Map<Entry, Tensor>();
    if (!this.#updated.rule.rowSparse) return rows;
    for (const [entry, gradient] of gradients) {
      const mask = listedRows(gradient);
      if (mask) rows.set(entry, mask);
    }
    return rows;
  }

  /** Updates each parameter has had, those that the current trace has recorded among them. */
  #countOf(): (entry: Entry) => number {
    const trace = currentTrace();
    const recorded = trace && this.#recorded.get(trace);
    return (entry) => entry.updates + (recorded?.get(entry) ?? 0);
  }

  /**
   * One update with gradients computed elsewhere: a map, or a list in the order of `parameters`. A parameter whose
   * gradient is null or missing keeps value, state and step count. A `SparseGradient` stands for zeros in all rows but
   * those it lists; `sparseAdam` leaves the other rows alone.
   *
   * @throws ArgumentError for a list of another length or a parameter of another optimizer; ShapeError for a gradient
   * of another shape than its parameter.
   */
  update(gradients: Gradients, { onDiagnostics }: UpdateOptions = {}): void {
    if (this.#updated.rule.perturb) {
      throw new ArgumentError(this.name, "update: this rule looks at the loss twice; use minimize");
    }
    const { dense, rows } = this.#present("update", gradients);
    this.#apply(dense, [], rows, onDiagnostics);
  }

  /**
   * Gradients the rule takes in beside those it descends along: sophiaG estimates the curvature from gradients on labels
   * sampled from the model. Parameters and step counts do not change.
   *
   * @throws ArgumentError for a rule that observes nothing, and as `update`.
   */
  observe(gradients: Gradients): void {
    if (!this.#updated.rule.observe) throw new ArgumentError(this.name, "observe: this rule observes nothing");
    assignAll(observedPairs(this.#updated, this.#present("observe", gradients).dense));
  }

  /** The gradients that there are, by entry, and the rows that the sparse ones list. */
  #present(method: string, gradients: Gradients): { dense: Map<Entry, Tensor>; rows: Map<Entry, Tensor> } {
    if (this.#training)
      throw new ArgumentError(this.name, `${method}: the parameters are those of evaluation; call train()`);
    const entries = this.#entries();
    const list =
      gradients instanceof Map ? this.#inOrder(method, gradients, entries) : (gradients as readonly Gradient[]);
    if (list.length !== entries.length) {
      throw new ArgumentError(this.name, `${method} got ${list.length} gradients for ${entries.length} parameters`);
    }
    const dense = new Map<Entry, Tensor>();
    const rows = new Map<Entry, Tensor>();
    for (const [i, entry] of entries.entries()) {
      const gradient = list[i];
      if (gradient === null || gradient === undefined) continue;
      if (gradient instanceof SparseGradient) {
        dense.set(entry, gradient.dense(entry.parameter.shape));
        rows.set(entry, gradient.rows(entry.parameter.shape));
        continue;
      }
      if (!sameShape(gradient.shape, entry.parameter.shape)) {
        throw new ShapeError(
          this.name,
          `the gradient of ${entry.name} has shape ${formatShape(gradient.shape)}, expected ${formatShape(entry.parameter.shape)}`,
        );
      }
      dense.set(entry, gradient);
    }
    return { dense, rows };
  }

  #inOrder(method: string, gradients: ReadonlyMap<Parameter, Gradient>, entries: readonly Entry[]): Gradient[] {
    const own = new Set(entries.map((entry) => entry.parameter));
    for (const parameter of gradients.keys()) {
      if (!own.has(parameter)) {
        throw new ArgumentError(
          this.name,
          `${method} got a gradient for ${parameter.name || "a parameter"} that it does not train`,
        );
      }
    }
    return entries.map((entry) => gradients.get(entry.parameter) ?? null);
  }

  #apply(
    gradients: ReadonlyMap<Entry, Tensor>,
    also: readonly Node[],
    rows: ReadonlyMap<Entry, Tensor>,
    onDiagnostics: UpdateOptions["onDiagnostics"],
  ): void {
    const clipped = new ClippedElements();
    const ready = autocast("float32", () =>
      prepareGradients(
        { name: this.name, transforms: this.#transforms, groups: this.groups, step: () => this.#step },
        gradients,
        (entry, elements) => clipped.add(entry, elements),
      ),
    );
    const entries = [...ready.keys()];
    // A compiled step must not go on training what was put there to evaluate.
    guard(() => this.#training === undefined);
    const trace = currentTrace();
    const recorded = (trace && this.#recorded.get(trace)) ?? new Map<Entry, number>();
    const pairs = autocast("float32", () => updatePairs(this.#updated, ready, this.#countOf(), rows));
    const diagnostics = onDiagnostics && diagnosticsOf(this.groups, gradients, new Set(entries), pairs, clipped);
    assignAll(pairs, [...also, ...(diagnostics ? nodesOf(diagnostics) : [])]);
    if (diagnostics) onDiagnostics?.(diagnostics);
    if (trace) {
      for (const entry of entries) recorded.set(entry, (recorded.get(entry) ?? 0) + 1);
      this.#recorded.set(trace, recorded);
    }
    const advance = (by: number): void => {
      for (const entry of entries) entry.updates += by;
      this.#step += by;
    };
    onRun(() => {
      advance(1);
      return () => advance(-1);
    });
  }

  /**
   * Puts the values to evaluate the model with into the parameters, for rules that keep an average beside what they train
   * (asgd, schedule-free rules, `ema`, `swa`); for others nothing changes. `train` goes back.
   */
  eval(): void {
    if (this.#training) return;
    const values = evaluationValues(this.#updated);
    if (values.size === 0) return;
    const training = new Map([...values.keys()].map(({ parameter }) => [parameter, copyOf(parameter)]));
    assignAll([...values].map(([{ parameter }, value]) => [parameter.storage, value.node]));
    this.#training = training;
  }

  /** Puts the values that are trained back into the parameters after `eval`. */
  train(): void {
    for (const [parameter, value] of this.#training ?? []) {
      parameter.assign(value);
      value.dispose();
    }
    this.#training = undefined;
  }

  /**
   * An optimizer of the same parameters, groups and options whose rule is `change(rule)`: how `lookahead`, `sam`, `ema` and
   * their like go round any optimizer.
   *
   * @throws ArgumentError after the first update: state would be lost.
   */
  withRule(change: (rule: Rule<string, Options>) => Rule<string, Options>): Optimizer<Options> {
    if (this.#step > 0) throw new ArgumentError(this.name, "an optimizer can be wrapped before its first update only");
    const { parameters, options } = this.#given;
    return new Optimizer(change(this.#updated.rule), parameters, options);
  }

  /** Scalars that the optimizer as a whole keeps, by name: prodigy's `d`. Empty before the first update. */
  get sharedState(): ReadonlyMap<string, Parameter> {
    return new Map(Object.entries(this.#updated.shared ?? {}));
  }

  /**
   * The update as text: for each group the options in force and its parameters with their state; then the kernels of one
   * update, gradients given. Runs nothing and changes nothing.
   */
  explain(options: ExplainUpdateOptions = {}): string {
    return explainUpdate(this, this.#updated, this.#transforms, options);
  }

  /** Step counts, rates, options and state as plain data, by parameter and group name. */
  async stateDict(): Promise<OptimizerStateDict> {
    if (this.#training)
      throw new ArgumentError(this.name, "stateDict: the parameters are those of evaluation; call train()");
    return readStateDict(this.#updated);
  }

  /**
   * Restores what `stateDict` gave: step counts, state, and as in PyTorch the options of each group; a schedule given
   * here stays. All or nothing: everything is checked before anything changes.
   *
   * @throws ArgumentError that lists all that is wrong: another rule, groups or parameters that are not the same by
   * name, state that is missing, unknown, or of another shape or dtype, malformed values.
   */
  async loadStateDict(saved: OptimizerStateDict): Promise<void> {
    const plan = checkStateDict(this.#updated, saved);
    for (const { group, changes } of plan.groups) group.configure(changes);
    for (const group of this.groups) {
      for (const { entry, saved: values } of plan.entries) {
        if (group.entries.includes(entry)) restoreEntry(entry, group.fixedOptions, values);
      }
    }
    restoreShared(this.#updated, saved.shared);
    this.#step = saved.step;
  }

  /** Frees the state now; otherwise it is freed when the optimizer is collected. Parameters are not touched. */
  dispose(): void {
    for (const entry of this.#entries()) {
      for (const state of Object.values(entry.state ?? {})) state.dispose();
      entry.state = undefined;
      entry.updates = 0;
    }
    for (const state of Object.values(this.#updated.shared ?? {})) state.dispose();
    this.#updated.shared = undefined;
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * An optimizer that applies `rule`: what the named optimizers are made with.
 *
 * @param parameters Parameters, a record of them, or groups; those that are not trainable are passed over.
 * @throws ArgumentError on unknown options or options out of range, on names or parameters that come twice, or when
 * nothing is trainable; DTypeError on trainable parameters that are not of a float dtype.
 */
export function optimizer<State extends string, Options extends object>(
  rule: Rule<State, Options>,
  parameters: OptimizerParameters<Options>,
  options: OptimizerOptions<Options> = {},
): Optimizer<Options> {
  return new Optimizer(rule as Rule<string, Options>, parameters, options);
}

/** `scale`: 16-bit gradients on the way are larger by it, so that small ones do not become 0. */
function gradientsOf(loss: Tensor, variables: ReadonlyMap<Entry, Tensor>, scale?: Tensor): Map<Entry, Tensor> {
  const gradients = grad(scale ? mul(loss, scale) : loss, [...variables.values()]);
  return new Map(
    [...variables.keys()].map((entry, i) => {
      const gradient = gradients[i] as Tensor;
      return [entry, scale ? castTo(div(gradient, scale), gradient.dtype) : gradient];
    }),
  );
}

/** Memory of its own with the same value. */
function copyOf(parameter: Parameter): Parameter {
  const copy = new Parameter(zeros(parameter.shape, { dtype: parameter.dtype }), { trainable: false });
  copy.assign(parameter);
  return copy;
}
