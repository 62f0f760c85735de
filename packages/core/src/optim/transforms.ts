/** The gradient transforms by name, made from options that have names too: what reads configurations and golden files needs. */
import { ArgumentError } from "../graph/errors.ts";
import { adaptiveClip } from "./adaptiveClip.ts";
import { addNoise } from "./addNoise.ts";
import { centralize } from "./centralize.ts";
import { clipGradNorm } from "./clipGradNorm.ts";
import { clipGradValue } from "./clipGradValue.ts";
import { freeze } from "./freeze.ts";
import { l1Decay, l2Decay } from "./gradientDecay.ts";
import type { GradientTransform } from "./gradientTransform.ts";
import { normalizeGradients } from "./normalizeGradients.ts";
import { raiseOnNonFinite } from "./raiseOnNonFinite.ts";

export interface NamedTransform {
  /** Whose meanings of the name there are: `options.convention`. */
  readonly conventions: readonly string[];
  /**
   * The transform by a record of its options, the leading argument of its function among them under its name.
   *
   * @throws ArgumentError for an option that is unknown or out of range.
   */
  make(options: Readonly<Record<string, unknown>>): GradientTransform;
}

type Options = Readonly<Record<string, unknown>>;

/** `make` behind a check of the names of its options. */
const named = (
  name: string,
  options: readonly string[],
  make: (options: Options) => GradientTransform,
  conventions: readonly string[] = ["torch"],
): NamedTransform => ({
  conventions,
  make(given) {
    const { convention = "torch", ...rest } = given;
    if (!conventions.includes(convention as string)) {
      throw new ArgumentError(name, `convention must be one of ${conventions.join(", ")}, got ${String(convention)}`);
    }
    for (const key of Object.keys(rest)) {
      if (options.includes(key)) continue;
      throw new ArgumentError(name, `unknown option ${key}; expected one of ${["convention", ...options].join(", ")}`);
    }
    return make(conventions.length > 1 ? given : rest);
  },
});

// Each function checks the values of its options itself.
const withFirst =
  <First, Rest>(make: (first: First, rest: Rest) => GradientTransform, first: string) =>
  ({ [first]: value, ...rest }: Options): GradientTransform =>
    make(value as First, rest as Rest);

const withOptions =
  <Rest>(make: (rest: Rest) => GradientTransform) =>
  (options: Options): GradientTransform =>
    make(options as Rest);

/** Every gradient transform by its public name. */
export const transforms: Readonly<Record<string, NamedTransform>> = {
  adaptiveClip: named("adaptiveClip", ["clipFactor", "eps", "normType"], withOptions(adaptiveClip)),
  addNoise: named("addNoise", ["eta", "gamma", "generator"], withOptions(addNoise)),
  centralize: named("centralize", [], centralize),
  clipGradNorm: named("clipGradNorm", ["maxNorm", "normType", "onNorm"], withFirst(clipGradNorm, "maxNorm"), [
    "torch",
    "optax",
  ]),
  clipGradValue: named("clipGradValue", ["clipValue"], withFirst(clipGradValue, "clipValue")),
  freeze: named("freeze", ["match"], withFirst(freeze, "match")),
  l1Decay: named("l1Decay", ["weightDecay", "only", "except"], withFirst(l1Decay, "weightDecay")),
  l2Decay: named("l2Decay", ["weightDecay", "only", "except"], withFirst(l2Decay, "weightDecay")),
  normalizeGradients: named("normalizeGradients", ["per", "eps"], withOptions(normalizeGradients)),
  raiseOnNonFinite: named("raiseOnNonFinite", [], raiseOnNonFinite),
};
