/** Loads and stores at a point. */
import { type Affine, bytesPerElement, computeDType, type DType, type Instruction } from "@thalweg/core/backend";
import { type Expression, i32, type Local, shuffle32, type V128, v128 } from "../emit/index.ts";
import type { Vector } from "../lanes/index.ts";
import { constantVector } from "../operations/index.ts";
import {
  gatherLanes,
  loadLane,
  loadSplat,
  loadVector,
  scatterLanes,
  storeLane,
  storeVector,
} from "../storage/index.ts";
import {
  chain,
  checkIndex,
  constantOf,
  plusConstant,
  type Sum,
  scalarOf,
  varyingTerms,
  withUniformTerms,
} from "./affine.ts";
import { allOf, type Guard, guardOf } from "./condition.ts";
import { innermost, type Located, locatedValue, type Point, type Slot, scopeAt, strideOf } from "./point.ts";
import { nameOf } from "./scope.ts";

type Load = Extract<Instruction, { op: "load" }>;
type Store = Extract<Instruction, { op: "store" }>;

/** Where the lanes of an access lie. */
interface Place {
  readonly base: Local<"i32">;
  /** Bytes, not negative. */
  readonly offset: number;
  readonly depth: number;
  /** Bytes from lane to lane. */
  readonly step: number;
  /** What each lane adds of its own. */
  readonly own: readonly (Expression<"i32"> | undefined)[];
  readonly gathers: boolean;
}

/** `checked`: indices out of range end the run here; else they are checked later (`checkTerms`). */
function placeOf(point: Point, slot: Slot, at: Affine, checked: boolean): Place {
  const bytes = bytesPerElement(slot.dtype);
  const start: Sum = { base: slot.pointer, add: 0, depth: slot.depth };
  const sum = withUniformTerms(point, at, bytes, chain(point, at.strides, bytes, start), checked);
  const { lanes: own, depth: ownDepth, any } = varyingTerms(point, at, bytes, checked);
  const step = strideOf(point, at.strides) * bytes;
  const constant = constantOf(point, at) * bytes;
  const least = constant + Math.min(0, step * (point.count - 1));
  // The offset of an instruction adds without wrapping to 32 bits: only where the base cannot lie before the memory meant.
  const plain =
    least >= 0 && at.strides.every((stride) => stride >= 0) && !at.dynamic?.some(({ stride }) => stride < 0);
  const base = plain ? (sum.base as Local<"i32">) : plusConstant(point, sum.base as Local<"i32">, least, sum.depth);
  const offset = plain ? constant : constant - least;
  return { base, offset, depth: Math.max(sum.depth, ownDepth), step, own, gathers: any };
}

/** The elements of all lanes that exist. */
function read(point: Point, dtype: DType, { base, offset, step, own, gathers }: Place): Vector {
  const { lanes } = point.surroundings;
  const { count } = point;
  const bytes = bytesPerElement(dtype);
  if (!gathers) {
    if (step === 0 || lanes.count === 1) return loadSplat(lanes, dtype, base, offset);
    if (step === bytes) return loadVector(lanes, dtype, base, offset, count);
    if (bytes === 4 && count === 4) {
      const whole = (at: number): V128 => v128.load(base, offset + at);
      const shuffled =
        step === 8
          ? shuffle32(whole(0), whole(12), [0, 2, 5, 7])
          : step === -4
            ? shuffle32(whole(-12), whole(-12), [3, 2, 1, 0])
            : undefined;
      if (shuffled) return { dtype: computeDType(dtype), parts: [lanes.f.let(shuffled)] };
    }
    if (bytes === 4 && step > 0) {
      let vector: V128 = v128.load32Zero(base, offset);
      for (let lane = 1; lane < count; lane++) vector = v128.load32Lane(base, vector, lane, offset + step * lane);
      return { dtype: computeDType(dtype), parts: [lanes.f.let(vector)] };
    }
  }
  return gatherLanes(lanes, dtype, addresses(point, { base, step, own }), offset + Math.min(0, step * (count - 1)));
}

/** Of each lane, less the smallest constant of them. */
function addresses({ count }: Point, { base, step, own }: Pick<Place, "base" | "step" | "own">): Expression<"i32">[] {
  const least = Math.min(0, step * (count - 1));
  return Array.from({ length: count }, (_, lane) => {
    const mine = own[lane];
    return i32.add(mine ? i32.add(base, mine) : base, step * lane - least);
  });
}

/** Ends the run where a dynamic index of lane `lane` is out of range. Its numbers are in locals already. */
function checkTerms(point: Point, at: Affine, lane: number): void {
  for (const term of at.dynamic ?? []) {
    const located = locatedValue(point, term.value);
    checkIndex(point, scalarOf(point, located, located.varies ? lane : 0), term);
  }
}

