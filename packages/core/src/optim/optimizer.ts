/**
 * The Optimizer: applies a rule to parameters. It finds gradients, passes them through transforms, hands each parameter
 * to the rule and assigns all results at once, in place. Used in a compiled function it is recorded with everything
 * else and replayed: step counts, learning rates and bias corrections advance as they would without compiling.
 */
import { grad } from "../autodiff/index.ts";
import { ArgumentError, AutodiffError, ShapeError } from "../graph/errors.ts";
import type { Node } from "../graph/node.ts";
import { formatShape, sameShape } from "../graph/shape.ts";
import { currentTrace, onRun, type Trace } from "../runtime/context.ts";
import { assignAll } from "../runtime/evaluate.ts";
import { barrier } from "../tensor/elementwise.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
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
import { arithmetic, inDType, type Updated, updatePairs } from "./updates.ts";

export type OptimizerOptions<Options extends object> = GroupOptions<Options> & {
  /** Applied in order to the gradients of every update. */
  readonly transforms?: readonly GradientTransform[] | undefined;
};

export interface MinimizeOptions {
  /** Whether parameters the loss does not depend on are passed over (default) or an error. */
  readonly allowUnused?: boolean;
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
  #step = 0;

  /** Prefer the named optimizers, or `optimizer(rule, …)`. */
  constructor(
    rule: Rule<string, Options>,
    parameters: OptimizerParameters<Options>,
    options: OptimizerOptions<Options>,
  ) {
    this.name = rule.name;
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
  minimize(loss: Tensor, { allowUnused = true }: MinimizeOptions = {}): Tensor {
    const root = loss.node;
    const ancestors = differentiableAncestors(root);
    const entries = this.#entries();
    const used = entries.filter((entry) => ancestors.has(entry.parameter.node));
    if (used.length === 0) throw new AutodiffError(this.name, "the loss depends on no parameter of the optimizer");
    if (!allowUnused && used.length < entries.length) {
      const unused = entries.find((entry) => !used.includes(entry)) as Entry;
      throw new AutodiffError(this.name, `the loss does not depend on parameter ${unused.name}`);
    }
    const gradients = grad(
      loss,
      used.map((entry) => entry.parameter),
    );
    this.#apply(new Map(used.map((entry, i) => [entry, gradients[i] as Tensor])), [root]);
    return loss;
  }

  /**
   * One update with gradients computed elsewhere: a map, or a list in the order of `parameters`. A parameter whose
   * gradient is null or missing keeps value, state and step count.
   *
   * @throws ArgumentError for a list of another length or a parameter of another optimizer; ShapeError for a gradient
   * of another shape than its parameter.
   */
  update(gradients: Gradients): void {
    const entries = this.#entries();
    const list =
      gradients instanceof Map ? this.#inOrder(gradients, entries) : (gradients as readonly (Tensor | null)[]);
    if (list.length !== entries.length) {
      throw new ArgumentError(this.name, `update got ${list.length} gradients for ${entries.length} parameters`);
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
    this.#apply(present, []);
  }

  #inOrder(gradients: ReadonlyMap<Parameter, Tensor | null>, entries: readonly Entry[]): (Tensor | null)[] {
    const own = new Set(entries.map((entry) => entry.parameter));
    for (const parameter of gradients.keys()) {
      if (!own.has(parameter)) {
        throw new ArgumentError(
          this.name,
          `update got a gradient for ${parameter.name || "a parameter"} that it does not train`,
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
    const trace = currentTrace();
    const recorded = (trace && this.#recorded.get(trace)) ?? new Map<Entry, number>();
    const countOf = (entry: Entry): number => entry.updates + (recorded.get(entry) ?? 0);
    assignAll(updatePairs(this.#updated, ready, countOf), [...also]);
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

  /** Step counts, rates, options and state as plain data, by parameter and group name. */
  async stateDict(): Promise<OptimizerStateDict> {
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

function checkTransforms(rule: string, transforms: readonly GradientTransform[] = []): readonly GradientTransform[] {
  if (!Array.isArray(transforms) || !transforms.every((transform) => typeof transform === "function")) {
    throw new ArgumentError(rule, "transforms must be a list of functions (gradients, parameters) => gradients");
  }
  return [...transforms];
}
