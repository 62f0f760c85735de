/** Loop variables from one linear place: divisions by constants, which are multiplications on the device. */
import { type IndexType, indexLiteral } from "../source/index.ts";
import type { RowPlan, RowSpace } from "./rowsPlan.ts";

interface Surroundings {
  readonly space: RowSpace;
  readonly plan: RowPlan;
  readonly index: IndexType;
}

/**
 * The name, or number, of each variable in `order`, the last of which changes fastest, and the statements that define the
 * names. The variable that a thread computes several neighbours along counts in steps of as many.
 */
export function decompose(
  place: string,
  order: readonly number[],
  name: string,
  { space, plan, index }: Surroundings,
): { text: string[]; names: Map<number, string> } {
  const sizes = [...space.outer, ...space.inner];
  const text: string[] = [];
  const names = new Map<number, string>();
  let rest = place;
  for (const [position, variable] of [...order].reverse().entries()) {
    const wide = variable === plan.vector ? plan.width : 1;
    const size = (sizes[variable] as number) / wide;
    const outermost = position === order.length - 1;
    const number = size === 1 ? "0" : outermost ? rest : `${rest} % ${indexLiteral(size, index)}`;
    if (number === "0" || (number === rest && wide === 1)) names.set(variable, number);
    else {
      names.set(variable, `${name}${variable}`);
      const value = wide === 1 ? number : `${number} * ${wide}`;
      text.push(`const ${index} ${name}${variable} = ${value};`);
    }
    if (outermost || size === 1) continue;
    text.push(`const ${index} ${name}q${position} = ${rest} / ${indexLiteral(size, index)};`);
    rest = `${name}q${position}`;
  }
  return { text, names };
}
