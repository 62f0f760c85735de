/** Reading golden files: what names one of the schemas is checked against it before anything uses it. */
import type { GoldenAutodiffFile } from "./autodiffCases.ts";
import type { GoldenOpFile } from "./opCases.ts";
import type { GoldenOptimizerFile } from "./optimizerCases.ts";
import type { GoldenScheduleFile } from "./scheduleCases.ts";
import type { GoldenTransformFile } from "./transformCases.ts";

/** A golden file, by what its schema says it is. */
export type GoldenFile = { readonly path: string } & (
  | { readonly layer: "ops"; readonly content: GoldenOpFile }
  | { readonly layer: "autodiff"; readonly content: GoldenAutodiffFile }
  | { readonly layer: "optimizers"; readonly content: GoldenOptimizerFile }
  | { readonly layer: "schedules"; readonly content: GoldenScheduleFile }
  | { readonly layer: "transforms"; readonly content: GoldenTransformFile }
  /** Not JSON, breaks its schema, or names one that is not known. */
  | { readonly layer: "invalid"; readonly message: string }
);

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

class SchemaError extends Error {}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function object(where: string, value: Json | undefined): JsonObject {
  if (!isObject(value)) throw new SchemaError(`${where}: expected an object`);
  return value;
}
function list(where: string, value: Json | undefined): readonly Json[] {
  if (!Array.isArray(value)) throw new SchemaError(`${where}: expected a list`);
  return value;
}
function text(where: string, value: Json | undefined): string {
  if (typeof value !== "string" || value === "") throw new SchemaError(`${where}: expected a name`);
  return value;
}

const numberWords = new Set<Json>(["NaN", "Infinity", "-Infinity"]);

/** A list of numbers, the non-finite ones as words. */
function numbers(where: string, value: Json | undefined, count?: number): void {
  const values = list(where, value);
  if (count !== undefined && values.length !== count) {
    throw new SchemaError(`${where}: got ${values.length} numbers, expected ${count}`);
  }
  const wrong = values.findIndex((v) => typeof v !== "number" && !numberWords.has(v));
  if (wrong >= 0) throw new SchemaError(`${where}: element ${wrong} is ${JSON.stringify(values[wrong])}, not a number`);
}

function sizeOf(where: string, value: Json | undefined): number {
  return list(where, value).reduce<number>((size, n) => {
    if (!Number.isInteger(n) || (n as number) < 0) throw new SchemaError(`${where}: ${JSON.stringify(n)} is no size`);
    return size * (n as number);
  }, 1);
}

const tensorDTypes: ReadonlySet<Json | undefined> = new Set(["float64", "int32", "bool"]);

/** Number of elements. */
function tensor(where: string, value: Json | undefined): number {
  const { shape, dtype, values } = object(where, value);
  if (!tensorDTypes.has(dtype))
    throw new SchemaError(`${where}: ${JSON.stringify(dtype)} is no dtype of a golden file`);
  const size = sizeOf(`${where}.shape`, shape);
  numbers(`${where}.values`, values, size);
  return size;
}

/** Sizes of the inputs. */
function inputs(where: string, value: Json | undefined): number[] {
  return list(where, value).map((input, i) => {
    text(`${where}[${i}].name`, object(`${where}[${i}]`, input).name);
    return tensor(`${where}[${i}]`, input);
  });
}

/** One list of numbers, or null, per input or output. */
function perTensor(where: string, value: Json | undefined, sizes: readonly number[]): void {
  const lists = list(where, value);
  if (lists.length !== sizes.length)
    throw new SchemaError(`${where}: got ${lists.length} lists, expected ${sizes.length}`);
  for (const [i, entry] of lists.entries()) if (entry !== null) numbers(`${where}[${i}]`, entry, sizes[i]);
}

function checkOpCase(where: string, golden: JsonObject): void {
  object(`${where}.attributes`, golden.attributes);
  const inputSizes = inputs(`${where}.inputs`, golden.inputs);
  const outputs = golden.outputs === undefined ? [golden.output] : list(`${where}.outputs`, golden.outputs);
  const outputSizes = outputs.map((output, i) => tensor(`${where}.output ${i}`, output));
  if (golden.outputGradient !== undefined) numbers(`${where}.outputGradient`, golden.outputGradient, outputSizes[0]);
  if (golden.outputGradients !== undefined) perTensor(`${where}.outputGradients`, golden.outputGradients, outputSizes);
  if (golden.inputGradients === undefined) return;
  perTensor(`${where}.inputGradients`, golden.inputGradients, inputSizes);
  if (golden.outputGradient === undefined && golden.outputGradients === undefined) {
    throw new SchemaError(`${where}: inputGradients without outputGradient`);
  }
}

function checkAutodiffCase(where: string, golden: JsonObject): void {
  text(`${where}.expression`, golden.expression);
  const sizes = inputs(`${where}.inputs`, golden.inputs);
  numbers(`${where}.value`, [golden.value as Json]);
  for (const key of ["gradients", "vectors", "hessianVectorProducts"]) perTensor(`${where}.${key}`, golden[key], sizes);
}

interface ParameterSize {
  readonly size: number;
  /** Along the first axis. */
  readonly rows: number;
}

