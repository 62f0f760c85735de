/** What a golden case compares: results as the current backend computes them, beside the values expected of them. */
import type { Tensor } from "@thalweg/core";
import { evaluateNodes } from "@thalweg/core/backend";
import { NotApplicable } from "../case.ts";
import { derivativeTolerance, type ToleranceRow, tolerances } from "../tolerances.ts";
import { autodiffFamilies, buildAutodiffCase, type GoldenAutodiffCase } from "./autodiffCases.ts";
import { type Comparison, largestOf } from "./compare.ts";
import { buildOpCase, type GoldenOpCase, goldenOps } from "./opCases.ts";
import { decodeNumbers, dtypeOf, type FloatDType, type GoldenInput, type GoldenNumber } from "./schema.ts";

const losses: ReadonlySet<string> = new Set([
  "crossEntropy",
  "nllLoss",
  "mseLoss",
  "l1Loss",
  "smoothL1Loss",
  "huberLoss",
  "bceWithLogits",
  "klDiv",
]);

const isExact = (values: readonly GoldenNumber[]): boolean =>
  values.every((v) => Object.is(Math.fround(Number(v)), Number(v)) || Number.isNaN(Number(v)));

function rounded(values: readonly GoldenNumber[]): GoldenNumber[] {
  return values.map((v) => {
    const float = Math.fround(Number(v));
    return Number.isFinite(float) ? float : v;
  });
}
const roundedInput = (input: GoldenInput): GoldenInput =>
  input.dtype === "float64" ? { ...input, values: rounded(input.values) } : input;

/**
 * The case with inputs that float32 can hold. The values expected of rounded inputs are no longer those of the file; the
 * float64 evaluation of the same graph, which the file has vouched for, gives them.
 */
function roundedCase(golden: GoldenOpCase): { golden: GoldenOpCase; changed: boolean } {
  const { outputGradient, outputGradients } = golden;
  const floats = golden.inputs.filter(({ dtype }) => dtype === "float64").map(({ values }) => values);
  const cotangents = [
    ...(outputGradient ? [outputGradient] : []),
    ...(outputGradients ?? []).flatMap((g) => (g ? [g] : [])),
  ];
  if ([...floats, ...cotangents].every(isExact)) return { golden, changed: false };
  return {
    golden: {
      ...golden,
      inputs: golden.inputs.map(roundedInput),
      ...(outputGradient ? { outputGradient: rounded(outputGradient) } : {}),
      ...(outputGradients ? { outputGradients: outputGradients.map((g) => g && rounded(g)) } : {}),
    },
    changed: true,
  };
}

const evaluated = (tensors: readonly Tensor[]): Float64Array[] =>
  evaluateNodes(tensors.map(({ node }) => node)).map(({ values }) => values);

/** An upper bound of the number of terms of one sum. */
const lengthOf = (inputs: readonly GoldenInput[]): number => Math.max(1, ...inputs.map(({ values }) => values.length));

/** Everything a case of an operation compares, with the elements as the current backend computes them. */
export async function compareOpCase(op: string, given: GoldenOpCase, floats: FloatDType): Promise<Comparison[]> {
  const row = tolerances.get(op);
  if (!goldenOps[op] || !row) throw new Error(`the operation ${op} is not known`);
  if (floats === "float32" && given.float64Range) throw new NotApplicable("beyond the range of float32");
  const { golden, changed } = floats === "float32" ? roundedCase(given) : { golden: given, changed: false };
  const { outputs, gradients } = buildOpCase(op, golden, floats);
  let expectedOutputs = outputs.map(({ expected }) => decodeNumbers(expected.values));
  let expectedGradients = gradients.map(({ expected }) => expected);
  if (changed) {
    const exact = buildOpCase(op, golden, "float64");
    const values = evaluated([...exact.outputs, ...exact.gradients].map(({ actual }) => actual));
    expectedOutputs = values.slice(0, outputs.length) as typeof expectedOutputs;
    expectedGradients = values.slice(outputs.length) as typeof expectedGradients;
  }
  const given_ = golden.inputs.filter(({ dtype }) => dtype === "float64").map(({ values }) => decodeNumbers(values));
  const length = lengthOf(golden.inputs);
  const signedZeros = !golden.note?.includes("sign of a zero") && !losses.has(op);
  const comparisons: Comparison[] = [];
  for (const [i, { actual, expected }] of outputs.entries()) {
    const dtype = dtypeOf(expected.dtype, floats);
    if (actual.dtype !== dtype) throw new Error(`output ${i}: got dtype ${actual.dtype}, expected ${dtype}`);
    if (actual.shape.join() !== expected.shape.join())
      throw new Error(`output ${i}: got shape [${actual.shape}], expected [${expected.shape}]`);
    const values = expectedOutputs[i] as Float64Array;
    comparisons.push({
      what: `output ${i}`,
      actual: await actual.data(),
      expected: values,
      dtype: expected.dtype === "float64" ? floats : "exact",
      tolerance: row.output,
      length,
      terms: largestOf(values, ...given_),
      signedZeros,
    });
  }
  for (const [i, { input, actual }] of gradients.entries()) {
    const values = expectedGradients[i] as Float64Array;
    comparisons.push({
      what: `gradient by ${input}`,
      actual: await actual.data(),
      expected: values,
      dtype: floats,
      tolerance: row.gradient,
      length,
      terms: largestOf(values, ...given_),
    });
  }
  return comparisons;
}

/** As compareOpCase, for a composite function: its value, gradients and Hessian-vector products. */
export async function compareAutodiffCase(
  family: string,
  given: GoldenAutodiffCase,
  floats: FloatDType,
): Promise<Comparison[]> {
  if (!autodiffFamilies[family]) throw new Error(`the family ${family} is not known`);
  const vectors = given.vectors.map((v) => (v && floats === "float32" ? rounded(v) : v));
  const inputs = floats === "float32" ? given.inputs.map(roundedInput) : given.inputs;
  const golden = { ...given, inputs, vectors };
  const list = (build: ReturnType<typeof buildAutodiffCase>) => [
    { what: "value", kind: "output", ...build.value, expected: Float64Array.of(build.value.expected) } as const,
    ...build.gradients.map((g) => ({ what: `gradient by ${g.input}`, kind: "gradient", ...g }) as const),
    ...build.hessianVectorProducts.map(
      (g) => ({ what: `Hessian-vector product by ${g.input}`, kind: "gradient", ...g }) as const,
    ),
  ];
  const results = list(buildAutodiffCase(family, golden, floats));
  const changed =
    floats === "float32" &&
    !(given.inputs.every(({ values }) => isExact(values)) && given.vectors.every((v) => !v || isExact(v)));
  const exact = changed
    ? evaluated(list(buildAutodiffCase(family, golden, "float64")).map(({ actual }) => actual))
    : results.map(({ expected }) => expected);
  const terms = Math.max(...exact.map((values) => largestOf(values)));
  const comparisons: Comparison[] = [];
  for (const [i, { what, kind, actual }] of results.entries()) {
    comparisons.push({
      what,
      actual: await actual.data(),
      expected: exact[i] as Float64Array,
      dtype: floats,
      tolerance: derivativeTolerance[kind satisfies keyof ToleranceRow],
      length: lengthOf(inputs),
      terms,
    });
  }
  return comparisons;
}
