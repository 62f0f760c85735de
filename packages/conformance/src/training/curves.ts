/** The file of expected loss curves (golden/training/curves.json, written by generate.py beside it), checked on reading. */
import { type ModelName, models } from "./models.ts";

export interface TrainingCurve {
  /** Unique. */
  readonly name: string;
  readonly model: ModelName;
  /** A name of core's `optimizers`. */
  readonly optimizer: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Of each step. */
  readonly learningRates: readonly number[];
  /** Before each step. */
  readonly losses: readonly number[];
  /** One element of each parameter, and of what else the model keeps, after the last step. */
  readonly final: readonly { readonly name: string; readonly element: number; readonly value: number }[];
}

export interface TrainingCurves {
  readonly schema: "thalweg/training-curves/1";
  /** What computed it. */
  readonly source: string;
  /** Step t trains on batch t mod this. */
  readonly batches: number;
  readonly curves: readonly TrainingCurve[];
}

const schema = "thalweg/training-curves/1";
const breaks = (where: string, expected: string): Error =>
  new Error(`breaks ${schema}: ${where}: expected ${expected}`);

type Json = Readonly<Record<string, unknown>>;

function object(where: string, value: unknown): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw breaks(where, "an object");
  return value as Json;
}
function list(where: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value) || value.length === 0) throw breaks(where, "a list that is not empty");
  return value;
}
function text(where: string, value: unknown): string {
  if (typeof value !== "string" || value === "") throw breaks(where, "a text");
  return value;
}
function count(where: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) throw breaks(where, "a whole number");
  return value;
}
function number(where: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw breaks(where, "a number");
  return value;
}

function curve(where: string, value: unknown): TrainingCurve {
  const given = object(where, value);
  const model = text(`${where}.model`, given.model);
  if (!Object.hasOwn(models, model)) throw breaks(`${where}.model`, `one of ${Object.keys(models).join(", ")}`);
  const learningRates = list(`${where}.learningRates`, given.learningRates).map((rate, t) =>
    number(`${where}.learningRates[${t}]`, rate),
  );
  const losses = list(`${where}.losses`, given.losses).map((loss, t) => number(`${where}.losses[${t}]`, loss));
  if (losses.length !== learningRates.length) throw breaks(`${where}.losses`, "as many as there are learning rates");
  const final = list(`${where}.final`, given.final).map((entry, i) => {
    const at = `${where}.final[${i}]`;
    const { name, element, value: expected } = object(at, entry);
    return {
      name: text(`${at}.name`, name),
      element: count(`${at}.element`, element),
      value: number(`${at}.value`, expected),
    };
  });
  return {
    name: text(`${where}.name`, given.name),
    model: model as ModelName,
    optimizer: text(`${where}.optimizer`, given.optimizer),
    options: object(`${where}.options`, given.options),
    learningRates,
    losses,
    final,
  };
}

/**
 * The curves of a file, from its text.
 *
 * @throws {Error} when it is not JSON or breaks the schema.
 */
export function parseTrainingCurves(source: string): TrainingCurves {
  const content = object("the file", JSON.parse(source) as unknown);
  if (content.schema !== schema) throw breaks("schema", JSON.stringify(schema));
  const batches = count("batches", content.batches);
  if (batches === 0) throw breaks("batches", "at least 1");
  return {
    schema,
    source: text("source", content.source),
    batches,
    curves: list("curves", content.curves).map((entry, i) => curve(`curves[${i}]`, entry)),
  };
}
