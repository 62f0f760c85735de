/** Golden gradient transforms: gradients before and after. */
import { compile, Parameter, type Tensor, tensor } from "@thalweg/core";
import { applyTransforms, transforms } from "@thalweg/core/optim";
import { transformTolerance } from "../tolerances.ts";
import type { FloatDType } from "./schema.ts";

type Values = readonly number[];

export interface GoldenTransformCase {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly parameters: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly values: Values;
  }[];
  /** One per parameter; null where there is none. */
  readonly gradients: readonly (Values | null)[];
  readonly expected: readonly (Values | null)[];
  /** Of all gradients, before clipping. */
  readonly norm?: number;
}

export interface GoldenTransformFile {
  readonly schema: "thalweg/golden-transform/1";
  readonly transform: string;
  readonly convention?: string;
  readonly cases: readonly GoldenTransformCase[];
}

/** Why a file's transform cannot be run; undefined if it can. */
export function unknownTransform({ transform, convention = "torch" }: GoldenTransformFile): string | undefined {
  const known = Object.hasOwn(transforms, transform) ? transforms[transform] : undefined;
  if (!known) return `the transform ${transform} is not known`;
  if (known.conventions.includes(convention)) return undefined;
  return `the transform ${transform} with the conventions of ${convention} is not known`;
}

function expectClose(what: string, actual: ArrayLike<number>, expected: Values, floats: FloatDType): void {
  const scale = Math.max(...expected.map(Math.abs), Number.MIN_VALUE);
  for (const [i, value] of expected.entries()) {
    const error = Math.abs((actual[i] ?? Number.NaN) - value) / scale;
    if (error <= transformTolerance[floats]) continue;
    throw new Error(
      `${what}: got ${actual[i]} for entry ${i}, expected ${value}, at most ${transformTolerance[floats]} of the largest off`,
    );
  }
}

/** Throws unless the transform makes of the gradients what the case says, as it is and in a compiled function. */
export async function checkTransformCase(
  { transform: name, convention }: GoldenTransformFile,
  golden: GoldenTransformCase,
  floats: FloatDType,
): Promise<void> {
  const present = golden.parameters.flatMap((parameter, i) => {
    const gradient = golden.gradients[i];
    return gradient ? [{ ...parameter, gradient, i }] : [];
  });
  const data = (values: Values, shape: readonly number[]): Tensor =>
    tensor(Float64Array.from(values), { shape, dtype: floats });
  const parameters = present.map(({ name, shape, values }) => new Parameter(data(values, shape), { name }));
  const run = (...gradients: Tensor[]) => {
    let norm: Tensor | undefined;
    const onNorm = (given: Tensor): void => {
      norm = given;
    };
    const transform = (transforms[name] as NonNullable<(typeof transforms)[string]>).make({
      ...golden.options,
      ...(convention === undefined ? {} : { convention }),
      ...(golden.norm === undefined ? {} : { onNorm }),
    });
    return { transformed: applyTransforms(name, [transform], gradients, parameters), norm };
  };
  for (const [mode, call] of Object.entries({ direct: run, compiled: compile(run) })) {
    const { transformed, norm } = call(...present.map(({ gradient, shape }) => data(gradient, shape)));
    for (const [k, { i, name }] of present.entries()) {
      const expected = golden.expected[i];
      const actual = transformed[k];
      if (!expected || !actual) throw new Error(`${mode}: ${name} has ${actual ? "a" : "no"} gradient`);
      expectClose(`${mode}: gradient of ${name}`, await actual.data(), expected, floats);
    }
    if (golden.norm === undefined) continue;
    if (!norm) throw new Error(`${mode}: ${name} told no norm`);
    expectClose(`${mode}: norm`, await norm.data(), [golden.norm], floats);
  }
}
