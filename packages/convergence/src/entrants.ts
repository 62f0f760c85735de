/** What takes part: every optimizer, and each wrapper round one of them. */
import {
  type AnyNamedOptimizer,
  cosine,
  type Optimizer,
  optimizersByName,
  type Wrapper,
  wrappers,
} from "@thalweg/core/optim";
import type { MakeOptimizer, ProblemKind } from "./problem.ts";
import { type Rate, rates } from "./rates.ts";

export interface Entrant {
  readonly name: string;
  readonly rates: Readonly<Record<ProblemKind, Rate>>;
  /** With a rate for this run. */
  make(rate: Rate): MakeOptimizer;
}

/** The optimizer that wrappers go round. */
const inner = "sgd";

type Change = (optimizer: Optimizer, settings: object | undefined) => Optimizer;

function entrant(name: string, make: AnyNamedOptimizer, change: Change = (optimizer) => optimizer): Entrant {
  const known = rates[name];
  if (!known) throw new Error(`there is no learning rate for ${name}: add it to rates.ts`);
  return {
    name,
    rates: known,
    make: (rate) => (parameters, steps) => {
      const {
        lr,
        constant = false,
        settings,
        ...options
      } = typeof rate === "number" ? { lr: rate, settings: undefined } : rate;
      return change(
        make(parameters, { lr: constant ? lr : cosine({ baseLr: lr, tMax: steps }), ...options }),
        settings,
      );
    },
  };
}

const wrapped = Object.entries(wrappers as Readonly<Record<string, Wrapper<object>>>);

/** All of them; throws for one without rates. */
export const entrants = (): Entrant[] => [
  ...Object.entries(optimizersByName).map(([name, make]) => entrant(name, make)),
  ...wrapped.map(([name, wrap]) => entrant(`${name}(${inner})`, optimizersByName[inner] as AnyNamedOptimizer, wrap)),
];
