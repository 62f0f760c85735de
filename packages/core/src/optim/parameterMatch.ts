/** Choosing parameters by name pattern, shape or predicate. */
import { ArgumentError } from "../graph/errors.ts";
import { formatShape, type Shape, sameShape } from "../graph/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * Which parameters are meant:
 * - a string: their names, with `*` for any run of characters (dots too) and `?` for one: `*.bias`, `blocks.0.*`;
 * - a RegExp, tested on the name;
 * - `{ rank }` or `{ shape }`;
 * - a predicate;
 * - a list of these: any of them.
 */
export type ParameterMatch =
  | string
  | RegExp
  | { readonly rank: number }
  | { readonly shape: Shape }
  | ((parameter: Tensor, name: string) => boolean)
  | readonly ParameterMatch[];

type Predicate = (parameter: Tensor, name: string) => boolean;

function globOf(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`, "s");
}

/**
 * The predicate of `match`.
 *
 * @throws ArgumentError for anything else, the empty string and the empty list among it.
 */
export function predicateOf(subject: string, match: ParameterMatch): Predicate {
  if (typeof match === "function") return match;
  if (typeof match === "string" && match !== "") {
    const glob = globOf(match);
    return (_, name) => glob.test(name);
  }
  // `search` starts from the beginning whatever `lastIndex` a sticky or global expression is left with.
  if (match instanceof RegExp) return (_, name) => name.search(match) >= 0;
  if (Array.isArray(match) && match.length > 0) {
    const predicates = (match as readonly ParameterMatch[]).map((one) => predicateOf(subject, one));
    return (parameter, name) => predicates.some((holds) => holds(parameter, name));
  }
  if (typeof match === "object" && match !== null && "rank" in match && Number.isInteger(match.rank)) {
    return ({ shape }) => shape.length === match.rank;
  }
  if (typeof match === "object" && match !== null && "shape" in match && Array.isArray(match.shape)) {
    return ({ shape }) => sameShape(shape, match.shape);
  }
  throw new ArgumentError(
    subject,
    `a match must be a name pattern, a RegExp, { rank }, { shape }, a predicate or a list of these, got ${JSON.stringify(match) ?? String(match)}`,
  );
}

/** As it stands in messages. */
export function showMatch(match: ParameterMatch): string {
  if (typeof match === "string") return JSON.stringify(match);
  if (match instanceof RegExp) return String(match);
  if (typeof match === "function") return match.name || "a predicate";
  if (Array.isArray(match)) return (match as readonly ParameterMatch[]).map(showMatch).join(" or ");
  if ("rank" in match) return `rank ${match.rank}`;
  return "shape" in match ? `shape ${formatShape(match.shape)}` : String(match);
}

export interface MatchOptions {
  /** Which parameters it is for. Default: all. */
  readonly only?: ParameterMatch | undefined;
  /** Which of them it is not for. Default: none. */
  readonly except?: ParameterMatch | undefined;
}

/** The predicate of `only` without `except`. */
export function predicateOfOptions(subject: string, { only, except }: MatchOptions): Predicate {
  const included = only === undefined ? () => true : predicateOf(subject, only);
  const excluded = except === undefined ? () => false : predicateOf(subject, except);
  return (parameter, name) => included(parameter, name) && !excluded(parameter, name);
}

/** `only` and `except` as they stand in descriptions; empty without. */
export const showMatchOptions = ({ only, except }: MatchOptions): string =>
  `${only === undefined ? "" : `, only ${showMatch(only)}`}${except === undefined ? "" : `, except ${showMatch(except)}`}`;
