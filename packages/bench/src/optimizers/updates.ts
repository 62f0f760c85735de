/** The updates that are compared: every optimizer in each of its conventions, and each wrapper round one of them. */
import type { Parameter } from "@thalweg/core";
import { type Convention, type Optimizer, optimizersByName, type Wrapper, wrappers } from "@thalweg/core/optim";

export interface NamedUpdate {
  /** `adam`, `lookahead(adamW)`. */
  readonly name: string;
  /** Whose meaning of the name. */
  readonly convention: Convention;
  /** With default options, and a rate where there is no default. */
  make(parameters: readonly Parameter[]): Optimizer;
}

/** What all are measured beside, and wrappers go round. */
export const baseline = "adamW";

const lr = 0.01;

/** All that `optimizers` and `wrappers` of `@thalweg/core/optim` have. */
export function namedUpdates(): NamedUpdate[] {
  const plain = Object.entries(optimizersByName).flatMap(([name, make]) =>
    (Object.keys(make.rules) as Convention[]).map((convention) => ({
      name,
      convention,
      make: (parameters: readonly Parameter[]) => make(parameters, { convention, lr }),
    })),
  );
  const inner = plain.find(({ name, convention }) => name === baseline && convention === "torch");
  if (!inner) throw new Error(`there is no optimizer ${baseline}`);
  const wrapped = Object.entries(wrappers as Readonly<Record<string, Wrapper<object>>>).map(([name, wrap]) => ({
    name: `${name}(${baseline})`,
    convention: inner.convention,
    make: (parameters: readonly Parameter[]) => wrap(inner.make(parameters)),
  }));
  return [...plain, ...wrapped];
}
