/**
 * Exponentials of x - max(x), as in a softmax, in the logarithm of a sum of exponentials and in a cross-entropy: their
 * operands are not above 0 (or NaN), and e^x costs less when that is known.
 */
import { type Instruction, operandsOf, type Value } from "@thalweg/core/backend";
import type { Located, Point } from "../body/index.ts";
import type { Part } from "../lanes/index.ts";
import { expOfAtMostZero } from "../math/index.ts";
import type { Space } from "./space.ts";

/** Whether two values of the same point are the same number, as far as can be told from how they are computed. */
class Sameness {
  readonly #definitions: ReadonlyMap<Value, Instruction>;
  readonly #written: (slot: number) => boolean;
  /** Of pairs: a value used twice at every level would be looked at twice as often at each. */
  readonly #known = new Map<string, boolean>();

  constructor(definitions: ReadonlyMap<Value, Instruction>, written: (slot: number) => boolean) {
    this.#definitions = definitions;
    this.#written = written;
  }

  of(a: Value, b: Value): boolean {
    if (a === b) return true;
    const pair = `${a} ${b}`;
    const known = this.#known.get(pair) ?? this.#compare(this.#definitions.get(a), this.#definitions.get(b));
    this.#known.set(pair, known);
    return known;
  }

  #compare(a: Instruction | undefined, b: Instruction | undefined): boolean {
    if (!a || !b || a.op !== b.op || a.op === "store" || a.op === "reduce") return false;
    if (a.op === "load" && this.#written(a.slot)) return false;
    // JSON has no -0, NaN and infinities.
    if (a.op === "constant" && b.op === "constant") return a.dtype === b.dtype && Object.is(a.value, b.value);
    const [mine, others] = [operandsOf(a), operandsOf(b)];
    return (
      textOf(a) === textOf(b) &&
      mine.length === others.length &&
      mine.every((operand, index) => this.of(operand, others[index] as Value))
    );
  }
}

/** All of an instruction but its name and its operands'. */
function textOf(instruction: Instruction): string {
  return JSON.stringify(instruction, (field, value: unknown) => {
    if (field === "id" || field === "args") return undefined;
    if (field === "dynamic") return (value as { value: Value }[]).map((entry) => ({ ...entry, value: undefined }));
    return value;
  });
}

/** The exponentials, each with its operand. `written`: whether the kernel writes to memory of this slot. */
export function exponentialsBelowMaximum(
  { stages }: Pick<Space, "stages">,
  written: (slot: number) => boolean,
): ReadonlyMap<Value, Value> {
  const found = new Map<Value, Value>();
  const definitions = new Map<Value, Instruction>();
  for (const { body } of stages) {
    for (const instruction of body) if (instruction.op !== "store") definitions.set(instruction.id, instruction);
  }
  const same = new Sameness(definitions, written);
  /** What `value` is the greatest of. */
  const greatestOf = (value: Value): Value | undefined => {
    const instruction = definitions.get(value);
    if (instruction?.op === "roundTo" && instruction.to === "float32") return greatestOf(instruction.args[0]);
    return instruction?.op === "reduce" && instruction.fn === "max" ? instruction.value : undefined;
  };
  for (const instruction of definitions.values()) {
    if (instruction.op !== "exp" || instruction.dtype !== "float32") continue;
    const operand = operandsOf(instruction)[0] as Value;
    const difference = definitions.get(operand);
    if (difference?.op !== "sub") continue;
    const [x, maximum] = operandsOf(difference) as [Value, Value];
    const all = greatestOf(maximum);
    if (all !== undefined && same.of(x, all)) found.set(instruction.id, operand);
  }
  return found;
}

/** e^operand for such an operand; undefined where it does not change in the innermost block, but is known further out. */
export function writeExponential(point: Point, operand: Value): Located | undefined {
  const x = point.values.get(operand);
  const scope = point.scopes.at(-1);
  if (!x || !scope || x.depth < scope.depth) return undefined;
  let part: Part | undefined;
  scope.emit(() => {
    part = expOfAtMostZero(point.surroundings.lanes, x.vector.parts[0] as Part);
  });
  return { ...x, vector: { dtype: "float32", parts: [part as Part] } };
}
