import { cpu } from "@thalweg/cpu-js";
import { runCases } from "./run.ts";

const { [process.argv[3]!]: cases } = await import(process.argv[2]!);
const t = performance.now();
const times: [number, string][] = [];
let last = t;
const report = await runCases(cpu as never, cases, {
  onCase: (c) => {
    const n = performance.now();
    times.push([n - last, c.name]);
    last = n;
  },
});
console.log(performance.now() - t, report.passed, report.notApplicable, report.failed);
for (const f of report.failures) console.log(f.case, "=>", f.message.slice(0, 400));
console.log(
  times
    .sort((a, b) => b[0] - a[0])
    .slice(0, 6)
    .map(([n, c]) => `${n.toFixed(0)} ${c}`)
    .join("\n"),
);
