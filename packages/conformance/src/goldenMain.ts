/** `npm run golden -- DIR [--backend cpu-js|reference] [--only PATTERN]`: golden files on a backend, with counts per layer. */
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Backend } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { type GoldenReport, runGolden } from "./golden/runGolden.ts";

const backends: Readonly<Record<string, () => Promise<Backend>>> = {
  "cpu-js": async () => (await import("@thalweg/cpu-js")).cpu(),
  reference: async () => referenceBackend(),
};

function format({ backend, passed, failed, notApplicable, layers, failures, notRun }: GoldenReport): string {
  const lines = failures.map(({ case: name, file, message }) => `FAILED ${file}: ${name}: ${message}`);
  for (const [layer, counts] of Object.entries(layers)) {
    lines.push(`${layer}: ${counts.passed} passed, ${counts.failed} failed, ${counts.notApplicable} not applicable`);
  }
  const reasons = Map.groupBy(notRun, ({ reason }) => reason);
  for (const [reason, files] of reasons) lines.push(`not run: ${files.map(({ file }) => file).join(", ")}: ${reason}`);
  lines.push(`${backend}: ${passed} passed, ${failed} failed, ${notApplicable} not applicable`);
  return lines.join("\n");
}

function complain(message: string): never {
  console.error(message);
  process.exit(2);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { backend: { type: "string", default: "cpu-js" }, only: { type: "string", default: "" } },
});
const [directory] = positionals;
if (positionals.length !== 1 || !directory) complain("expected one folder of golden files: npm run golden -- DIR");
if (!existsSync(directory)) complain(`no folder ${directory}`);
const make = backends[values.backend];
if (!make) complain(`no backend ${values.backend}; there are ${Object.keys(backends).join(", ")}`);

const report = await runGolden(await make(), directory, { only: values.only });
console.log(format(report));
process.exitCode = report.failed > 0 ? 1 : 0;
