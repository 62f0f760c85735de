/** Golden files as cases of the suite: each of their cases in float64, where the backend has it, and in float32. */
import { type Case, NotApplicable } from "../case.ts";
import { needDTypes } from "../needs.ts";
import { lineSearchTolerance, optimizerToleranceOf } from "../tolerances.ts";
import { isAsynchronous } from "./asynchronousOptimizerCases.ts";
import { type Comparison, mismatch } from "./compare.ts";
import { compareAutodiffCase, compareOpCase } from "./comparisons.ts";
import type { GoldenFile } from "./files.ts";
import { type GoldenOptimizerCase, isKnownOptimizer, largestError, runOptimizerCase } from "./optimizerCases.ts";
import { checkScheduleCase, unknownSchedule } from "./scheduleCases.ts";
import type { FloatDType } from "./schema.ts";
import { checkTransformCase, unknownTransform } from "./transformCases.ts";

/** Whether float32 holds the squares of all gradients, which most rules average. */
const squaresFit = ({ gradients = [] }: GoldenOptimizerCase): boolean =>
  gradients.flat().every((gradient) => {
    const values = gradient === null ? [] : "indices" in gradient ? gradient.values : gradient;
    return values.every((value) => value === 0 || (Math.abs(value) > 2 ** -63 && Math.abs(value) < 2 ** 63));
  });

async function checkOptimizerCase(
  name: string,
  convention: string | undefined,
  golden: GoldenOptimizerCase,
  floats: FloatDType,
): Promise<void> {
  if (floats === "float32" && !squaresFit(golden)) {
    throw new NotApplicable("the squares of its gradients leave the range of float32");
  }
  const asynchronous = isAsynchronous(name, convention);
  const steps = Math.max(1, ...golden.expected.map(({ step }) => step));
  const allowed = asynchronous ? lineSearchTolerance[floats] : optimizerToleranceOf(name, floats, steps);
  // What waits for values compiles its own parts.
  for (const mode of asynchronous ? (["compiled"] as const) : (["direct", "compiled"] as const)) {
    const error = largestError(await runOptimizerCase(name, convention, golden, { floats, mode }));
    if (!(error <= allowed)) {
      throw new Error(`${mode}: off by ${error.toPrecision(3)} of the largest entry, expected ${allowed}`);
    }
  }
}

async function checkAll(comparisons: Promise<readonly Comparison[]>): Promise<void> {
  for (const comparison of await comparisons) {
    const message = mismatch(comparison);
    if (message !== undefined) throw new Error(message);
  }
}

/** A run of each of `cases` per dtype of the floats. */
function inEachDType<C extends { readonly name: string }>(
  file: GoldenFile,
  layer: Case["layer"],
  subject: string,
  cases: readonly C[],
  check: (golden: C, floats: FloatDType) => Promise<void>,
): Case[] {
  return cases.flatMap((golden) =>
    (["float64", "float32"] as const).map((floats) => ({
      layer,
      name: `${subject} ${golden.name} (${floats})`,
      file: file.path,
      async run({ backend }) {
        needDTypes(backend, floats);
        await check(golden, floats);
      },
    })),
  );
}

const unknown = (what: string) => async (): Promise<never> => {
  throw new Error(`${what} is not known`);
};

function casesOf(file: GoldenFile): readonly Case[] {
  switch (file.layer) {
    case "ops": {
      const { op, cases } = file.content;
      return inEachDType(file, "ops", op, cases, (golden, floats) => checkAll(compareOpCase(op, golden, floats)));
    }
    case "autodiff": {
      const { family, cases } = file.content;
      return inEachDType(file, "autodiff", family, cases, (golden, floats) =>
        checkAll(compareAutodiffCase(family, golden, floats)),
      );
    }
    case "optimizers": {
      const { optimizer, convention, cases } = file.content;
      const subject = convention === undefined ? optimizer : `${optimizer}.${convention}`;
      return inEachDType(
        file,
        "optimizers",
        subject,
        cases,
        isKnownOptimizer(optimizer, convention)
          ? (golden, floats) => checkOptimizerCase(optimizer, convention, golden, floats)
          : unknown(
              `the optimizer ${optimizer}${convention === undefined ? "" : ` with the conventions of ${convention}`}`,
            ),
      );
    }
    case "schedules": {
      const { schedule, convention, cases } = file.content;
      const subject = convention === undefined ? schedule : `${schedule}.${convention}`;
      const unknownBecause = unknownSchedule(file.content);
      // Arithmetic of the host: no dtype, and nothing to ask of a backend.
      return cases.map((golden) => ({
        layer: "schedules",
        name: `${subject} ${golden.name}`,
        file: file.path,
        run() {
          if (unknownBecause !== undefined) throw new Error(unknownBecause);
          checkScheduleCase(file.content, golden);
        },
      }));
    }
    case "transforms": {
      const { transform, convention, cases } = file.content;
      const subject = convention === undefined ? transform : `${transform}.${convention}`;
      const unknownBecause = unknownTransform(file.content);
      return inEachDType(file, "transforms", subject, cases, async (golden, floats) => {
        if (unknownBecause !== undefined) throw new Error(unknownBecause);
        await checkTransformCase(file.content, golden, floats);
      });
    }
    case "invalid":
      return [
        {
          layer: "ops",
          name: `${file.path} is a golden file`,
          file: file.path,
          run() {
            throw new Error(file.message);
          },
        },
      ];
    default:
      return file satisfies never;
  }
}

/** The cases of golden files. What is not known (an operation, an optimizer) and what breaks its schema fails. */
export const goldenCases = (files: readonly GoldenFile[]): Case[] => files.flatMap(casesOf);
