/**
 * `npm run convergence`: every rule on every problem, and the claims. Without folders of real data, problems are generated.
 * Ends with exit code 1 where a target was missed.
 */
import { parseArgs } from "node:util";
import { useBackend } from "@thalweg/core";
import { cpu } from "@thalweg/cpu-js";
import { adagradBeatsSgd, type Claim, momentumBeatsSgd } from "./claims.ts";
import { generateImages, logistic, mlp, readImages } from "./classification.ts";
import { type Entrant, entrants } from "./entrants.ts";
import { claimTable, type Outcome, outcomeOf, outcomeTable, publishedOutcomes } from "./outcome.ts";
import { type Problem, problemKinds } from "./problem.ts";
import { generateQuadraticDeep, quadraticDeep, readQuadraticDeep } from "./quadraticDeep.ts";
import { rosenbrock } from "./rosenbrock.ts";
import { lbfgsOnImages, lbfgsOnRosenbrock } from "./secondOrder.ts";
import { generateSparse, readNames } from "./sparseFeatures.ts";

const usage = `npm run convergence -- [options]

  --mnist FOLDER           MNIST-format files, for logistic regression and the MLP
  --quadratic-deep FOLDER  DeepOBS's hessian.f64, train.f32 and test.f32, with published losses to agree with
  --names FILE             names, one a line, whose n-grams are the sparse features
  --rules a,b              only these; see src/rates.ts
  --problems a,b           only these: ${problemKinds.join(", ")}, claims
  --json                   print one JSON object
`;

const { values } = parseArgs({
  options: {
    mnist: { type: "string" },
    "quadratic-deep": { type: "string" },
    names: { type: "string" },
    rules: { type: "string" },
    problems: { type: "string", default: [...problemKinds, "claims"].join(",") },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(usage);
  process.exit();
}
const print = (text: string): void => {
  if (!values.json) process.stdout.write(text);
};

useBackend(await cpu());
const asked = new Set(values.problems.split(","));
const rules = values.rules?.split(",");
const taking: readonly Entrant[] = entrants().filter(({ name }) => rules?.includes(name) ?? true);
const outcomes: Outcome[] = [];
const claims: Claim[] = [];

const withLbfgs = rules?.includes("lbfgs") ?? true;

function report(results: readonly Outcome[]): void {
  if (results.length === 0) return;
  outcomes.push(...results);
  print(outcomeTable(results));
}

/** Those asked for; what is not of their form is tried right away. */
async function problems(): Promise<Problem[]> {
  const found: Problem[] = [];
  if (asked.has("rosenbrock")) {
    found.push(rosenbrock(10_000));
    if (withLbfgs) report([await lbfgsOnRosenbrock()]);
  }
  if (asked.has("quadraticDeep")) {
    const folder = values["quadratic-deep"];
    const data = await (folder === undefined ? generateQuadraticDeep(0) : readQuadraticDeep(folder));
    found.push(quadraticDeep(data, folder === undefined ? "generated" : "DeepOBS", 100));
    if (folder !== undefined) report(await publishedOutcomes(data, taking));
  }
  if (asked.has("logistic") || asked.has("mlp")) {
    const images = values.mnist === undefined ? generateImages(6000, 1500) : await readImages(values.mnist);
    if (asked.has("logistic")) {
      found.push(logistic(images, 3, 0.9));
      if (withLbfgs) report([await lbfgsOnImages(images, 0.9)]);
    }
    if (asked.has("mlp")) found.push(mlp(images, 3, 0.92));
  }
  return found;
}

for (const problem of await problems()) {
  const own: Outcome[] = [];
  for (const entrant of taking) own.push(await outcomeOf(problem, entrant));
  report(own);
}
if (asked.has("claims")) {
  const sparse = values.names === undefined ? generateSparse(2000, 300) : readNames(values.names, 4000);
  claims.push(await momentumBeatsSgd(), await adagradBeatsSgd(await sparse));
  print(claimTable(claims));
}
const missed = outcomes.filter(({ pass }) => !pass).length + claims.filter(({ holds }) => !holds).length;
print(`${outcomes.length + claims.length - missed} reached, ${missed} missed\n`);
if (values.json) process.stdout.write(`${JSON.stringify({ outcomes, claims }, null, 2)}\n`);
process.exitCode = missed > 0 ? 1 : 0;
