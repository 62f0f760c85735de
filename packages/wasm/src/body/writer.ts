/** Instructions of the scalar language at a point, each written as far out as its operands allow. */
import { type Instruction, isBinary, isUnary } from "@thalweg/core/backend";
import type { Local } from "../emit/index.ts";
import type { Part, Vector } from "../lanes/index.ts";
import {
  binaryOperation,
  castOperation,
  constantVector,
  philoxOperation,
  roundToOperation,
  unaryOperation,
  whereOperation,
} from "../operations/index.ts";
import { loadSplat } from "../storage/index.ts";
import { writeLoad, writeStore } from "./access.ts";
import { valueOfAffine, varyingTerms } from "./affine.ts";
import { guardOf, laneNumbers } from "./condition.ts";
import { innermost, type Located, locatedValue, type Point, scopeAt, strideOf } from "./point.ts";
import { nameOf } from "./scope.ts";

export type Reduction = Extract<Instruction, { op: "reduce" }>;

/** What a body needs of those who write it. */
export interface BodyHooks {
  /** A contraction's sum at this point. */
  readonly accumulator?: Part;
  /** Takes the value of a reduction. */
  reduce?(reduction: Reduction, value: Located): void;
  /** The value of an instruction that is known already and need not be computed. */
  known?(instruction: Instruction): Located | undefined;
  /** A value was computed. */
  computed?(instruction: Instruction, value: Located): void;
}

/** A vector from others alone: written once where all of them are known. */
function pure(point: Point, name: string, args: readonly Located[], compute: () => Vector): Located {
  let depth = 0;
  let varies = false;
  let key = name;
  for (const arg of args) {
    if (arg.depth > depth) depth = arg.depth;
    varies ||= arg.varies;
    for (const part of arg.vector.parts) key += ` ${nameOf(part)}`;
  }
  return { vector: scopeAt(point, depth).define(key, compute), depth, varies };
}

const kept = (point: Point, dtype: Vector["dtype"], part: Part): Vector => ({
  dtype,
  parts: [point.surroundings.lanes.f.let(part)],
});

function indexVector(point: Point, { affine }: Extract<Instruction, { op: "index" }>): Located {
  const { lanes } = point.surroundings;
  const sum = valueOfAffine(point, affine, true);
  const step = strideOf(point, affine.strides);
  const terms = varyingTerms(point, affine, 1, true);
  const depth = Math.max(sum.depth, terms.depth);
  const numbers = (): Part => laneNumbers(lanes, sum.add, step);
  const compute = (): Vector => {
    const own = terms.any
      ? lanes.fromLanesI32(
          Array.from(
            { length: lanes.count },
            (_, lane) => terms.lanes[Math.min(lane, point.count - 1)] as Local<"i32">,
          ),
        )
      : undefined;
    const affinePart = sum.base ? lanes.i32.add(lanes.splat32(sum.base), numbers()) : numbers();
    return kept(point, "int32", own ? lanes.i32.add(affinePart, own) : affinePart);
  };
  const key = `index ${sum.base?.index}++${sum.add}*${step}`;
  const vector = terms.any ? once(point, depth, compute) : scopeAt(point, depth).define(key, compute);
  return { vector, depth, varies: step !== 0 || terms.any };
}

/** Written at `depth`, under no name. */
function once(point: Point, depth: number, compute: () => Vector): Vector {
  let vector: Vector | undefined;
  scopeAt(point, depth).emit(() => {
    vector = compute();
  });
  return vector as Vector;
}

function insideVector(point: Point, { conditions }: Extract<Instruction, { op: "inside" }>): Located {
  const { lanes } = point.surroundings;
  const { constant, shared, perLane, depth } = guardOf(point, conditions);
  if (constant !== undefined) {
    return { vector: constantVector(lanes, "bool", constant ? 1 : 0), depth: 0, varies: false };
  }
  const key = `inside ${shared?.index} ${perLane.map((test) => test.key).join("&")}`;
  const vector = scopeAt(point, depth).define(key, () => {
    const masks = [
      ...(shared ? [lanes.mask.fromInt(lanes.splat32(shared))] : []),
      ...perLane.map((test) => test.mask()),
    ];
    return kept(point, "bool", masks.reduce(lanes.mask.and));
  });
  return { vector, depth, varies: perLane.length > 0 };
}

