/** Writes instruction lists of the scalar language at a point of a loop space. */
export { type EpilogueWriter, epilogueWriter, usesUniforms } from "./epilogue.ts";
export type { Located, Point, Slot, Surroundings, Variable } from "./point.ts";
export { Scope } from "./scope.ts";
export { type BodyHooks, type Reduction, writeBody } from "./writer.ts";
