/** Programs drawn at random, many to a case. */
import { type DType, dtypes } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { tolerances } from "../tolerances.ts";
import { checkProgram } from "./checkProgram.ts";
import { randomLoop } from "./randomLoops.ts";

const [cases, programs] = [8, 40];

/** Library functions of exact numbers, as far off as the least exact of them may be; what is as good as 0 may be 0. */
const allow = { ulp: tolerances.get("erf")?.output.ulp(1) ?? 0, scale: 2 ** -100 };

export const randomCases: readonly Case[] = Array.from(
  { length: cases },
  (_, group): Case => ({
    layer: "kernels",
    name: `random: loops ${group * programs + 1} to ${(group + 1) * programs}`,
    run: async ({ backend }) => {
      // A backend without some dtypes gets Programs in those it has.
      const storage = (Object.keys(dtypes) as DType[]).filter((dtype) => backend.capabilities.dtypes.has(dtype));
      for (let i = 1; i <= programs; i++) {
        const seed = 1000 * (group * programs + i);
        const { draft, inexact } = randomLoop(seed, storage);
        try {
          await checkProgram(backend, draft, { allow, inexact });
        } catch (error) {
          throw new Error(`program ${group * programs + i}: ${(error as Error).message}`, { cause: error });
        }
      }
    },
  }),
);