function uniformVector(point: Point, { dtype, uniform }: Extract<Instruction, { op: "uniform" }>): Located {
  const { lanes, uniforms } = point.surroundings;
  const vector = scopeAt(point, 0).define(`uniform ${uniform} ${dtype}`, () => {
    const pointer = uniforms as Local<"i32">;
    if (dtype !== "bool") return loadSplat(lanes, dtype, pointer, 8 * uniform);
    const number = loadSplat(lanes, "int32", pointer, 8 * uniform).parts[0] as Part;
    return kept(point, "bool", lanes.mask.fromInt(number));
  });
  return { vector, depth: 0, varies: false };
}

/** The value of an instruction that is neither a store nor a reduction. */
function evaluate(
  point: Point,
  instruction: Exclude<Instruction, { op: "store" } | { op: "reduce" }>,
  hooks: BodyHooks,
): Located {
  const { code, lanes } = point.surroundings;
  const { op } = instruction;
  if (isUnary(op)) {
    const a = locatedValue(point, (instruction as { args: readonly [number] }).args[0]);
    return pure(point, `${op} ${a.vector.dtype}`, [a], () => unaryOperation(code, lanes, op, a.vector));
  }
  if (isBinary(op)) {
    const [first, second] = (instruction as { args: readonly [number, number] }).args;
    const [a, b] = [locatedValue(point, first), locatedValue(point, second)];
    return pure(point, `${op} ${a.vector.dtype}`, [a, b], () => binaryOperation(code, lanes, op, a.vector, b.vector));
  }
  switch (instruction.op) {
    case "constant":
      return { vector: constantVector(lanes, instruction.dtype, instruction.value), depth: 0, varies: false };
    case "uniform":
      return uniformVector(point, instruction);
    case "index":
      return indexVector(point, instruction);
    case "inside":
      return insideVector(point, instruction);
    case "load":
      return writeLoad(point, instruction);
    case "where": {
      const args = instruction.args.map((arg) => locatedValue(point, arg)) as [Located, Located, Located];
      const [test, a, b] = args;
      return pure(point, `where ${a.vector.dtype}`, args, () => whereOperation(lanes, test.vector, a.vector, b.vector));
    }
    case "cast": {
      const a = locatedValue(point, instruction.args[0]);
      return pure(point, `cast ${a.vector.dtype} ${instruction.dtype}`, [a], () =>
        castOperation(code, lanes, instruction.dtype, a.vector),
      );
    }
    case "roundTo": {
      const a = locatedValue(point, instruction.args[0]);
      return pure(point, `round ${a.vector.dtype} ${instruction.to}`, [a], () =>
        roundToOperation(code, lanes, instruction.to, a.vector),
      );
    }
    case "philox": {
      const args = instruction.args.map((arg) => locatedValue(point, arg));
      return pure(point, "philox", args, () =>
        philoxOperation(
          code,
          lanes,
          args.map(({ vector }) => vector),
        ),
      );
    }
    case "accumulator":
      return {
        vector: { dtype: instruction.dtype, parts: [hooks.accumulator as Part] },
        depth: innermost(point).depth,
        varies: true,
      };
    default:
      throw new TypeError(`unknown instruction ${op}`);
  }
}

/** Writes `body` at `point`; its values come to `point.values`. */
export function writeBody(point: Point, body: readonly Instruction[], hooks: BodyHooks = {}): void {
  for (const instruction of body) {
    if (instruction.op === "store") writeStore(point, instruction);
    else if (instruction.op === "reduce") hooks.reduce?.(instruction, locatedValue(point, instruction.value));
    else {
      const known = hooks.known?.(instruction);
      const value = known ?? evaluate(point, instruction, hooks);
      point.values.set(instruction.id, value);
      if (!known) hooks.computed?.(instruction, value);
    }
  }
}
