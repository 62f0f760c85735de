/** A body of the scalar language as statements of CUDA C. */
import {
  type ComputeDType,
  type Instruction,
  isBinary,
  isUnary,
  ProgramError,
  type Value,
} from "@thalweg/core/backend";
import { elementOf, writeLoad, writeStore } from "./access.ts";
import { guardOf, testsOf } from "./guard.ts";
import { fixedValue } from "./linear.ts";
import { binarySource, castSource, roundToSource, unarySource } from "./operation.ts";
import type { BodyPlace } from "./place.ts";
import { cType, literal } from "./types.ts";
import { sequences, Writer } from "./writer.ts";

type Of<K extends Instruction["op"]> = Extract<Instruction, { op: K }>;

/** The affine function as a number; lanes that are neighbours in a block of Philox are noted. */
function writeIndex(writer: Writer, { id, affine }: Of<"index">): void {
  const { place, width, variable } = writer;
  const step = writer.stride(affine.strides);
  const dynamic = affine.dynamic ?? [];
  const varies = width > 1 && (step !== 0 || dynamic.some(({ value }) => writer.varies(value)));
  writer.define(id, "int", varies, (lane) => {
    const exists = dynamic.length > 0 ? writer.exists(lane) : undefined;
    const element = elementOf(writer, affine, lane, exists === undefined);
    const number = place.index === "int" ? element : `int(${element})`;
    return exists === undefined ? number : `${exists} ? ${number} : 0`;
  });
  if (step !== 1 || dynamic.length > 0) return;
  const unit = Math.min(width, 4);
  let { offset } = affine;
  const aligned = affine.strides.every((stride, i) => {
    const value = fixedValue(place.variables[i] as string);
    if (value !== undefined) offset += stride * value;
    return value !== undefined || i === variable || stride % unit === 0;
  });
  if (aligned && offset % unit === 0) sequences.add(writer.lanesOf(id));
}

function writePhilox(writer: Writer, { id, args }: Of<"philox">): void {
  const [index, ...words] = args;
  const { width } = writer;
  const varies = args.some((arg) => writer.varies(arg));
  if (!sequences.has(writer.lanesOf(index)) || words.some((word) => writer.varies(word))) {
    writer.define(
      id,
      "unsigned",
      varies,
      (lane) => `philoxWord(${args.map((arg) => writer.lane(arg, lane)).join(", ")})`,
    );
    return;
  }
  // Neighbours of one block, computed once.
  const parameters = words.map((word) => writer.lane(word, 0)).join(", ");
  const lanes: string[] = [];
  for (let lane = 0; lane < width; lane += 4) {
    const name = writer.fresh("block");
    const first = writer.lane(index, lane);
    writer.lines.push(`const PhiloxBlock ${name} = philoxBlock((unsigned)${first} >> 2, ${parameters});`);
    if (width === 2) for (const k of [0, 1]) lanes.push(`(${first} & 2 ? ${name}.v[${2 + k}] : ${name}.v[${k}])`);
    else for (let k = 0; k < 4; k++) lanes.push(`${name}.v[${k}]`);
  }
  writer.define(id, "unsigned", true, (lane) => lanes[lane] as string);
}

function writeInside(writer: Writer, { id, conditions }: Of<"inside">): void {
  const guard = guardOf(writer, conditions);
  writer.define(id, "bool", guard.perLane.length > 0, (lane) =>
    guard.never ? "false" : testsOf(guard, lane).join(" && ") || "true",
  );
}

function writeInstruction(writer: Writer, instruction: Instruction): void {
  const { op, id } = instruction;
  const { place } = writer;
  const pure = (dtype: ComputeDType, args: readonly Value[], text: (...names: string[]) => string): void => {
    const varies = args.some((arg) => writer.varies(arg));
    writer.define(id, cType(dtype), varies, (lane) => text(...args.map((arg) => writer.lane(arg, lane))));
  };
  if (isUnary(op)) {
    const { dtype, args } = instruction as { dtype: ComputeDType; args: readonly Value[] };
    pure(dtype, args, (a) => unarySource(op, dtype, a as string));
    return;
  }
  if (isBinary(op)) {
    const { dtype, args } = instruction as { dtype: ComputeDType; args: readonly Value[] };
    pure(dtype, args, (a, b) => binarySource(op, dtype, a as string, b as string));
    return;
  }
  switch (instruction.op) {
    case "constant":
      place.known.set(id, [literal(instruction.dtype, instruction.value)]);
      break;
    case "uniform": {
      const type = cType(instruction.dtype);
      pure(instruction.dtype, [], () => `uniformOf<${type}>(uniforms, ${instruction.uniform})`);
      break;
    }
    case "index":
      writeIndex(writer, instruction);
      break;
    case "inside":
      writeInside(writer, instruction);
      break;
    case "load":
      writeLoad(writer, instruction);
      break;
    case "store":
      writeStore(writer, instruction);
      break;
    case "where":
      pure(instruction.dtype, instruction.args, (test, a, b) => `${test} ? ${a} : ${b}`);
      break;
    case "cast":
      pure(instruction.dtype, instruction.args, (a) => castSource(instruction.dtype, a as string));
      break;
    case "roundTo":
      pure(instruction.dtype, instruction.args, (a) => roundToSource(instruction.to, a as string));
      break;
    case "philox":
      writePhilox(writer, instruction);
      break;
    case "accumulator": {
      const { accumulator } = place;
      if (!accumulator) throw new ProgramError("accumulator", "stands outside the epilogue of a contraction");
      writer.define(id, cType(instruction.dtype), writer.width > 1, accumulator);
      break;
    }
    case "reduce": {
      if (!place.reduce) throw new ProgramError("reduce", "stands outside an inner stage");
      const lanes = Array.from({ length: writer.width }, (_, lane) => writer.lane(instruction.value, lane));
      writer.lines.push(place.reduce(instruction, lanes));
      break;
    }
    default:
      throw new ProgramError("body", `unknown instruction ${op}`);
  }
}

/**
 * Statements of the body. The values it defines are added to `place.known`. Names begin with `prefix`, and are unique
 * among bodies of different prefixes.
 */
export function writeBody(body: readonly Instruction[], place: BodyPlace, prefix: string): string {
  const writer = new Writer(place, prefix);
  for (const instruction of body) writeInstruction(writer, instruction);
  return writer.lines.join("\n");
}

/** Which parameters a body needs besides its slots. */
export function bodyNeeds(body: readonly Instruction[]): { uniforms: boolean; status: boolean } {
  let [uniforms, status] = [false, false];
  for (const instruction of body) {
    if (instruction.op === "uniform") uniforms = true;
    // Dynamic values in conditions decide, and are not checked.
    const at = "at" in instruction ? instruction.at : instruction.op === "index" ? instruction.affine : undefined;
    if (at?.dynamic?.length) status = true;
  }
  return { uniforms, status };
}
