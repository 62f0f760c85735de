/** All pages of docs/optimizers, by file name. */
import { type Parameter, useBackend } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import {
  type AnyNamedOptimizer,
  asynchronousOptimizers,
  type Convention,
  type Optimizer,
  optimizersByName,
  type Wrapper,
  wrappers,
} from "@thalweg/core/optim";
import { type Costs, costsOf } from "./costs.ts";
import { indexPage, page, type Subject, shortcomings } from "./page.ts";
import { Sources } from "./sources.ts";

/** For rules that have no default; costs do not depend on it. */
const lr = 0.01;

function optimizerSubject(sources: Sources, name: string, make: AnyNamedOptimizer): Subject {
  const costs = Object.keys(make.rules).map((convention): [string, Costs | undefined] => [
    convention,
    costsOf((parameters) => make(parameters, { convention: convention as Convention, lr })),
  ]);
  return { name, doc: sources.read(name), rules: make.rules, costs: Object.fromEntries(costs) };
}

function wrapperSubject(sources: Sources, name: string, wrap: Wrapper<object>): Subject {
  const inner = optimizersByName.adamW as AnyNamedOptimizer;
  const make = (parameters: readonly Parameter[]): Optimizer => wrap(inner(parameters));
  return { name, doc: sources.read(name), rules: undefined, costs: { torch: costsOf(make) } };
}

const asynchronousSubject = (sources: Sources, name: string): Subject => ({
  name,
  doc: sources.read(name),
  rules: undefined,
  costs: {},
});

export interface Pages {
  readonly pages: ReadonlyMap<string, string>;
  /** What docstrings lack. */
  readonly shortcomings: readonly string[];
}

export function allPages(): Pages {
  // Programs are compiled for it, and none is run.
  useBackend(referenceBackend());
  using sources = new Sources();
  const byName = <Value>(record: Readonly<Record<string, Value>>): [string, Value][] =>
    Object.entries(record).sort(([a], [b]) => a.localeCompare(b, "en"));
  const optimizers = [
    ...byName(optimizersByName).map(([name, make]) => optimizerSubject(sources, name, make)),
    ...Object.keys(asynchronousOptimizers).map((name) => asynchronousSubject(sources, name)),
  ];
  const around = byName(wrappers as Readonly<Record<string, Wrapper<object>>>).map(([name, wrap]) =>
    wrapperSubject(sources, name, wrap),
  );
  const subjects = [...optimizers, ...around];
  return {
    pages: new Map([
      ["README.md", indexPage(optimizers, around)],
      ...subjects.map((subject): [string, string] => [`${subject.name}.md`, page(subject)]),
    ]),
    shortcomings: subjects.flatMap(shortcomings),
  };
}
