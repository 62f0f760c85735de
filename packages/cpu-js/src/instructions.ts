/** Scalar instructions as JavaScript statements. */
import {
  type DType,
  type Instruction,
  isBinary,
  isExpensive,
  isUnary,
  ProgramError,
  type Value,
} from "@thalweg/core/backend";
import type { Located, Place } from "./place.ts";
import {
  binarySource,
  castSource,
  choice,
  constantTerm,
  extremeSource,
  givesWholeNumber,
  keepsExactness,
  literal,
  loadSource,
  roundToSource,
  storedSource,
  unarySource,
} from "./scalarSource.ts";

/** A typed array that a body names by slot. */
export interface Slot {
  /** JavaScript name. */
  readonly text: string;
  readonly dtype: DType;
  /** The kernel also writes this memory, so that a load must stay where it stands. */
  readonly written: boolean;
}

type Load = Extract<Instruction, { op: "load" }>;

function emitLoad(instruction: Load, slots: readonly Slot[], place: Place): Located {
  const { dtype, conditions } = instruction;
  const slot = slots[instruction.slot] as Slot;
  const guard = conditions === undefined ? { text: "", depth: 0, constant: true } : place.inside(conditions);
  if (guard.constant === false) return { ...constantTerm(dtype, 0), depth: 0 };
  const guarded = guard.constant !== true;
  const at = place.affine(instruction.at, guarded ? "inUse" : "atOnce");
  const table =
    slot.dtype === "bfloat16" || slot.dtype === "float16" ? place.scope(0).define(`$${slot.dtype}Table()`) : "";
  const element = loadSource(slot.dtype, slot.text, at.text, table);
  const text = !guarded ? element : dtype === "bool" ? `${guard.text} && ${element}` : `${guard.text} ? ${element} : 0`;
  const depth = slot.written ? place.depth : Math.max(at.depth, guard.depth);
  const scope = place.scope(depth);
  const name = slot.written ? scope.compute(text, "v") : scope.define(text, "v");
  return { text: name, dtype, exact: true, depth, chance: dtype === "bool" };
}

/** The array that `choice` needs. */
const pairIn = (place: Place): string => place.scope(0).define("$pair()", "t");

const isFloat = ({ dtype }: Located): boolean => dtype === "float32" || dtype === "float64";

/** Operations whose usual JavaScript branches on the elements: written without a branch where that runs per element. */
function branchless(
  instruction: Instruction,
  place: Place,
): { text: string; depth: number; exact: boolean } | undefined {
  if (!("args" in instruction)) return undefined;
  const args = instruction.args.map((arg) => place.value(arg));
  const depth = Math.max(...args.map((arg) => arg.depth));
  if (depth < place.depth) return undefined;
  const [a, b, c] = args as [Located, Located, Located];
  switch (instruction.op) {
    case "relu":
      if (!isFloat(a)) return undefined;
      return { text: choice(pairIn(place), `${a.text} < 0 | 0`, "0", a.text), depth, exact: a.exact };
    case "maximum":
    case "minimum":
      if (!isFloat(a) || (a.constant !== undefined && b.constant !== undefined)) return undefined;
      return { text: extremeSource(instruction.op, pairIn(place), a, b), depth, exact: a.exact && b.exact };
    case "where":
      // An expensive value that is chosen now and then is better computed behind the branch.
      if (!a.chance || a.depth < place.depth || !isFloat(b) || b.slow || c.slow) return undefined;
      return { text: choice(pairIn(place), `${a.text} | 0`, b.text, c.text), depth, exact: b.exact && c.exact };
    default:
      return undefined;
  }
}

/** Whether a bool is decided by elements: compared as floats, loaded, or put together from such bools. */
function isChance(instruction: Instruction, place: Place): boolean {
  if (!("args" in instruction) || instruction.op === "isNaN") return false;
  const args = instruction.args.map((arg) => place.value(arg));
  return args.some((arg) => arg.chance) || (instruction.dtype === "bool" && args.some(isFloat));
}

/**
 * Emits one instruction (not `reduce`) at `place`, each statement as far out as its operands allow, and returns its
 * value; undefined for a store.
 */