/** The elements of the lanes whose conditions hold, 0 in the others. */
function readWhere(point: Point, dtype: DType, at: Affine, place: Place, guard: Guard): Vector {
  const { lanes } = point.surroundings;
  const { f } = lanes;
  const zero = constantVector(lanes, computeDType(dtype), 0);
  const result = { dtype: zero.dtype, parts: zero.parts.map((part) => f.local(part.type)) };
  const assign = ({ parts }: Vector): void => {
    for (const [index, part] of parts.entries()) f.set(result.parts[index] as Local, part);
  };
  const every = (): void => {
    for (let lane = 0; lane < point.count; lane++) {
      checkTerms(point, at, lane);
      if (!place.gathers) break;
    }
    assign(read(point, dtype, place));
  };
  const shared = guard.shared ? [guard.shared] : [];
  const all = allOf([...shared, ...guard.perLane.map((test) => test.all())]) as Expression<"i32">;
  f.if(all, every, () => {
    assign(zero);
    if (guard.perLane.length === 0 || point.count === 1) return;
    const some = allOf([...shared, ...guard.perLane.flatMap((test) => test.some() ?? [])]);
    const each = (): void => {
      for (let lane = 0; lane < point.count; lane++) {
        f.if(allOf(guard.perLane.map((test) => test.lane(lane))) as Expression<"i32">, () => {
          checkTerms(point, at, lane);
          const own = place.own[lane];
          // Added with wrapping: where other lanes lie outside, the base may lie before the memory.
          const address = i32.add(own ? i32.add(place.base, own) : place.base, place.offset + place.step * lane);
          assign(loadLane(lanes, dtype, address, 0, result, lane));
        });
      }
    };
    if (some) f.if(some, each);
    else each();
  });
  return result;
}

/** Equal keys, equal elements: while memory does not change. */
function keyOf(point: Point, slot: Slot, at: Affine, place: Place, guard: Guard): string {
  const terms = (at.dynamic ?? []).map(({ value, stride }) => {
    const { vector, varies } = locatedValue(point, value);
    return varies ? `${vector.parts.map(nameOf).join()}*${stride}` : "";
  });
  const tests = guard.perLane.map(({ key }) => key).join("&");
  return `load ${slot.dtype} ${place.base.index}+${place.offset}*${place.step}#${point.count} ${terms.join()} if ${guard.shared?.index} ${tests}`;
}

export function writeLoad(point: Point, instruction: Load): Located {
  const slot = point.surroundings.slots[instruction.slot] as Slot;
  const guard = guardOf(point, instruction.conditions ?? []);
  if (guard.constant === false) {
    return { vector: constantVector(point.surroundings.lanes, instruction.dtype, 0), depth: 0, varies: false };
  }
  const certain = guard.constant === true;
  const place = placeOf(point, slot, instruction.at, certain);
  const scope = slot.written ? innermost(point) : scopeAt(point, Math.max(place.depth, guard.depth));
  const compute = (): Vector =>
    certain ? read(point, slot.dtype, place) : readWhere(point, slot.dtype, instruction.at, place, guard);
  let vector: Vector | undefined;
  if (slot.written) {
    scope.emit(() => {
      vector = compute();
    });
  } else vector = scope.define(keyOf(point, slot, instruction.at, place, guard), compute);
  return {
    vector: vector as Vector,
    depth: scope.depth,
    varies: place.step !== 0 || place.gathers || guard.perLane.length > 0,
  };
}

export function writeStore(point: Point, instruction: Store): void {
  const slot = point.surroundings.slots[instruction.slot] as Slot;
  const { lanes } = point.surroundings;
  const { vector } = locatedValue(point, instruction.value);
  const place = placeOf(point, slot, instruction.at, true);
  const { base, offset, step, gathers } = place;
  const bytes = bytesPerElement(slot.dtype);
  innermost(point).emit(() => {
    if (!gathers && step === bytes && point.vector >= 0) {
      storeVector(lanes, slot.dtype, base, offset, vector, point.count);
    } else if (!gathers && step === 0) {
      storeLane(lanes, slot.dtype, base, offset, vector, 0);
    } else if (!gathers && step > 0 && bytes >= 4) {
      for (let lane = 0; lane < point.count; lane++) {
        storeLane(lanes, slot.dtype, base, offset + step * lane, vector, lane);
      }
    } else {
      const least = Math.min(0, step * (point.count - 1));
      scatterLanes(lanes, slot.dtype, addresses(point, place), offset + least, vector);
    }
  });
}
