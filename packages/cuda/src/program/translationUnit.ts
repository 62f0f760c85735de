/** The texts of several kernels as one source for NVRTC, each function under the name its text gives it. */
import { createHash } from "node:crypto";

/** The name of a function: its text, hashed. */
export const functionName = (source: string): string =>
  `thalweg_${createHash("sha256").update(source).digest("hex").slice(0, 20)}`;

const include = /^#include .*\n/gm;

/**
 * What the kernels include stands before all of them; each is in a namespace of its own, as their structs may have the same
 * names.
 */
export function translationUnit(sources: readonly string[]): string {
  const includes = new Set(sources.flatMap((source) => source.match(include) ?? []));
  const functions = sources.map((source) => {
    const name = functionName(source);
    return `namespace of_${name} {\n${source.replaceAll(include, "").replaceAll(/\bKERNEL\b/g, name)}}\n`;
  });
  return [`#include "thalweg.cuh"\n`, ...includes, ...functions].join("");
}
