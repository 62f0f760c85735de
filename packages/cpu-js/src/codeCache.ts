/** Compiled kernel functions by their source text: equal kernels of different Programs share V8's optimised code. */
import { intrinsicNames, intrinsicValues } from "./intrinsics.ts";

export type KernelFunction = (...args: readonly unknown[]) => void;

const limit = 2000;
const functions = new Map<string, KernelFunction>();

/** Whether code may be made from text here; a content-security policy can forbid it. */
export function canGenerateCode(): boolean {
  try {
    return new Function("return true")() === true;
  } catch {
    return false;
  }
}

/** The function that `source` (a function expression) says, with the intrinsics in its scope. */
export function functionOf(source: string): KernelFunction {
  const known = functions.get(source);
  if (known !== undefined) {
    // Moves to the end: the entry used longest ago is the first to go.
    functions.delete(source);
    functions.set(source, known);
    return known;
  }
  const make = new Function(...intrinsicNames, `"use strict";\nreturn ${source};`);
  const made = make(...intrinsicValues) as KernelFunction;
  functions.set(source, made);
  if (functions.size > limit) functions.delete(functions.keys().next().value as string);
  return made;
}
