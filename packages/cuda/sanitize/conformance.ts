/** Runs cases of the suite on the emulated driver: those that any of the arguments names. */
import { matches, runCases } from "@thalweg/conformance";
import { builtInCases } from "@thalweg/conformance/node";
import { cuda } from "@thalweg/cuda";

// For Node alone: compilers of kernels need not be watched.
delete process.env.LD_PRELOAD;

const patterns = process.argv.slice(2);
const cases = builtInCases().filter((tested) => patterns.some((pattern) => matches(pattern, tested)));
const { passed, failed, notApplicable, failures } = await runCases(
  () => cuda({ driver: "emulated", cache: false }),
  cases,
);
for (const { layer, case: name, message } of failures) console.log(`${layer}/${name}: ${message}`);
console.log(`${passed} passed, ${failed} failed, ${notApplicable} not applicable`);
process.exitCode = failed === 0 ? 0 : 1;
