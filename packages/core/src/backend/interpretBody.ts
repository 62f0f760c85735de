/** The scalar language, executed: each instruction becomes one function of the frame it runs in. */
import { type ComputeDType, type DType, roundTo } from "../graph/dtype.ts";
import { IndexError, ProgramError } from "../graph/errors.ts";
import { type BinaryOp, comparisonOps, type ReduceOp, type UnaryOp } from "../graph/node.ts";
import {
  applyBinary,
  applyUnary,
  castValue,
  isBinary,
  isMoreExtreme,
  isUnary,
  philoxWord,
  reduceIdentity,
} from "../graph/scalar.ts";
import type { Affine, Condition, Instruction, Value } from "./program.ts";

/** Memory as the interpreter holds it: every dtype in float64. */
export interface Cells {
  readonly data: Float64Array;
  /** Stores `value` as the buffer's dtype keeps it. */
  store(index: number, value: number): void;
}

/** All that a body can see while it runs. */
export interface Frame {
  /** Current value of each loop variable. */
  readonly variables: number[];
  readonly values: Float64Array;
  /** Best value so far of each argMax and argMin. */
  readonly extremes: Float64Array;
  /** What each slot is. */
  slots: readonly Cells[];
  uniforms: readonly number[];
  accumulator: number;
  /** Row-major position in the inner space. */
  position: number;
}

export interface CompiledBody {
  /** Sets the reductions to their identities. */
  begin(frame: Frame): void;
  run(frame: Frame): void;
}

type Step = (frame: Frame) => void;

export function newFrame(bodies: readonly (readonly Instruction[])[], variables: number): Frame {
  const count = 1 + bodies.flat().reduce((most, { id }) => Math.max(most, id), -1);
  return {
    variables: new Array<number>(variables).fill(0),
    values: new Float64Array(count),
    extremes: new Float64Array(count),
    slots: [],
    uniforms: [],
    accumulator: 0,
    position: 0,
  };
}

/** Throws the IndexError of a dynamic index of the kernel called `label`. */
export function checkIndex(label: string, index: number, size: number): void {
  if (!(index >= 0 && index < size)) {
    throw new IndexError(label, `index ${index} is out of range for size ${size}`);
  }
}

function addressOf({ offset, strides, dynamic = [] }: Affine, label: string): (frame: Frame) => number {
  return (frame) => {
    let address = offset;
    for (let axis = 0; axis < strides.length; axis++) {
      address += (strides[axis] as number) * (frame.variables[axis] as number);
    }
    for (const { value, stride, size } of dynamic) {
      const index = frame.values[value] as number;
      checkIndex(label, index, size);
      address += stride * index;
    }
    return address;
  };
}

/** A dynamic index inside a condition decides it like any number: only an access that happens can be out of range. */
function holdsAll(conditions: readonly Condition[]): (frame: Frame) => boolean {
  const tests = conditions.map(({ affine: { offset, strides, dynamic = [] }, lo, hi }) => {
    const base = addressOf({ offset, strides }, "");
    return (frame: Frame) => {
      let value = base(frame);
      for (const term of dynamic) value += term.stride * (frame.values[term.value] as number);
      return value >= lo && value < hi;
    };
  });
  return (frame) => tests.every((test) => test(frame));
}

/** Operations that jump: on float32 they see their operands rounded, so that the oracle jumps where a float32 backend does. */
const jumps: ReadonlySet<string> = new Set<UnaryOp | BinaryOp>([
  ...comparisonOps,
  "floor",
  "ceil",
  "round",
  "trunc",
  "sign",
]);

/** Prepares the bodies of one kernel, in order; `dtypes` collects the dtype of every value defined so far. */
export function compileBody(
  body: readonly Instruction[],
  label: string,
  uniforms: readonly { readonly dtype: ComputeDType }[],
  dtypes: Map<Value, ComputeDType>,
): CompiledBody {
  const steps: Step[] = [];
  const beginnings: Step[] = [];
  for (const instruction of body) {
    if (instruction.op === "reduce") {
      const { id, fn, value } = instruction;
      const [begin, step] = reduction(id, fn, value, dtypes.get(value) as ComputeDType);
      beginnings.push(begin);
      steps.push(step);
    } else if (instruction.op === "store") {
      const { slot, value } = instruction;
      const address = addressOf(instruction.at, label);
      steps.push((frame) => frame.slots[slot]?.store(address(frame), frame.values[value] as number));
    } else {
      const { id } = instruction;
      const evaluate = evaluation(instruction, label, uniforms, dtypes);
      steps.push((frame) => {
        frame.values[id] = evaluate(frame);
      });
    }
    if (instruction.op !== "store") dtypes.set(instruction.id, instruction.dtype);
  }
  return {
    begin: (frame) => {
      for (const step of beginnings) step(frame);
    },
    run: (frame) => {
      for (const step of steps) step(frame);
    },
  };
}

