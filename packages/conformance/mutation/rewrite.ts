/** Programs with parts exchanged. What a function leaves alone stays the same object, so that a change can be told. */
import type { BinaryOp, Instruction, Kernel, LoopKernel, Program, UnaryOp, Value } from "@thalweg/core/backend";
import type { Rewrite } from "./mutant.ts";

function mapped<T>(list: readonly T[], change: (item: T, index: number) => T): readonly T[] {
  const next = list.map(change);
  return next.every((item, i) => item === list[i]) ? list : next;
}

export const kernels =
  (change: (kernel: Kernel, program: Program) => Kernel): Rewrite =>
  (program) => {
    const next = mapped(program.kernels, (kernel) => change(kernel, program));
    return next === program.kernels ? program : { ...program, kernels: next };
  };

export const kernelsOf = <K extends Kernel["kind"]>(
  kinds: readonly K[],
  change: (kernel: Extract<Kernel, { kind: K }>, program: Program) => Kernel,
): Rewrite =>
  kernels((kernel, program) =>
    (kinds as readonly string[]).includes(kernel.kind)
      ? change(kernel as Extract<Kernel, { kind: K }>, program)
      : kernel,
  );

export const loops = (change: (kernel: LoopKernel, program: Program) => Kernel): Rewrite => kernelsOf(["loop"], change);

/** The instructions of a kernel, epilogues included. */
export function mapBodies(kernel: Kernel, change: (body: readonly Instruction[]) => readonly Instruction[]): Kernel {
  if (kernel.kind === "loop") {
    const stages = mapped(kernel.stages, (stage) => {
      const body = change(stage.body);
      return body === stage.body ? stage : { ...stage, body };
    });
    return stages === kernel.stages ? kernel : { ...kernel, stages };
  }
  if (!("epilogue" in kernel)) return kernel;
  const body = change(kernel.epilogue.body);
  return body === kernel.epilogue.body ? kernel : { ...kernel, epilogue: { ...kernel.epilogue, body } };
}

export const instructionsOf = (kernel: Kernel): readonly Instruction[] =>
  kernel.kind === "loop" ? kernel.stages.flatMap(({ body }) => body) : "epilogue" in kernel ? kernel.epilogue.body : [];

/** A number that no value of the kernel has. */
const unusedValue = (kernel: Kernel): Value => Math.max(0, ...instructionsOf(kernel).map(({ id }) => id)) + 1;

export type Replacement = Instruction | readonly Instruction[];

/** Each instruction by another, or by several of which the last takes its number. `fresh` gives numbers for the others. */
export const instructions = (change: (instruction: Instruction, fresh: () => Value) => Replacement): Rewrite =>
  kernels((kernel) => {
    let next = unusedValue(kernel);
    const fresh = (): Value => next++;
    return mapBodies(kernel, (body) => {
      const list = body.map((instruction) => change(instruction, fresh));
      return list.every((item, i) => item === body[i]) ? body : list.flat();
    });
  });

export type InstructionOf<Op extends Instruction["op"]> = Op extends UnaryOp
  ? Extract<Instruction, { op: UnaryOp }>
  : Op extends BinaryOp
    ? Extract<Instruction, { op: BinaryOp }>
    : Extract<Instruction, { op: Op }>;

/** As `instructions`, for those of one operation. */
export const instructionsOn = <Op extends Instruction["op"]>(
  op: Op,
  change: (instruction: InstructionOf<Op>, fresh: () => Value) => Replacement,
): Rewrite =>
  instructions((instruction, fresh) =>
    instruction.op === op ? change(instruction as InstructionOf<Op>, fresh) : instruction,
  );

/** Dtype of every value of a kernel. */
export function dtypesOf(kernel: Kernel): Map<Value, string> {
  const dtypes = new Map<Value, string>();
  for (const instruction of instructionsOf(kernel))
    if (instruction.op !== "store") dtypes.set(instruction.id, instruction.dtype);
  return dtypes;
}

/** The instruction with its operands, stored and reduced values renumbered. */
export function withOperands(instruction: Instruction, change: (value: Value) => Value): Instruction {
  if ("args" in instruction) {
    const args = instruction.args.map(change);
    return args.every((arg, i) => arg === instruction.args[i])
      ? instruction
      : ({ ...instruction, args } as unknown as Instruction);
  }
  if (instruction.op === "store" || instruction.op === "reduce") {
    const value = change(instruction.value);
    return value === instruction.value ? instruction : { ...instruction, value };
  }
  return instruction;
}

/** A list with its items i and j exchanged. */
export function exchanged<T>(list: readonly T[], i: number, j: number): T[] {
  const next = [...list];
  [next[i], next[j]] = [list[j] as T, list[i] as T];
  return next;
}