export function emitInstruction(
  instruction: Exclude<Instruction, { op: "reduce" }>,
  slots: readonly Slot[],
  place: Place,
  accumulator: string | undefined,
): Located | undefined {
  const { op } = instruction;
  const pure = (text: string, depth: number, exact: boolean): Located => {
    const { dtype } = instruction as { dtype: Located["dtype"] };
    const name = place.scope(depth).define(text, "v");
    const chance = dtype === "bool" && isChance(instruction, place);
    const slow =
      isExpensive(instruction) || ("args" in instruction && instruction.args.some((arg) => place.value(arg).slow));
    return { text: name, dtype, exact: exact || dtype !== "float32", depth, chance, slow };
  };
  const flat = branchless(instruction, place);
  if (flat !== undefined) return pure(flat.text, flat.depth, flat.exact);
  if (isUnary(op)) {
    const arg = place.value((instruction as { args: readonly [Value] }).args[0]);
    return pure(unarySource(op, arg), arg.depth, givesWholeNumber(op) || (keepsExactness(op) && arg.exact));
  }
  if (isBinary(op)) {
    const [a, b] = (instruction as { args: readonly [Value, Value] }).args.map((arg) => place.value(arg)) as [
      Located,
      Located,
    ];
    if (op === "div" && a.dtype === "float32" && b.depth < a.depth) {
      // One division outside the loop. A double's rounding error more is far below float32's precision.
      const inverse =
        b.constant === undefined ? place.scope(b.depth).define(`1 / ${b.text}`, "v") : literal(1 / b.constant);
      return pure(`${a.text} * ${inverse}`, a.depth, false);
    }
    return pure(binarySource(op, a, b), Math.max(a.depth, b.depth), keepsExactness(op) && a.exact && b.exact);
  }
  switch (instruction.op) {
    case "constant":
      return { ...constantTerm(instruction.dtype, instruction.value), depth: 0 };
    case "uniform": {
      const element = `uniforms[${instruction.uniform}]`;
      if (instruction.dtype === "bool") return pure(`${element} !== 0`, 0, true);
      return pure(
        instruction.dtype === "int32"
          ? `${element} | 0`
          : instruction.dtype === "uint32"
            ? `${element} >>> 0`
            : element,
        0,
        false,
      );
    }
    case "index": {
      const at = place.affine(instruction.affine, "atOnce");
      return pure(at.text, at.depth, true);
    }
    case "inside": {
      const test = place.inside(instruction.conditions);
      if (test.constant !== undefined) return { ...constantTerm("bool", test.constant ? 1 : 0), depth: 0 };
      return pure(test.text, test.depth, true);
    }
    case "load":
      return emitLoad(instruction, slots, place);
    case "where": {
      const [test, a, b] = instruction.args.map((arg) => place.value(arg)) as [Located, Located, Located];
      return pure(`${test.text} ? ${a.text} : ${b.text}`, Math.max(test.depth, a.depth, b.depth), a.exact && b.exact);
    }
    case "cast": {
      const arg = place.value(instruction.args[0]);
      return pure(castSource(instruction.dtype, arg), arg.depth, true);
    }
    case "roundTo": {
      const arg = place.value(instruction.args[0]);
      return pure(roundToSource(instruction.to, arg), arg.depth, instruction.to !== "float64" || arg.exact);
    }
    case "philox": {
      const args = instruction.args.map((arg) => place.value(arg));
      return pure(
        `$philox(${args.map((arg) => arg.text).join(", ")})`,
        Math.max(...args.map((arg) => arg.depth)),
        true,
      );
    }
    case "accumulator": {
      const { dtype } = instruction;
      return {
        text: place.innermost.compute(accumulator as string, "v"),
        dtype,
        exact: dtype !== "float32",
        depth: place.depth,
      };
    }
    case "store": {
      const slot = slots[instruction.slot] as Slot;
      const at = place.affine(instruction.at, "atOnce");
      place.innermost.push(`${slot.text}[${at.text}] = ${storedSource(slot.dtype, place.value(instruction.value))};`);
      return undefined;
    }
    default:
      throw new ProgramError(place.label, `unknown instruction ${instruction.op}`);
  }
}
