/**
 * `npm run sanitize [-- PATTERN …]`: builds the addon and the emulated driver with AddressSanitizer and UBSan, then runs the
 * addon's tests and cases of the conformance suite, those that the patterns name, with them. Kernels are watched as well.
 */
import { buildSanitized, findSanitizers, runSanitized, sanitizedRuns, slice } from "./sanitizer.ts";

const libraries = findSanitizers();
if ("missing" in libraries) {
  console.error(`The sanitizers need ${libraries.missing}.`);
  process.exit(1);
}
await buildSanitized();
const patterns = process.argv.slice(2);
const print = (text: string): boolean => process.stdout.write(text);
for (const args of [sanitizedRuns.addonTests, sanitizedRuns.conformance(patterns.length > 0 ? patterns : slice)]) {
  const { status } = await runSanitized(libraries, args, print);
  if (status !== 0) process.exitCode = 1;
}
