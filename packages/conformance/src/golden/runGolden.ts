/** Golden files on a backend: every case in float64, where the backend has it, and in float32. */
import { type Backend, type Tensor, useBackend } from "@thalweg/core";
import { evaluateNodes } from "@thalweg/core/backend";
import { optimizers } from "@thalweg/core/optim";
import { derivativeTolerance, optimizerTolerance, type ToleranceRow, tolerances } from "../tolerances.ts";
import { autodiffFamilies, buildAutodiffCase, type GoldenAutodiffCase } from "./autodiffCases.ts";
import { type Comparison, largestOf, mismatch } from "./compare.ts";
import { type GoldenFile, readGoldenFiles } from "./files.ts";
import { buildOpCase, type GoldenOpCase, goldenOps } from "./opCases.ts";
import { type GoldenOptimizerCase, largestError, runOptimizerCase } from "./optimizerCases.ts";
import { decodeNumbers, dtypeOf, type FloatDType, type GoldenInput, type GoldenNumber } from "./schema.ts";

export type GoldenLayer = "ops" | "autodiff" | "optimizers";

export interface LayerCounts {
  passed: number;
  failed: number;
  /** Cases that say nothing about a dtype: beyond float32's range, or float64 where the backend has none. */
  notApplicable: number;
}

export interface GoldenFailure {
  /** Operation or family, case and dtype. */
  readonly case: string;
  readonly file: string;
  readonly message: string;
}

export interface GoldenReport {
  readonly backend: string;
  readonly passed: number;
  readonly failed: number;
  readonly notApplicable: number;
  readonly layers: Readonly<Record<GoldenLayer, LayerCounts>>;
  readonly failures: readonly GoldenFailure[];
  /** Files that no part of this suite runs, and why. */
  readonly notRun: readonly { readonly file: string; readonly reason: string }[];
}

export interface GoldenOptions {
  /** Only files or cases whose name contains this. */
  readonly only?: string;
  /** Default: both. */
  readonly dtypes?: readonly FloatDType[];
}

/** The case has nothing to say here. */
class NotApplicable extends Error {}

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

function fail(message: string | undefined): void {
  if (message !== undefined) throw new Error(message);
}

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
  if (floats === "float32" && given.float64Range) throw new NotApplicable();
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

async function checkOptimizerCase(name: string, golden: GoldenOptimizerCase, floats: FloatDType): Promise<void> {
  for (const mode of ["direct", "compiled"] as const) {
    const error = largestError(await runOptimizerCase(name, golden, { floats, mode }));
    if (!(error <= optimizerTolerance[floats])) {
      throw new Error(
        `${mode}: off by ${error.toPrecision(3)} of the largest entry, expected ${optimizerTolerance[floats]}`,
      );
    }
  }
}

async function checkAll(comparisons: Promise<readonly Comparison[]>): Promise<void> {
  for (const comparison of await comparisons) fail(mismatch(comparison));
}

interface Case {
  readonly layer: GoldenLayer;
  readonly name: string;
  readonly run: (floats: FloatDType) => Promise<void>;
}

function casesOf(file: GoldenFile): readonly Case[] | { readonly reason: string } {
  switch (file.layer) {
    case "ops": {
      const { op, cases } = file.content;
      return cases.map((golden) => ({
        layer: "ops",
        name: `${op} ${golden.name}`,
        run: (floats) => checkAll(compareOpCase(op, golden, floats)),
      }));
    }
    case "autodiff": {
      const { family, cases } = file.content;
      return cases.map((golden) => ({
        layer: "autodiff",
        name: `${family} ${golden.name}`,
        run: (floats) => checkAll(compareAutodiffCase(family, golden, floats)),
      }));
    }
    case "optimizers": {
      const { optimizer, convention, cases } = file.content;
      if (convention !== undefined) return { reason: `follows the conventions of ${convention}` };
      if (!Object.hasOwn(optimizers, optimizer)) return { reason: `there is no optimizer ${optimizer} yet` };
      return cases.map((golden) => ({
        layer: "optimizers",
        name: `${optimizer} ${golden.name}`,
        run: (floats) => checkOptimizerCase(optimizer, golden, floats),
      }));
    }
    case "other":
      return { reason: `nothing runs ${file.schema}` };
    case "invalid":
      return [
        {
          layer: "ops",
          name: file.path,
          run: async () => fail(file.message),
        },
      ];
    default:
      return file satisfies never;
  }
}

/**
 * Runs every golden file found below `directory` on `backend`, which becomes the current one. A file that breaks its schema
 * and an operation that is not known are failures; cases outside float32's range are not applicable in float32.
 */
export async function runGolden(
  backend: Backend,
  directory: string,
  options: GoldenOptions = {},
): Promise<GoldenReport> {
  const { only = "", dtypes = ["float64", "float32"] } = options;
  useBackend(backend);
  const count = (): LayerCounts => ({ passed: 0, failed: 0, notApplicable: 0 });
  const layers = { ops: count(), autodiff: count(), optimizers: count() };
  const failures: GoldenFailure[] = [];
  const notRun: { file: string; reason: string }[] = [];
  for (const file of readGoldenFiles(directory)) {
    const cases = casesOf(file);
    if ("reason" in cases) {
      notRun.push({ file: file.path, reason: cases.reason });
      continue;
    }
    for (const { layer, name, run } of cases) {
      if (!name.includes(only) && !file.path.includes(only)) continue;
      for (const floats of dtypes) {
        try {
          if (!backend.capabilities.dtypes.has(floats)) throw new NotApplicable();
          await run(floats);
          layers[layer].passed++;
        } catch (error) {
          if (error instanceof NotApplicable) {
            layers[layer].notApplicable++;
            continue;
          }
          layers[layer].failed++;
          failures.push({
            case: `${name} (${floats})`,
            file: file.path,
            message: error instanceof Error ? error.message : String(error),
          });
        }
      }
    }
  }
  const total = (key: keyof LayerCounts): number => Object.values(layers).reduce((sum, layer) => sum + layer[key], 0);
  return {
    backend: backend.name,
    passed: total("passed"),
    failed: total("failed"),
    notApplicable: total("notApplicable"),
    layers,
    failures,
    notRun,
  };
}