function parameterSizes(where: string, parameters: Json | undefined): ParameterSize[] {
  return list(`${where}.parameters`, parameters).map((parameter, i) => {
    const at = `${where}.parameters[${i}]`;
    const { name, shape, values } = object(at, parameter);
    text(`${at}.name`, name);
    const size = sizeOf(`${at}.shape`, shape);
    numbers(`${at}.values`, values, size);
    return { size, rows: (shape as readonly number[])[0] ?? 1 };
  });
}

/** Gradients step by step: per parameter its numbers, null, or some of its rows. */
function gradientSteps(where: string, value: Json | undefined, parameters: readonly ParameterSize[]): void {
  for (const [t, step] of list(where, value).entries()) {
    const gradients = list(`${where}[${t}]`, step);
    if (gradients.length !== parameters.length) {
      throw new SchemaError(`${where}[${t}]: got ${gradients.length} gradients, expected ${parameters.length}`);
    }
    for (const [i, gradient] of gradients.entries()) {
      const at = `${where}[${t}][${i}]`;
      const { size, rows } = parameters[i] as ParameterSize;
      if (gradient === null) continue;
      if (!isObject(gradient)) {
        numbers(at, gradient, size);
        continue;
      }
      const indices = list(`${at}.indices`, gradient.indices);
      const wrong = indices.findIndex(
        (row) => !Number.isInteger(row) || (row as number) < 0 || (row as number) >= rows,
      );
      if (wrong >= 0) throw new SchemaError(`${at}.indices: ${JSON.stringify(indices[wrong])} is none of ${rows} rows`);
      numbers(`${at}.values`, gradient.values, rows === 0 ? 0 : (indices.length * size) / rows);
    }
  }
}

function checkOptimizerCase(where: string, golden: JsonObject): void {
  object(`${where}.options`, golden.options);
  const parameters = parameterSizes(where, golden.parameters);
  const sizes = parameters.map(({ size }) => size);
  if (golden.objective === undefined) gradientSteps(`${where}.gradients`, golden.gradients, parameters);
  else text(`${where}.objective.name`, object(`${where}.objective`, golden.objective).name);
  for (const [k, entry] of list(`${where}.expected`, golden.expected).entries()) {
    const { step, parameters } = object(`${where}.expected[${k}]`, entry);
    if (!Number.isInteger(step)) throw new SchemaError(`${where}.expected[${k}].step: expected a whole number`);
    perTensor(`${where}.expected[${k}].parameters`, parameters, sizes);
  }
}

function checkScheduleCase(where: string, golden: JsonObject): void {
  object(`${where}.options`, golden.options);
  numbers(`${where}.lr`, golden.lr);
  const steps = (golden.lr as readonly Json[]).length;
  if (golden.baseLr !== undefined) numbers(`${where}.baseLr`, [golden.baseLr]);
  if (golden.momentum !== undefined) numbers(`${where}.momentum`, golden.momentum, steps);
  if (golden.metrics !== undefined) numbers(`${where}.metrics`, golden.metrics);
}

function checkTransformCase(where: string, golden: JsonObject): void {
  object(`${where}.options`, golden.options);
  const sizes = parameterSizes(where, golden.parameters).map(({ size }) => size);
  perTensor(`${where}.gradients`, golden.gradients, sizes);
  perTensor(`${where}.expected`, golden.expected, sizes);
  if (golden.norm !== undefined) numbers(`${where}.norm`, [golden.norm]);
}

const families = {
  "thalweg/golden-op/1": { layer: "ops", named: "op", check: checkOpCase },
  "thalweg/golden-autodiff/1": { layer: "autodiff", named: "family", check: checkAutodiffCase },
  "thalweg/golden-optimizer/1": { layer: "optimizers", named: "optimizer", check: checkOptimizerCase },
  "thalweg/golden-schedule/1": { layer: "schedules", named: "schedule", check: checkScheduleCase },
  "thalweg/golden-transform/1": { layer: "transforms", named: "transform", check: checkTransformCase },
} as const;

/** A golden file from its text. Undefined: JSON of another kind. */
export function parseGoldenFile(path: string, source: string): GoldenFile | undefined {
  const invalid = (message: string): GoldenFile => ({ path, layer: "invalid", message });
  let content: Json;
  try {
    content = JSON.parse(source) as Json;
  } catch (error) {
    return invalid(`not JSON: ${error instanceof Error ? error.message : error}`);
  }
  const schema = isObject(content) ? content.schema : undefined;
  if (!isObject(content) || typeof schema !== "string" || !schema.startsWith("thalweg/golden-")) return undefined;
  const family = Object.hasOwn(families, schema) ? families[schema as keyof typeof families] : undefined;
  if (!family) return invalid(`the schema ${schema} is not known; known are ${Object.keys(families).join(", ")}`);
  try {
    text(family.named, content[family.named]);
    if (content.convention !== undefined) text("convention", content.convention);
    const cases = list("cases", content.cases);
    if (cases.length === 0) throw new SchemaError("cases: there are none");
    for (const [i, golden] of cases.entries()) {
      const name = text(`cases[${i}].name`, object(`cases[${i}]`, golden).name);
      family.check(`case ${name}`, golden as JsonObject);
    }
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    return invalid(`breaks ${schema}: ${error.message}`);
  }
  // Checked just now.
  return { path, layer: family.layer, content } as unknown as GoldenFile;
}
