/** Rules made of pieces, one after another, as in optax (DeepMind, https://github.com/google-deepmind/optax). */
import { ArgumentError, ThalwegError } from "../../graph/errors.ts";
import { add, cast } from "../../tensor/elementwise.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { applyTransforms, type GradientTransform } from "../gradientTransform.ts";
import type { LearningRate, OptimizerParameters } from "../groups.ts";
import { optionsAt } from "../hyperparameters.ts";
import { type Optimizer, type OptimizerOptions, optimizer } from "../optimizer.ts";
import type { Rule, ShareContext, UpdateContext, UpdateResult } from "../rule.ts";
import { type AnyPiece, contextOf, type OptionNames, ownOptions } from "./piece.ts";

/** A piece, or a gradient transform, which works on all parameters together. */
export type Link = AnyPiece | GradientTransform;

type OptionsOf<L> = L extends { check(options: infer Options): void } ? Options : object;
type Intersection<U> = (U extends unknown ? (u: U) => void : never) extends (all: infer I) => void ? I : never;
/** The options of all pieces. */
export type ChainOptions<Links extends readonly Link[]> = Intersection<OptionsOf<Links[number]>> & object;

/** Makes optimizers whose rule is a chain. */
export interface Chain<Options extends object> {
  (parameters: OptimizerParameters<Options>, options?: OptimizerOptions<Options>): Optimizer<Options>;
  readonly rule: Rule<string, Options>;
}

/** A link with the names it goes by in the whole. */
type Named =
  | { readonly name: string; readonly transform: GradientTransform }
  | {
      readonly name: string;
      readonly piece: AnyPiece;
      readonly options: OptionNames;
    };

const isTransform = (link: Link): link is GradientTransform => typeof link === "function";

const nameOf = (link: Link): string =>
  isTransform(link) ? ((link.description ?? link.name).match(/^\w+/)?.[0] ?? "transform") : link.name;

/** The first piece with an option has it under the option's own name, any further one as `piece.option`. */
function nameAll(links: readonly Link[]): Named[] {
  const names = new Set<string>();
  const options = new Set<string>();
  return links.map((link) => {
    const base = nameOf(link);
    let name = base;
    for (let count = 2; names.has(name); count++) name = `${base}${count}`;
    names.add(name);
    if (isTransform(link)) return { name, transform: link };
    const mapped = Object.keys(link.options).map((own) => [own, options.has(own) ? `${name}.${own}` : own] as const);
    for (const [, whole] of mapped) options.add(whole);
    return { name, piece: link, options: mapped };
  });
}

type Context = UpdateContext<string, object>;

/** What the links so far have made of one parameter's gradient. */
interface Progress {
  readonly context: Context;
  readonly update: Tensor;
  readonly state: Readonly<Record<string, Tensor>>;
}

const statePrefix = (name: string): string => `${name}.`;

function throughPiece({ name, piece, options }: Extract<Named, { piece: AnyPiece }>, before: Progress): Progress {
  const { context } = before;
  const prefix = statePrefix(name);
  const states = Object.keys(context.state).flatMap((key) =>
    key.startsWith(prefix) ? [key.slice(prefix.length)] : [],
  );
  const { update, state = {} } = piece.update(before.update, contextOf(name, options, states, context));
  const own = Object.entries(state).map(([key, value]) => [`${prefix}${key}`, value as Tensor] as const);
  return { context, update, state: { ...before.state, ...Object.fromEntries(own) } };
}

const startOf = (context: Context): Progress => ({ context, update: context.gradient, state: {} });

const resultOf = ({ context, update, state }: Progress): UpdateResult<string> => ({
  parameter: add(context.parameter, update),
  state,
});

/** All parameters through one gradient transform. */
function throughTransform(
  subject: string,
  { name, transform }: Extract<Named, { transform: GradientTransform }>,
  all: readonly Progress[],
  { groups }: ShareContext<string, object>,
): Progress[] {
  const scalars = groups[0];
  const whole: GradientTransform = (updates, parameters, context) =>
    transform(updates, parameters, {
      ...context,
      scalar: (label, like, value) => {
        const made = (scalars as NonNullable<typeof scalars>).scalar(`${name}.${label}`, ({ optimizerStep }) =>
          value(optimizerStep - 1),
        );
        return made.dtype === like.dtype ? made : cast(made, like.dtype);
      },
    });
  const transformed = applyTransforms(
    subject,
    [whole],
    all.map(({ update }) => update),
    all.map(({ context }) => context.parameter),
    { names: all.map(({ context }) => context.name) },
  );
  return all.map((before, i) => {
    const update = transformed[i];
    if (update) return { ...before, update };
    throw new ThalwegError(
      subject,
      `${name} left ${before.context.name} out, which a piece cannot; put it among the optimizer's transforms`,
    );
  });
}

