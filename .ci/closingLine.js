/**
 * Prints `N passed, N failed` from vitest's JSON report, as the last line of a CI run. Exits 1 when there is no report or
 * anything in it failed. A test file that could not even be loaded counts as one failure.
 */
import { existsSync, readFileSync } from "node:fs";

const path = process.argv[2];
if (path === undefined || !existsSync(path)) {
  console.error("No test report: the tests did not run to their end.");
  process.exit(1);
}
const report = JSON.parse(readFileSync(path, "utf8"));
const unloaded = report.testResults.filter(
  (file) => file.status === "failed" && file.assertionResults.length === 0,
).length;
const failed = report.numFailedTests + unloaded;
const skipped = report.numPendingTests + report.numTodoTests;
console.log(`${report.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(report.success && failed === 0 && report.numPassedTests > 0 ? 0 : 1);
