/** The ops layer beyond golden vectors: every operation of core, each variant against the direct evaluation of its graph. */
import { compile, isFloat, type Tensor } from "@thalweg/core";
import { type DType, evaluateNodes } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { largestOf, mismatch } from "../golden/compare.ts";
import type { FloatDType } from "../golden/schema.ts";
import { needDTypes } from "../needs.ts";
import { tolerances } from "../tolerances.ts";
import { compositeOperations } from "./composites.ts";
import { contractionOperations } from "./contractions.ts";
import { decompositionOperations } from "./decompositions.ts";
import { elementwiseOperations } from "./elementwise.ts";
import { type Input, makeTensor } from "./inputs.ts";
import { movementOperations } from "./movement.ts";
import { listOf, type Operation, type Variant } from "./operation.ts";
import { reductionOperations } from "./reductions.ts";

/** The table of operations. */
export const operations: readonly Operation[] = [
  ...elementwiseOperations,
  ...reductionOperations,
  ...movementOperations,
  ...contractionOperations,
  ...decompositionOperations,
  ...compositeOperations,
];

/** Exports of core's tensor layer that are no operations, or are tested elsewhere. */
export const notInTable: Readonly<Record<string, string>> = {
  Tensor: "a class",
  autocast:
    "says in which dtype operations are built, not what they do; core's own tests, and those of the backends that gain by it",
  autocastDType: "as autocast",
  Parameter: "a class; the memory and sweep layers update parameters",
  Generator: "the random layer",
  defaultGenerator: "the random layer",
  manualSeed: "the random layer",
  rand: "the random layer",
  randn: "the random layer",
  randint: "the random layer",
  bernoulli: "the random layer",
  permutation: "the random layer",
  asTensor: "makes no graph of a tensor; numbers become constants in most variants",
  fromHost: "what `tensor` makes its leaves with",
  resultType: "a question about dtypes",
  defaultDType: "a constant",
  formatElements: "text",
  formatTensor: "text",
  print: "text",
};

interface Expected {
  readonly dtype: DType;
  readonly values: Float64Array;
}

/** What the variant gives by definition: in float64, on the same inputs. */
function evaluateVariant({ inputs, call }: Variant): Expected[] {
  const results = listOf(call(...inputs.map((input) => makeTensor(input, "float64"))));
  return evaluateNodes(results.map(({ node }) => node));
}

const dtypesOf = (inputs: readonly Input[], floats: FloatDType): DType[] => [
  ...new Set(inputs.map(({ dtype }) => (dtype === "float" ? floats : dtype))),
];

async function check(
  { op, signedZeros = true }: Operation,
  { inputs, call, rounds = op }: Variant,
  expected: readonly Expected[],
  floats: FloatDType,
): Promise<void> {
  const tolerance = tolerances.get(rounds)?.output;
  if (!tolerance) throw new Error(`there is no tolerance for ${rounds}`);
  // Compiled, so that what a variant gives is one Program.
  const run = compile((tensors: readonly Tensor[]) => listOf(call(...tensors)));
  const results = run(inputs.map((input) => makeTensor(input, floats)));
  const given = inputs.filter(({ dtype }) => dtype === "float").map(({ values }) => values);
  for (const [i, result] of results.entries()) {
    const { values } = expected[i] as Expected;
    const message = mismatch({
      what: `output ${i}`,
      actual: await result.data(),
      expected: values,
      dtype: !isFloat(result.dtype) ? "exact" : result.dtype === "float64" ? "float64" : "float32",
      tolerance,
      length: Math.max(1, ...inputs.map((input) => input.values.length)),
      terms: largestOf(values, ...given),
      signedZeros,
    });
    if (message) throw new Error(message);
  }
}

function casesOf(operation: Operation): Case[] {
  return operation.variants.flatMap((variant) => {
    const { inputs, needs = [] } = variant;
    const floats = inputs.some(({ dtype }) => dtype === "float")
      ? (["float64", "float32"] as const)
      : (["float32"] as const);
    let known: Expected[] | undefined;
    const expected = (): Expected[] => {
      known ??= evaluateVariant(variant);
      return known;
    };
    return floats.map((float): Case => {
      const dtypes = dtypesOf(inputs, float);
      return {
        layer: "ops",
        name: `${operation.op}: ${variant.name}${dtypes.length === 0 ? "" : ` (${dtypes.join(", ")})`}`,
        async run({ backend }) {
          needDTypes(backend, ...dtypes, ...needs);
          await check(operation, variant, expected(), float);
        },
      };
    });
  });
}

/** Every variant in float64, where the backend has it, and in float32. */
export const operationCases: readonly Case[] = operations.flatMap(casesOf);
