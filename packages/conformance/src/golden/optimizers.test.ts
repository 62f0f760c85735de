import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { useBackend } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { optimizers } from "@thalweg/core/optim";
import { cpu } from "@thalweg/cpu-js";
import { describe, expect, it } from "vitest";
import { type GoldenOptimizerFile, largestError, runOptimizerCase } from "./optimizerCases.ts";

// THALWEG_GOLDEN: a folder with more trajectories than the ones that come with the project.
const shipped = fileURLToPath(new URL("../../golden", import.meta.url));
const folder = join(process.env.THALWEG_GOLDEN ?? shipped, "optimizers");

const files = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as GoldenOptimizerFile)
  // Variants follow other libraries' conventions; optimizers that are not there yet have no cases to pass.
  .filter(({ optimizer, convention }) => convention === undefined && Object.hasOwn(optimizers, optimizer));

const tolerance = { float64: 1e-12, float32: 2e-6 } as const;
const backends = { reference: () => referenceBackend(), "cpu-js": cpu } as const;

describe.each(Object.keys(backends) as (keyof typeof backends)[])("%s", (backend) => {
  describe.each(files)("$optimizer", ({ optimizer, cases }) => {
    describe.each(cases)("$name", (golden) => {
      it.each([
        ["float64", "direct"],
        ["float64", "compiled"],
        ["float32", "compiled"],
      ] as const)("%s, %s", async (floats, mode) => {
        useBackend(await backends[backend]());
        const results = await runOptimizerCase(optimizer, golden, { floats, mode });
        expect(results).toHaveLength(golden.expected.length * golden.parameters.length);
        expect(largestError(results)).toBeLessThan(tolerance[floats]);
      });
    });
  });
});
