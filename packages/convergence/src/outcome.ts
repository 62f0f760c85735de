/** Runs entrants on problems, and says in a table what came of it. */
import Table from "cli-table3";
import type { Claim } from "./claims.ts";
import type { Entrant } from "./entrants.ts";
import { type Problem, reached } from "./problem.ts";
import { type QuadraticDeep, testLosses } from "./quadraticDeep.ts";
import type { Rate } from "./rates.ts";

/** What a rule came to on a problem. */
export interface Outcome {
  readonly rule: string;
  readonly rate: Rate;
  readonly problem: string;
  readonly result: number;
  readonly target: string;
  readonly pass: boolean;
}

const bound = ({ target: { quantity, value, better } }: Problem): string =>
  `${quantity} ${better === "below" ? "≤" : "≥"} ${Number(value.toPrecision(4))}`;

export async function outcomeOf(problem: Problem, { name, rates, make }: Entrant): Promise<Outcome> {
  const rate = rates[problem.kind];
  const result = await problem.solve(make(rate));
  const pass = reached(problem.target, result);
  return { rule: name, rate, problem: problem.name, result, target: bound(problem), pass };
}

/** Losses that DeepOBS has published for its own random numbers. */
const published = {
  start: 353.446764,
  runs: [
    { rule: "sgd", lr: 0.015848931925, first: 105.445, last: 87.518 },
    { rule: "adam", lr: 0.039810717055, first: 141.75, last: 87.0675 },
  ],
  epochs: 100,
  /** The order of the batches was another one. */
  tolerance: 0.01,
} as const;

/** SGD and Adam against their published losses at the start, after the first epoch and after the last. */
export async function publishedOutcomes(data: QuadraticDeep, entrants: readonly Entrant[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const { rule, lr, first, last } of published.runs) {
    const entrant = entrants.find(({ name }) => name === rule);
    if (!entrant) continue;
    const rate = { lr, constant: true };
    const losses = await testLosses(data, entrant.make(rate), published.epochs, 1);
    for (const [epoch, expected] of [
      [0, published.start],
      [1, first],
      [published.epochs, last],
    ] as const) {
      const result = losses[epoch] as number;
      outcomes.push({
        rule,
        rate: lr,
        problem: `quadratic_deep as published by DeepOBS, after epoch ${epoch}`,
        result,
        target: `${expected} ± ${100 * published.tolerance} %`,
        pass: Math.abs(result / expected - 1) <= published.tolerance,
      });
    }
  }
  return outcomes;
}

const rateText = (rate: Rate): string => {
  if (typeof rate === "number") return String(Number(rate.toPrecision(4)));
  const { lr, constant, settings, ...options } = rate;
  const more = Object.entries({ ...options, ...settings }).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return [lr, ...(constant ? ["constant"] : []), ...more].join(", ");
};

const digits = (value: number): string => String(Number(value.toPrecision(4)));

const plain = { style: { head: [], border: [] }, chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" } };

export function outcomeTable(outcomes: readonly Outcome[]): string {
  const table = new Table({ head: ["problem", "rule", "rate", "result", "target", "pass"], ...plain });
  for (const { problem, rule, rate, result, target, pass } of outcomes) {
    table.push([problem, rule, rateText(rate), digits(result), target, pass ? "yes" : "NO"]);
  }
  return `${table.toString()}\n`;
}

export function claimTable(claims: readonly Claim[]): string {
  const table = new Table({ head: ["claim", "rule", "rate", "result", "holds"], ...plain });
  for (const { claim, results, quantity, holds } of claims) {
    for (const [i, { rule, rate, value }] of results.entries()) {
      const first = i === 0;
      table.push([first ? claim : "", rule, rate, `${quantity} ${digits(value)}`, first ? (holds ? "yes" : "NO") : ""]);
    }
  }
  return `${table.toString()}\n`;
}
