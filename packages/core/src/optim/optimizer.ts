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
import { zeros } from "../tensor/creation.ts";
import { barrier } from "../tensor/elementwise.ts";
import { Parameter } from "../tensor/parameter.ts";
import { Tensor } from "../tensor/tensor.ts";
import { differentiableAncestors } from "./dependence.ts";
import { applyTransforms, type GradientTransform } from "./gradientTransform.ts";
import {
  type Entry,
  type GroupOptions,
  type LearningRate,
  makeGroups,
  type OptimizerParameters,
  type ParameterGroup,
} from "./groups.ts";
import type { Rule } from "./rule.ts";
import { checkStateDict, type OptimizerStateDict, readStateDict, restoreEntry, restoreShared } from "./stateDict.ts";
import {
  arithmetic,
  evaluationValues,
  inDType,
  observedPairs,
  perturbedValues,
  type Updated,
  updatePairs,
} from "./updates.ts";

export type OptimizerOptions<Options extends object> = GroupOptions<Options> & {
  /** Applied in order to the gradients of every update. */
  readonly transforms?: readonly GradientTransform[] | undefined;
};

export interface MinimizeOptions {
  /** Whether parameters the loss does not depend on are passed over (default) or an error. */
  readonly allowUnused?: boolean;
  /** Given the loss where the gradient was taken, by rules that look at it twice (`sam`, `asam`). */
  readonly onPerturbed?: (loss: Tensor) => void;
}

type Gradients = ReadonlyMap<Parameter, Tensor | null> | readonly (Tensor | null)[];

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
    rule: Rule<string, Options>,
    parameters: OptimizerParameters<Options>,
    options: OptimizerOptions<Options>,
  ) {
    this.name = rule.name;
    this.#given = { parameters, options };
    this.#transforms = checkTransforms(rule.name, options.transforms);
    this.groups = makeGroups(rule, parameters, options, () => this.#step);
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
  minimize(loss: Tensor, { allowUnused = true, onPerturbed }: MinimizeOptions = {}): Tensor {
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
    const gradients = gradientsOf(loss, new Map(used.map((entry) => [entry, entry.parameter])));
    if (!this.#updated.rule.perturb) {
      this.#apply(gradients, [root]);
      return loss;
    }
    const perturbed = this.#atPerturbed(root, gradients);
    this.#apply(perturbed.gradients, [root, perturbed.loss.node]);
    onPerturbed?.(perturbed.loss);
    return loss;
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

  /** Updates each parameter has had, those that the current trace has recorded among them. */
  #countOf(): (entry: Entry) => number {
    const trace = currentTrace();
    const recorded = trace && this.#recorded.get(trace);
    return (entry) => entry.updates + (recorded?.get(entry) ?? 0);
  }

  /**
   * One update with gradients computed elsewhere: a map, or a list in the order of `parameters`. A parameter whose
   * gradient is null or missing keeps value, state and step count.
   *
   * @throws ArgumentError for a list of another length or a parameter of another optimizer; ShapeError for a gradient
   * of another shape than its parameter.
   */
  update(gradients: Gradients): void {
    if (this.#updated.rule.perturb) {
      throw new ArgumentError(this.name, "update: this rule looks at the loss twice; use minimize");
    }
    this.#apply(this.#present("update", gradients), []);
  }

  /**
   * Gradients the rule takes in beside those it descends along: sophiaG estimates the curvature from gradients on labels
   * sampled from the model. Parameters and step counts do not change.
   *
   * @throws ArgumentError for a rule that observes nothing, and as `update`.
   */
  observe(gradients: Gradients): void {
    if (!this.#updated.rule.observe) throw new ArgumentError(this.name, "observe: this rule observes nothing");
    assignAll(observedPairs(this.#updated, this.#present("observe", gradients)));
  }

  /** The gradients that there are, by entry. */
  #present(method: string, gradients: Gradients): Map<Entry, Tensor> {
    if (this.#training)
      throw new ArgumentError(this.name, `${method}: the parameters are those of evaluation; call train()`);
    const entries = this.#entries();
    const list =
      gradients instanceof Map ? this.#inOrder(method, gradients, entries) : (gradients as readonly (Tensor | null)[]);
    if (list.length !== entries.length) {
      throw new ArgumentError(this.name, `${method} got ${list.length} gradients for ${entries.length} parameters`);
    }
    const present = new Map<Entry, Tensor>();
    for (const [i, entry] of entries.entries()) {
      const gradient = list[i];
      if (gradient === null || gradient === undefined) continue;
      if (!sameShape(gradient.shape, entry.parameter.shape)) {
        throw new ShapeError(
          this.name,
          `the gradient of ${entry.name} has shape ${formatShape(gradient.shape)}, expected ${formatShape(entry.parameter.shape)}`,
        );
      }
      present.set(entry, gradient);
    }
    return present;
  }

  #inOrder(
    method: string,
    gradients: ReadonlyMap<Parameter, Tensor | null>,
    entries: readonly Entry[],
  ): (Tensor | null)[] {
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

  #apply(gradients: ReadonlyMap<Entry, Tensor>, also: readonly Node[]): void {
    const entries = [...gradients.keys()];
    const prepared = applyTransforms(
      this.name,
      this.#transforms,
      // Stored before a rule reads them, so that the updates of all parameters are kernels of one shape that the
      // compiler can join, rather than each an epilogue of its own gradient.
      entries.map((entry) => barrier(inDType(gradients.get(entry) as Tensor, arithmetic(entry.parameter)))),
      entries.map((entry) => entry.parameter),
    );
    const ready = new Map(entries.map((entry, i) => [entry, prepared[i] as Tensor]));
    // A compiled step must not go on training what was put there to evaluate.
    guard(() => this.#training === undefined);
    const trace = currentTrace();
    const recorded = (trace && this.#recorded.get(trace)) ?? new Map<Entry, number>();
    assignAll(updatePairs(this.#updated, ready, this.#countOf()), [...also]);
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

function gradientsOf(loss: Tensor, variables: ReadonlyMap<Entry, Tensor>): Map<Entry, Tensor> {
  const gradients = grad(loss, [...variables.values()]);
  return new Map([...variables.keys()].map((entry, i) => [entry, gradients[i] as Tensor]));
}

/** Memory of its own with the same value. */
function copyOf(parameter: Parameter): Parameter {
  const copy = new Parameter(zeros(parameter.shape, { dtype: parameter.dtype }), { trainable: false });
  copy.assign(parameter);
  return copy;
}

function checkTransforms(rule: string, transforms: readonly GradientTransform[] = []): readonly GradientTransform[] {
  if (!Array.isArray(transforms) || !transforms.every((transform) => typeof transform === "function")) {
    throw new ArgumentError(rule, "transforms must be a list of functions (gradients, parameters) => gradients");
  }
  return [...transforms];
}
