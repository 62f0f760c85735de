/** Source of the function that runs the epilogue over a block of finished sums, element by element. */
import type { ComputeDType } from "@thalweg/core/backend";
import type { EpilogueEmitter } from "../kernelSource.ts";
import { sumExpression } from "./operands.ts";

/** One variable of the epilogue, in its order. */
export interface FinishVariable {
  readonly name: string;
  /** Absent for a variable the function is given the value of. */
  readonly loop?: {
    /** JavaScript of the number of iterations. */
    readonly count: string;
    /** JavaScript of the variable's value, from its iteration `${name}Step`. */
    readonly value: string;
    /** JavaScript of the distance of its iterations in the array of sums. */
    readonly stride: string;
  };
}

export interface FinishSpec {
  readonly name: string;
  readonly dtype: ComputeDType;
  readonly emit: EpilogueEmitter;
  readonly variables: readonly FinishVariable[];
  /** Names of the epilogue's arrays by slot. */
  readonly slots: readonly string[];
  /** All names the function is given. */
  readonly parameters: readonly string[];
  /** JavaScript name of the array of sums. */
  readonly sums: string;
}

export function finishSource({ name, dtype, emit, variables, slots, parameters, sums }: FinishSpec): {
  readonly source: string;
  readonly usesUniforms: boolean;
} {
  const { levels, usesUniforms } = emit({
    variables: variables.map((variable) => variable.name),
    accumulator: "sum",
    slots,
  });
  let at = "0";
  let open = "";
  let close = "";
  variables.forEach(({ name: variable, loop }, index) => {
    if (loop !== undefined) {
      const [step, position] = [`${variable}Step`, `${variable}At`];
      open += `for (let ${step} = 0, ${position} = ${at}; ${step} < ${loop.count}; ${step} = ${step} + 1 | 0, ${position} = ${position} + ${loop.stride} | 0) {\n`;
      open += `const ${variable} = ${loop.value};\n`;
      close += "}\n";
      at = position;
    }
    if (index === variables.length - 1) open += `const sum = ${sumExpression(dtype, `${sums}[${at}]`)};\n`;
    open += `${(levels[index + 1] ?? []).join("\n")}\n`;
  });
  const source = `function ${name}(${parameters.join(", ")}) {\n${(levels[0] ?? []).join("\n")}\n${open}${close}}`;
  return { source, usesUniforms };
}
