/** Affine functions of loop variables as C expressions. */
import type { Affine } from "@thalweg/core/backend";

export type IndexType = "int" | "long long";

/** `text + constant`; no text: nothing varies. */
export interface Sum {
  readonly text: string;
  readonly constant: number;
}

const number = /^-?\d+$/;

/** The value of a variable that is a number in the text. */
export const fixedValue = (variable: string): number | undefined =>
  number.test(variable) ? Number(variable) : undefined;

const suffix = (index: IndexType): string => (index === "int" ? "" : "LL");

/** A whole number in index arithmetic. */
export const indexLiteral = (value: number, index: IndexType): string => `${value}${suffix(index)}`;

/** `a + value` as text. */
export function plusConstant(text: string, value: number, index: IndexType): string {
  if (text === "") return indexLiteral(value, index);
  if (value === 0) return text;
  return `${text} ${value < 0 ? "-" : "+"} ${indexLiteral(Math.abs(value), index)}`;
}

/** `a + stride · b` as text, `b` an atom of a narrower type perhaps. */
export function plusProduct(text: string, b: string, stride: number, index: IndexType): string {
  const size = Math.abs(stride);
  const factor = index === "int" ? b : `(long long)${b}`;
  const term = size === 1 ? factor : `${factor} * ${indexLiteral(size, index)}`;
  if (text === "") return stride < 0 ? `-${term}` : term;
  return `${text} ${stride < 0 ? "-" : "+"} ${term}`;
}

/** The function without its dynamic terms. */
export function sumOf({ offset, strides }: Affine, variables: readonly string[], index: IndexType): Sum {
  let text = "";
  let constant = offset;
  for (let i = 0; i < strides.length; i++) {
    const stride = strides[i] as number;
    if (stride === 0) continue;
    const variable = variables[i] as string;
    const value = fixedValue(variable);
    if (value !== undefined) constant += stride * value;
    else text = plusProduct(text, atom(variable), stride, index);
  }
  return { text, constant };
}

const atom = (expression: string): string => (/^\w+$/.test(expression) ? expression : `(${expression})`);

/** The function, without its dynamic terms, as one expression; put it in parentheses before a product. */
export function linear(affine: Affine, variables: readonly string[], index: IndexType): string {
  const { text, constant } = sumOf(affine, variables, index);
  return plusConstant(text, constant, index);
}
