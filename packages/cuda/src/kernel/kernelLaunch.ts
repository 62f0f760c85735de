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

/**
 * Asked once for all threads of a block: a kernel beside this one may report a failure in between, and threads that met at
 * barriers and shuffles otherwise would part.
 */
const guard = `__shared__ int failedBefore;
if (threadIdx.x == 0 && threadIdx.y == 0 && threadIdx.z == 0) failedBefore = ((volatile Status*)${statusName})->failed;
__syncthreads();
if (failedBefore) return;
`;

/** More parameters than this go through a table in device memory. */
const mostParameters = 56;
const tableName = "addresses";

/** The parameters, and the statements that read the others out of a table: pointers to buffers, when there are very many. */
function withTable(parameters: readonly Parameter[]): { parameters: readonly Parameter[]; prologue: string } {
  if (parameters.length <= mostParameters) return { parameters, prologue: "" };
  const [own, listed]: [Parameter[], Parameter[]] = [[], []];
  for (const parameter of parameters) {
    const { argument } = parameter;
    (argument.kind === "buffer" && !argument.offset ? listed : own).push(parameter);
  }
  const buffers = listed.flatMap(({ argument }) => (argument.kind === "buffer" ? [argument.buffer] : []));
  const table: Parameter = {
    type: "const long long*",
    name: tableName,
    argument: { kind: "table", buffers, constants: [] },
    restrict: true,
  };
  const prologue = listed.map(
    ({ type, name, restrict }, i) =>
      `${type}${restrict ? " __restrict__" : ""} ${name} = (${type})${tableName}[${i}];\n`,
  );
  return { parameters: [...own, table], prologue: prologue.join("") };
}

export function kernelLaunch(text: KernelText, { guarded }: Pick<KernelContext, "guarded">): KernelLaunch {
  const block = triple(text.block);
  const wanted = [...text.parameters];
  if (guarded && !wanted.some(({ name }) => name === statusName))
    wanted.push({ type: "Status*", name: statusName, argument: { kind: "status" } });
  const { parameters, prologue } = withTable(wanted);
  const threads = block[0] * block[1] * block[2];
  const bounds = text.minimumBlocks === undefined ? `${threads}` : `${threads}, ${text.minimumBlocks}`;
  const list = parameters
    .map(({ type, name, restrict }) => `${type}${restrict ? " __restrict__" : ""} ${name}`)
    .join(", ");
  const source = `${text.declarations ?? ""}extern "C" __global__ void __launch_bounds__(${bounds}) KERNEL(${list}) {
${prologue}${guarded ? guard : ""}${text.body}
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
