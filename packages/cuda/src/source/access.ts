/** Loads and stores: where they are, which of them move several lanes at once, and what keeps them from happening. */
import { type Affine, bytesPerElement, type Instruction } from "@thalweg/core/backend";
import { type Guard, guardOf, testsOf } from "./guard.ts";
import { fixedValue, indexLiteral, plusConstant, plusProduct, sumOf } from "./linear.ts";
import type { SlotSource } from "./place.ts";
import { cType, literal, storageTag } from "./types.ts";
import type { Writer } from "./writer.ts";

type Load = Extract<Instruction, { op: "load" }>;
type Store = Extract<Instruction, { op: "store" }>;
type Term = NonNullable<Affine["dynamic"]>[number];

/** A dynamic index that is in range, as an expression of the index type. */
function checked(writer: Writer, { value, size }: Term, lane: number): string {
  const name = writer.lane(value, lane);
  return writer.place.index === "int"
    ? `checkedIndex(status, ${name}, ${size})`
    : `checkIndex(status, ${name}, ${indexLiteral(size, "long long")})`;
}

/**
 * The element's number in a lane. `certain`: the access happens, so that checks may stand before it; else they are part of
 * the expression, which is evaluated only when it does.
 */
export function elementOf(writer: Writer, at: Affine, lane: number, certain: boolean): string {
  const { index, variables } = writer.place;
  const { text, constant } = sumOf(at, variables, index);
  let sum = text === "" ? "" : writer.bind(index, text, "i");
  for (const term of at.dynamic ?? []) {
    const number = checked(writer, term, lane);
    const position = certain ? writer.bind(index, number, "d") : number;
    if (term.stride !== 0) sum = plusProduct(sum, position, term.stride, index);
    else if (!certain) sum = plusProduct(sum, `(${position} * 0)`, 1, index);
  }
  return plusConstant(sum, constant + lane * writer.stride(at.strides), index);
}

const isDynamic = (at: Affine): boolean => at.dynamic !== undefined && at.dynamic.length > 0;

/** Whether the element differs from lane to lane. */
const moves = (writer: Writer, at: Affine): boolean =>
  writer.stride(at.strides) !== 0 || (at.dynamic ?? []).some(({ value }) => writer.varies(value));

/** No element exists that a dynamic index could name: nothing to access, but the index is still reported. */
const isEmpty = (at: Affine): boolean => (at.dynamic ?? []).some(({ size }) => size === 0);

/** The most elements one instruction moves when `width` lanes of `bytes` each are neighbours. */
export const packetSize = (width: number, bytes: number): number => Math.min(width, 16 / bytes);

/** Elements that one instruction moves, where the lanes are neighbours in memory; 1 where each lane moves its own. */
function packetOf(writer: Writer, slot: SlotSource, at: Affine): number {
  const { width, variable, place } = writer;
  if (width === 1 || writer.stride(at.strides) !== 1) return 1;
  if ((at.dynamic ?? []).some(({ value }) => writer.varies(value))) return 1;
  const steps = (at.dynamic ?? []).map(({ stride }) => stride);
  let { offset } = at;
  for (let i = 0; i < at.strides.length; i++) {
    const stride = at.strides[i] as number;
    const value = fixedValue(place.variables[i] as string);
    if (value !== undefined) offset += stride * value;
    else if (i !== variable) steps.push(stride);
  }
  let packet = packetSize(width, bytesPerElement(slot.dtype));
  while (packet > 1 && (offset % packet !== 0 || steps.some((step) => step % packet !== 0))) packet /= 2;
  return packet;
}

/** `Float32, 4`, or `Float32, 4, 2` where the widest instruction cannot be used. */
function templateArguments(writer: Writer, { dtype }: SlotSource, packet: number): string {
  const all = `${storageTag(dtype)}, ${writer.width}`;
  return packet === packetSize(writer.width, bytesPerElement(dtype)) ? all : `${all}, ${packet}`;
}

function report(writer: Writer, at: Affine, guard: Guard): void {
  for (let lane = 0; lane < writer.width; lane++) {
    const tests = testsOf(guard, lane, writer.exists(lane));
    const checks = (at.dynamic ?? []).map((term) => `${checked(writer, term, lane)};`).join(" ");
    writer.lines.push(tests.length > 0 ? `if (${tests.join(" && ")}) { ${checks} }` : checks);
  }
}