function reduction(id: Value, fn: ReduceOp, value: Value, dtype: ComputeDType): [begin: Step, step: Step] {
  if (fn === "argMax" || fn === "argMin") {
    return [
      (frame) => {
        frame.values[id] = 0;
      },
      (frame) => {
        const candidate = roundedOperand(dtype, frame.values[value] as number);
        if (frame.position > 0 && !isMoreExtreme(fn, candidate, frame.extremes[id] as number)) return;
        frame.extremes[id] = candidate;
        frame.values[id] = frame.position;
      },
    ];
  }
  const op = { sum: "add", prod: "mul", max: "maximum", min: "minimum" } as const;
  const identity = reduceIdentity(fn, dtype);
  return [
    (frame) => {
      frame.values[id] = identity;
    },
    (frame) => {
      frame.values[id] = applyBinary(op[fn], dtype, frame.values[id] as number, frame.values[value] as number);
    },
  ];
}

const roundedOperand = (dtype: ComputeDType, x: number): number => (dtype === "float32" ? Math.fround(x) : x);

function evaluation(
  instruction: Exclude<Instruction, { op: "store" } | { op: "reduce" }>,
  label: string,
  uniforms: readonly { readonly dtype: ComputeDType }[],
  dtypes: ReadonlyMap<Value, ComputeDType>,
): (frame: Frame) => number {
  const { op, dtype } = instruction;
  if (isUnary(op)) {
    const [a] = (instruction as { args: readonly [Value] }).args;
    const of = dtypes.get(a) as ComputeDType;
    if (jumps.has(op)) return ({ values }) => applyUnary(op, of, roundedOperand(of, values[a] as number));
    return ({ values }) => applyUnary(op, of, values[a] as number);
  }
  if (isBinary(op)) {
    const [a, b] = (instruction as { args: readonly [Value, Value] }).args;
    const of = dtypes.get(a) as ComputeDType;
    if (jumps.has(op)) {
      return ({ values }) =>
        applyBinary(op, of, roundedOperand(of, values[a] as number), roundedOperand(of, values[b] as number));
    }
    return ({ values }) => applyBinary(op, of, values[a] as number, values[b] as number);
  }
  switch (instruction.op) {
    case "constant": {
      const { value } = instruction;
      return () => value;
    }
    case "uniform": {
      const { uniform } = instruction;
      const of = uniforms[uniform]?.dtype as DType;
      return (frame) =>
        of === "float32" ? (frame.uniforms[uniform] as number) : roundTo(of, frame.uniforms[uniform] as number);
    }
    case "index": {
      const address = addressOf(instruction.affine, label);
      return (frame) => address(frame) | 0;
    }
    case "inside": {
      const holds = holdsAll(instruction.conditions);
      return (frame) => (holds(frame) ? 1 : 0);
    }
    case "load": {
      const { slot } = instruction;
      const holds = holdsAll(instruction.conditions ?? []);
      const address = addressOf(instruction.at, label);
      return (frame) => (holds(frame) ? (frame.slots[slot]?.data[address(frame)] as number) : 0);
    }
    case "where": {
      const [condition, a, b] = instruction.args;
      return ({ values }) => (values[condition] !== 0 ? values[a] : values[b]) as number;
    }
    case "cast": {
      const [a] = instruction.args;
      const from = dtypes.get(a) as ComputeDType;
      const jump = dtype !== "float32" && dtype !== "float64";
      return ({ values }) =>
        castValue(from, dtype, jump ? roundedOperand(from, values[a] as number) : (values[a] as number));
    }
    case "roundTo": {
      const [a] = instruction.args;
      const { to } = instruction;
      return ({ values }) => roundTo(to, values[a] as number);
    }
    case "philox": {
      const [index, key0, key1, stream0, stream1] = instruction.args;
      return ({ values }) =>
        philoxWord(
          values[index] as number,
          values[key0] as number,
          values[key1] as number,
          values[stream0] as number,
          values[stream1] as number,
        );
    }
    case "accumulator":
      return (frame) => frame.accumulator;
    default:
      throw new ProgramError(label, `unknown instruction ${op}`);
  }
}
