/** Transforms for some of the parameters: leaving them out of the update, or being alone meant by another transform. */
import { ThalwegError } from "../graph/errors.ts";
import { described, type GradientTransform } from "./gradientTransform.ts";
import { type ParameterMatch, predicateOf, showMatch } from "./parameterMatch.ts";

/**
 * Leaves the parameters that match out of every update: `freeze("backbone.*")`. They keep value, state and step count, as
 * if they had no gradient; nothing of theirs is computed. Put it first, where norms are not to include them.
 *
 * @throws ArgumentError for a match that is none.
 */
export function freeze(match: ParameterMatch): GradientTransform {
  const isFrozen = predicateOf("freeze", match);
  return described(`freeze(${showMatch(match)})`, (gradients, parameters, { names }) =>
    gradients.map((g, i) => {
      const parameter = parameters[i];
      return parameter && isFrozen(parameter, names[i] as string) ? null : g;
    }),
  );
}

/**
 * `transform` for the parameters that match; the gradients of others pass, and it does not see them:
 * `mask({ rank: 2 }, centralize())`.
 *
 * @throws ArgumentError for a match that is none.
 */
export function mask(match: ParameterMatch, transform: GradientTransform): GradientTransform {
  const isMeant = predicateOf("mask", match);
  const name = transform.description ?? (transform.name || "a transform");
  return described(`mask(${showMatch(match)}, ${name})`, (gradients, parameters, context) => {
    const meant = parameters.flatMap((parameter, i) => (isMeant(parameter, context.names[i] as string) ? [i] : []));
    const of = <T>(list: readonly T[]): T[] => meant.map((i) => list[i] as T);
    const results = transform(of(gradients), of(parameters), {
      names: of(context.names),
      maximize: of(context.maximize),
      scalar: context.scalar,
      clipped: (i, elements) => context.clipped(meant[i] as number, elements),
    });
    if (results.length !== meant.length) {
      throw new ThalwegError("mask", `${name} returned ${results.length} gradients, expected ${meant.length}`);
    }
    const positions = new Map(meant.map((i, k) => [i, k]));
    return gradients.map((g, i) => {
      const position = positions.get(i);
      return position === undefined ? g : (results[position] ?? null);
    });
  });
}
