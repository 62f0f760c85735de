/** All mutants, by name. */
import { accessMutants } from "./accessMutants.ts";
import { contractionMutants } from "./contractionMutants.ts";
import type { Mutant } from "./mutant.ts";
import { runtimeMutants } from "./runtimeMutants.ts";
import { scalarMutants } from "./scalarMutants.ts";

export const mutants: readonly Mutant[] = [
  ...accessMutants,
  ...contractionMutants,
  ...scalarMutants,
  ...runtimeMutants,
];
