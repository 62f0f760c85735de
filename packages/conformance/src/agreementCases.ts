/** Whole Programs as the compiler makes them, kernel by kernel beside the reference interpreter. */
import { useBackend } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { inAgreement } from "./agreement.ts";
import { type Case, idOf, NotApplicable } from "./case.ts";
import { goldenCases } from "./golden/cases.ts";
import type { GoldenFile } from "./golden/files.ts";
import { needBlocking } from "./needs.ts";

/**
 * A case per golden file of operations and derivatives: everything its Programs write is what the interpreter writes for
 * the same Programs and data, so that what is wrong shows in the kernel where it arises, also where no result depends on
 * it. For backends that can block.
 */
export function agreementCases(golden: readonly GoldenFile[]): Case[] {
  const files = golden.filter(({ layer }) => layer === "ops" || layer === "autodiff");
  return files.map((file) => ({
    layer: "kernels",
    name: `Programs of ${file.path} as interpreted`,
    file: file.path,
    async run({ backend, another }) {
      needBlocking(backend);
      const both = inAgreement(backend, referenceBackend({ rounding: true }));
      useBackend(both);
      // The kernels in float64 are the same but for the dtype, and the golden cases themselves run them.
      for (const tested of goldenCases([file]).filter(({ name }) => name.endsWith("(float32)"))) {
        try {
          await tested.run({ backend: both, another });
        } catch (error) {
          if (error instanceof NotApplicable) continue;
          throw new Error(`${idOf(tested)}: ${error instanceof Error ? error.message : error}`, { cause: error });
        }
      }
    },
  }));
}
