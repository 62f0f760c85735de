import { useBackend } from "@thalweg/core";
import { cpu } from "@thalweg/cpu-js";
import { generateImages, logistic, mlp, readImages } from "/work/main/packages/convergence/src/classification.ts";
import { entrants } from "/work/main/packages/convergence/src/entrants.ts";
import { reached } from "/work/main/packages/convergence/src/problem.ts";
import {
  generateQuadraticDeep,
  quadraticDeep,
  readQuadraticDeep,
} from "/work/main/packages/convergence/src/quadraticDeep.ts";
import { rosenbrock } from "/work/main/packages/convergence/src/rosenbrock.ts";

useBackend(await cpu());
const [, , which, only, grid] = process.argv;
const problem =
  which === "rosenbrock"
    ? rosenbrock(10000)
    : which === "quadraticDeep"
      ? quadraticDeep(await readQuadraticDeep("/work/shared/data/quadratic-deep"), "DeepOBS", 100)
      : which === "gq"
        ? quadraticDeep(await generateQuadraticDeep(3), "generated", 20)
        : which === "logistic"
          ? logistic(await readImages("/work/shared/data/mnist"), 3, 0.88)
          : which === "dl"
            ? logistic(generateImages(2000, 500), 2, 0.8)
            : mlp(await readImages("/work/shared/data/mnist"), 3, 0.93);
console.log(problem.name, problem.target);
const skip = new Set((process.env.SKIP ?? "").split(","));
for (const e of entrants()) {
  if (only !== "*" && only && !only.split(",").includes(e.name)) continue;
  if (skip.has(e.name)) continue;
  const out: string[] = [];
  const t = performance.now();
  for (const lr of JSON.parse(grid)) {
    try {
      const v = await problem.solve(e.make(lr));
      out.push(`${JSON.stringify(lr)}: ${v.toPrecision(3)}${reached(problem.target, v) ? "*" : ""}`);
    } catch (x) {
      out.push(`${JSON.stringify(lr)}: ${(x as Error).message.slice(0, 150)}`);
      break;
    }
  }
  console.log(e.name.padEnd(18), out.join("  "), `${((performance.now() - t) / 1000).toFixed(1)} s`);
}
