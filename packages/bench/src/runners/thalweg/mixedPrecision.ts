/** Products at lower precision. Looked for by name: a comparison of commits measures cores that do not have it. */
import * as core from "@thalweg/core";
import type { SpecOf } from "../../spec.ts";

type Around = <Result>(body: () => Result) => Result;
type Autocast = <Result>(dtype: string, body: () => Result) => Result;

/** What computes `body` with products of operands rounded to `dtype`; undefined where core has no such thing. */
export function mixedPrecision(dtype: SpecOf<"gpt">["compute"]): Around | undefined {
  if (dtype === undefined) return (body) => body();
  const { autocast } = core as { readonly autocast?: Autocast };
  return autocast && ((body) => autocast(dtype, body));
}