function ruleOf(name: string, named: readonly Named[]): Rule<string, object> {
  const pieces = named.filter((link) => "piece" in link);
  const defaults = Object.fromEntries(
    pieces.flatMap(({ piece, options }) =>
      options.map(([own, whole]) => [whole, (piece.options as Readonly<Record<string, unknown>>)[own]]),
    ),
  );
  const rule: Rule<string, object> = {
    name,
    ...(pieces.some(({ piece }) => piece.learningRate !== undefined) ? {} : { lr: 1 }),
    defaults,
    check(all) {
      for (const { piece, options } of pieces) piece.check(ownOptions(options, all));
    },
    initialState: (parameter, all) =>
      Object.fromEntries(
        pieces.flatMap((link) => {
          const { piece, options } = link;
          const state = piece.initialState?.(parameter, ownOptions(options, all)) ?? {};
          return Object.entries(state).map(([key, value]) => [`${statePrefix(link.name)}${key}`, value as Tensor]);
        }),
      ),
    nonNegativeState: pieces.flatMap((link) =>
      (link.piece.nonNegativeState ?? []).map((state) => `${statePrefix(link.name)}${state}`),
    ),
    update: (context) => resultOf(pieces.reduce((before, piece) => throughPiece(piece, before), startOf(context))),
  };
  return named.length === pieces.length ? rule : together(rule, named);
}

/** `rule`, where some links look at all parameters: all of them are taken through each link before the next. */
function together(rule: Rule<string, object>, named: readonly Named[]): Rule<string, object> {
  const made = new Map<string, Progress>();
  return {
    ...rule,
    share(context) {
      let all = context.groups.flatMap(({ members }) => members.map(startOf));
      for (const link of named) {
        all =
          "piece" in link
            ? all.map((before) => throughPiece(link, before))
            : throughTransform(rule.name, link, all, context);
      }
      made.clear();
      for (const progress of all) made.set(progress.context.name, progress);
      return {};
    },
    update({ name }) {
      const progress = made.get(name);
      if (!progress) throw new ThalwegError(rule.name, `${name} was not there when all parameters were looked at`);
      made.delete(name);
      return resultOf(progress);
    },
  };
}

/**
 * The rule that takes each gradient through `links` in order and adds what comes out to the parameter:
 *
 *     const mine = chain(clipGradNorm(1), scaleByAdam(), addDecayedWeights(0.01), scaleByLearningRate(3e-4));
 *     const optimizer = mine(model.parameters(), { weightDecay: 0.1 });
 *
 * The options of the pieces are options of the optimizer and of its groups (where two pieces have an option of the same
 * name, the later one's is `piece.option`); state goes by `piece.name`. Gradient transforms may stand anywhere; they see
 * the updates of all parameters. What is element-wise runs as one kernel, as in a rule written in one piece.
 *
 * @throws ArgumentError without links, for what is no link, and for options out of range.
 */
export function chain<const Links extends readonly Link[]>(...links: Links): Chain<ChainOptions<Links>> {
  if (links.length === 0) throw new ArgumentError("chain", "expected at least one piece");
  for (const [i, link] of links.entries()) {
    if (isTransform(link) || (typeof link === "object" && link !== null && "update" in link)) continue;
    throw new ArgumentError("chain", `piece ${i} is neither a piece nor a gradient transform: ${String(link)}`);
  }
  const named = nameAll(links);
  const rule = ruleOf(`chain(${named.map(({ name }) => name).join(", ")})`, named);
  rule.check(optionsAt(rule.defaults, 0));
  const rates = links.flatMap((link) => (isTransform(link) ? [] : [link.learningRate ?? null]));
  const lr = rates.find((rate): rate is LearningRate => rate !== null);
  const make = (parameters: OptimizerParameters<object>, options: OptimizerOptions<object> = {}) =>
    optimizer(rule, parameters, lr === undefined ? options : { ...options, lr: options.lr ?? lr });
  return Object.assign(make, { rule }) as unknown as Chain<ChainOptions<Links>>;
}
