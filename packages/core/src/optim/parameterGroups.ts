/** Groups by what their parameters are called, or are like. */
import { ArgumentError } from "../graph/errors.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { LearningRate, NamedParameters } from "./groups.ts";
import { type ParameterMatch, predicateOf, showMatch } from "./parameterMatch.ts";

/** Which parameters a group takes, and its options; those of the rule may be given besides. */
export interface GroupMatch {
  readonly match: ParameterMatch;
  /** Of the group. Default: the match, if that is a name pattern. */
  readonly name?: string | undefined;
  readonly lr?: LearningRate | undefined;
  readonly maximize?: boolean | undefined;
}

/** A group as optimizers take it, with whatever options were given. */
export type MatchedGroup<Options extends object = object> = Partial<Omit<Options, "match" | "name">> & {
  readonly name: string;
  readonly parameters: Readonly<Record<string, Parameter>>;
};

/** Parameters with the names an optimizer would give them. */
export function named(subject: string, parameters: NamedParameters): [name: string, parameter: Parameter][] {
  if (typeof parameters !== "object" || parameters === null) {
    throw new ArgumentError(subject, `expected parameters or a record of them, got ${String(parameters)}`);
  }
  const entries = Object.entries(parameters) as [string, Parameter][];
  const names = entries.map(([key, parameter], i): [string, Parameter] => {
    if (!(parameter instanceof Parameter)) {
      throw new ArgumentError(subject, `expected a Parameter at ${key}, got ${String(parameter)}`);
    }
    return [Array.isArray(parameters) ? parameter.name || `parameter.${i}` : key, parameter];
  });
  const seen = new Set<string>();
  for (const [name] of names) {
    if (seen.has(name)) throw new ArgumentError(subject, `two parameters are named ${name}; names must differ`);
    seen.add(name);
  }
  return names;
}

/**
 * Groups for any optimizer: each parameter goes to the first of `groups` that it matches, all others into a group `others`
 * that comes first and has the optimizer's own options:
 *
 *     adamW(parameterGroups(model.parameters(), [{ match: ["*.bias", { rank: 1 }], weightDecay: 0 }]))
 *
 * @throws ArgumentError for a match that is none, or that takes no trainable parameter: a pattern with a slip in it would
 * go unnoticed.
 */
export function parameterGroups<const Group extends GroupMatch>(
  parameters: NamedParameters,
  groups: readonly Group[],
): MatchedGroup<Group>[] {
  const subject = "parameterGroups";
  if (!Array.isArray(groups)) {
    throw new ArgumentError(subject, `expected a list of groups { match, … }, got ${String(groups)}`);
  }
  const predicates = groups.map(({ match }) => predicateOf(subject, match));
  const others: [string, Parameter][] = [];
  const taken = groups.map((): [string, Parameter][] => []);
  for (const [name, parameter] of named(subject, parameters)) {
    const index = predicates.findIndex((holds) => holds(parameter, name));
    (taken[index] ?? others).push([name, parameter]);
  }
  const matched = (groups as readonly Group[]).map((group, i) => {
    const { match, name, ...options } = group;
    const own = taken[i] as [string, Parameter][];
    if (!own.some(([, parameter]) => parameter.trainable)) {
      throw new ArgumentError(subject, `group ${i}, ${showMatch(match)}, takes no trainable parameter`);
    }
    const label = name ?? (typeof match === "string" ? match : `group.${i}`);
    return { ...options, name: label, parameters: Object.fromEntries(own) };
  });
  const rest = others.length === 0 ? [] : [{ name: "others", parameters: Object.fromEntries(others) }];
  return [...rest, ...matched] as unknown as MatchedGroup<Group>[];
}

/** A group without weight decay, or one with the optimizer's. */
export type DecayGroup = MatchedGroup<{ readonly weightDecay: 0 }>;

/**
 * The two groups of nearly all training: weights decay; biases and the parameters of norms, vectors and scalars all, do
 * not. `adamW(noDecay(model.parameters()), { weightDecay: 0.1 })`.
 *
 * @param also Further parameters that are not to decay: `"*.embedding.weight"`.
 * @throws ArgumentError for a match that is none.
 */
export function noDecay(parameters: NamedParameters, also?: ParameterMatch): DecayGroup[] {
  const isExempt = also === undefined ? () => false : predicateOf("noDecay", also);
  const all = named("noDecay", parameters);
  const isFree = ([name, parameter]: [string, Parameter]): boolean =>
    parameter.shape.length <= 1 || /(^|\.)bias$/.test(name) || isExempt(parameter, name);
  const decaying = all.filter((entry) => !isFree(entry));
  const free = all.filter(isFree);
  return [
    ...(decaying.length === 0 ? [] : [{ name: "decay", parameters: Object.fromEntries(decaying) }]),
    ...(free.length === 0 ? [] : [{ name: "noDecay", parameters: Object.fromEntries(free), weightDecay: 0 as const }]),
  ];
}
