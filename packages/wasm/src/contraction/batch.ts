/** The elements of a product's batch. */
import { type Expression, type FunctionBuilder, i32, type Local } from "../emit/index.ts";
import type { Product, Side } from "./product.ts";

/** The batch variables of element `index`, counted row by row. */
export function batchVariables(f: FunctionBuilder, { batch }: Product, index: Local<"i32">): (Local<"i32"> | number)[] {
  const variables: (Local<"i32"> | number)[] = [];
  let rest = index;
  for (let axis = batch.length - 1; axis >= 0; axis--) {
    const size = batch[axis] as number;
    if (size === 1) variables.unshift(0);
    else if (batch.slice(0, axis).every((outer) => outer === 1)) variables.unshift(rest);
    else {
      variables.unshift(f.let(i32.remU(rest, size)));
      rest = f.let(i32.divU(rest, size));
    }
  }
  return variables;
}

/** Where an operand begins for these batch variables. */
export function batchBase(
  f: FunctionBuilder,
  pointer: Local<"i32">,
  side: Side,
  variables: readonly (Local<"i32"> | number)[],
): Local<"i32"> {
  return f.let(
    variables.reduce<Expression<"i32">>(
      (sum, variable, axis) => i32.add(sum, i32.mul(variable, side.batch[axis] as number)),
      i32.add(pointer, side.offset),
    ),
  );
}
