/** One mutant in a process of its own: runs the suite on it, layer by layer, naming each, and prints what noticed. */
import { builtInCases } from "../src/node.ts";
import { runCases } from "../src/run.ts";
import { backendFactory } from "./backends.ts";
import { mutants } from "./mutants.ts";
import type { Assignment, ChildResult, LayerResult } from "./protocol.ts";

const assignment = JSON.parse(process.argv.at(-1) ?? "") as Assignment;
const { first } = assignment;
const mutant = mutants.find(({ name }) => name === assignment.mutant);
if (assignment.mutant !== null && !mutant) throw new Error(`there is no mutant ${assignment.mutant}`);
const create = await backendFactory(assignment.backend);
let applied = 0;
const mutated = mutant
  ? async () =>
      mutant.mutate(await create(), () => {
        applied++;
      })
  : create;

// A promise that nothing awaits may fail on a broken backend, too. The case that caused it fails of itself, or the next one.
process.on("unhandledRejection", () => undefined);

const cases = builtInCases();
const results: LayerResult[] = [];
for (const layer of assignment.layers) {
  const own = cases.filter((tested) => tested.layer === layer);
  console.log(layer);
  const start = performance.now();
  const report = await runCases(mutated, own, { bail: true });
  const [failure] = report.failures;
  const failed = failure ? { case: failure.case, message: failure.message.slice(0, 500) } : null;
  results.push({ layer, cases: own.length, seconds: (performance.now() - start) / 1000, applied, failed });
  if (failed && first && applied > 0) break;
}
process.stdout.write(`\n${JSON.stringify({ applied, layers: results } satisfies ChildResult)}\n`);
process.exit(0);
