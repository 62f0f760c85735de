import type { MathImport } from "../doubles.ts";

/** What modules import as `math`; workers have their own copy (threads/worker.ts). */
export const mathFunctions: Readonly<Record<MathImport, (...args: number[]) => number>> = {
  exp: Math.exp as (...args: number[]) => number,
  log: Math.log as (...args: number[]) => number,
  log1p: Math.log1p as (...args: number[]) => number,
  expm1: Math.expm1 as (...args: number[]) => number,
  sin: Math.sin as (...args: number[]) => number,
  cos: Math.cos as (...args: number[]) => number,
  tan: Math.tan as (...args: number[]) => number,
  tanh: Math.tanh as (...args: number[]) => number,
  power: Math.pow as (...args: number[]) => number,
  modulo: ((a: number, b: number) => a % b) as (...args: number[]) => number,
};