const guarded = (tests: readonly string[], text: string, otherwise: string): string =>
  tests.length === 0 ? text : `${tests.join(" && ")} ? ${text} : ${otherwise}`;

export function writeLoad(writer: Writer, instruction: Load): void {
  const { id, dtype, at } = instruction;
  const { known, slots } = writer.place;
  const guard = guardOf(writer, instruction.conditions ?? []);
  const zero = literal(dtype, 0);
  if (isEmpty(at) && !guard.never) report(writer, at, guard);
  if (guard.never || isEmpty(at)) {
    known.set(id, [zero]);
    return;
  }
  const slot = slots[instruction.slot] as SlotSource;
  const tag = storageTag(slot.dtype);
  const way = slot.readOnly ? "ReadOnly" : "";
  const cache = slot.readOnly ? writer.constantLoads : writer.changingLoads;
  const type = cType(dtype);
  const { width } = writer;
  const once = (key: string, write: () => readonly string[]): void => {
    let lanes = cache.get(key);
    if (lanes === undefined) {
      lanes = write();
      cache.set(key, lanes);
    }
    known.set(id, lanes);
  };
  const packet = guard.perLane.length === 0 ? packetOf(writer, slot, at) : 1;
  if (packet > 1) {
    const kind = templateArguments(writer, slot, packet);
    const tests = testsOf(guard, 0, isDynamic(at) ? writer.exists(0) : undefined);
    const address = `${slot.pointer} + (${elementOf(writer, at, 0, tests.length === 0)})`;
    const count = writer.place.count === undefined ? "" : `, ${writer.place.count}`;
    const vector = `Vec<${type}, ${width}>`;
    const text = guarded(tests, `loadVector${way}<${kind}>(${address}${count})`, `${vector}{}`);
    once(text, () => {
      const name = writer.nameOf(id);
      writer.lines.push(`const ${vector} ${name} = ${text};`);
      return Array.from({ length: width }, (_, lane) => `${name}.v[${lane}]`);
    });
    return;
  }
  const varies = width > 1 && (moves(writer, at) || guard.perLane.length > 0);
  const texts = Array.from({ length: varies ? width : 1 }, (_, lane) => {
    const tests = testsOf(guard, lane, writer.exists(lane));
    if (tests.includes("false")) return zero;
    const element = elementOf(writer, at, lane, tests.length === 0);
    return guarded(tests, `load${way}<${tag}>(${slot.pointer} + (${element}))`, zero);
  });
  once(texts.join(), () => {
    writer.define(id, type, varies, (lane) => texts[lane] as string);
    return writer.lanesOf(id);
  });
}

export function writeStore(writer: Writer, { slot: number, at, value }: Store): void {
  const none: Guard = { never: false, shared: [], perLane: [] };
  if (isEmpty(at)) {
    report(writer, at, none);
    return;
  }
  const slot = writer.place.slots[number] as SlotSource;
  const tag = storageTag(slot.dtype);
  const { width } = writer;
  const packet = packetOf(writer, slot, at);
  if (packet > 1) {
    const kind = templateArguments(writer, slot, packet);
    const exists = isDynamic(at) ? writer.exists(0) : undefined;
    const address = `${slot.pointer} + (${elementOf(writer, at, 0, exists === undefined)})`;
    const lanes = Array.from({ length: width }, (_, lane) => writer.lane(value, lane));
    const count = writer.place.count === undefined ? "" : `, ${writer.place.count}`;
    const text = `storeVector<${kind}>(${address}, {{${lanes.join(", ")}}}${count});`;
    writer.lines.push(exists === undefined ? text : `if (${exists}) ${text}`);
  } else {
    const lanes = moves(writer, at) || writer.varies(value) ? width : 1;
    for (let lane = 0; lane < lanes; lane++) {
      const exists = writer.exists(lane);
      const element = elementOf(writer, at, lane, exists === undefined);
      const text = `store<${tag}>(${slot.pointer} + (${element}), ${writer.lane(value, lane)});`;
      writer.lines.push(exists === undefined ? text : `if (${exists}) ${text}`);
    }
  }
  writer.changingLoads.clear();
}
