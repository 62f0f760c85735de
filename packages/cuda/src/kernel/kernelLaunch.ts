/** Writes the function of a launch: its parameters, the guard, and the body that was generated. */
import type { Argument, KernelContext, KernelLaunch } from "./launch.ts";

export interface Parameter {
  /** C type: `const float*`, `unsigned short*`, `long long`. Pointers are `__restrict__` where `restrict` says so. */
  readonly type: string;
  readonly name: string;
  readonly argument: Argument;
  /** No other parameter of the launch that is written reaches the same memory. */
  readonly restrict?: boolean;
}

export interface KernelText {
  readonly parameters: readonly Parameter[];
  /** Statements. */
  readonly body: string;
  /** What stands before the function: structs, templates' instances. */
  readonly declarations?: string;
  readonly grid: readonly [number, number, number] | number;
  readonly block: readonly [number, number, number] | number;
  readonly sharedBytes?: number;
  /** Least blocks per multiprocessor, for `__launch_bounds__`. */
  readonly minimumBlocks?: number;
}

const triple = (size: readonly [number, number, number] | number): readonly [number, number, number] =>
  typeof size === "number" ? [size, 1, 1] : size;

/** The name of the parameter that points to the Program's status, whether a body asks for it or the guard does. */
export const statusName = "status";

export function kernelLaunch(text: KernelText, { guarded }: Pick<KernelContext, "guarded">): KernelLaunch {
  const block = triple(text.block);
  const parameters = [...text.parameters];
  if (guarded && !parameters.some(({ name }) => name === statusName))
    parameters.push({ type: "Status*", name: statusName, argument: { kind: "status" } });
  const threads = block[0] * block[1] * block[2];
  const bounds = text.minimumBlocks === undefined ? `${threads}` : `${threads}, ${text.minimumBlocks}`;
  const list = parameters
    .map(({ type, name, restrict }) => `${type}${restrict ? " __restrict__" : ""} ${name}`)
    .join(", ");
  const source = `${text.declarations ?? ""}extern "C" __global__ void __launch_bounds__(${bounds}) KERNEL(${list}) {
${guarded ? `if (${statusName}->failed) return;\n` : ""}${text.body}
}
`;
  return {
    kind: "kernel",
    source,
    grid: triple(text.grid),
    block,
    sharedBytes: text.sharedBytes ?? 0,
    arguments: parameters.map(({ argument }) => argument),
  };
}
