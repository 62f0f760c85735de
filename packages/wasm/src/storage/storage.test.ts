import {
  allocateHost,
  bytesPerElement,
  type DType,
  decode,
  dtypes,
  fromBFloat16Bits,
  fromFloat16Bits,
  type HostArray,
  toBFloat16Bits,
  toFloat16Bits,
} from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { i32 } from "../emit/index.ts";
import { testFeatures, testFunction } from "../testFunction.ts";
import { gatherLanes, loadLane, loadSplat, loadVector, scatterLanes, storeLane, storeVector } from "./index.ts";

const names = Object.keys(dtypes) as DType[];

/** A distinct pattern of bytes for each element, valid in its dtype. */
function sample(dtype: DType, count: number): HostArray {
  const array = allocateHost(dtype, count);
  for (let i = 0; i < count; i++) {
    array[i] = dtype === "bool" ? (i % 3 === 1 ? 0 : 1) : dtypes[dtype].bytes === 2 ? 0x3c00 + 7 * i : -3 + 5 * i;
  }
  return array;
}

const bytesOf = (array: HostArray): Uint8Array =>
  new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);

/** Float32 numbers of every size, about each boundary of 16-bit floats, and special ones. */
function float32Samples(): Float32Array {
  const bits: number[] = [];
  // Every sign, exponent and leading fraction, with the bits behind them below, at and above a half.
  for (let high = 0; high < 1 << 16; high += 5) {
    for (const low of [0, 1, 0x0fff, 0x1000, 0x1001, 0x7fff, 0x8000, 0x8001, 0xffff]) bits.push(high * 65536 + low);
  }
  while (bits.length % 4 !== 0) bits.push(0);
  return new Float32Array(Uint32Array.from(bits).buffer);
}

describe.each(testFeatures)("with $name", ({ features }) => {
  const width = features.simd ? 4 : 1;

  it.each(names)("copies %s vectors of every count, and touches nothing else", (dtype) => {
    const size = bytesPerElement(dtype);
    const values = sample(dtype, width);
    for (let count = 1; count <= width; count++) {
      const { memory, call } = testFunction(
        features,
        2,
        (f, code) => {
          const lanes = code.lanes(f);
          const [from, to] = [f.parameter(0, "i32"), f.parameter(1, "i32")];
          storeVector(lanes, dtype, to, 3 * size, loadVector(lanes, dtype, from, size, count), count);
        },
        1,
      );
      const bytes = new Uint8Array(memory);
      // The elements end where memory does: reading more would trap.
      const end = bytes.length - count * size;
      const source = bytesOf(values).subarray(0, count * size);
      bytes.set(source, end);
      bytes.fill(0xa5, 0, 256);
      call(end - size, 64);
      expect(bytes.subarray(64 + 3 * size, 64 + (3 + count) * size)).toEqual(source);
      const rest = [...bytes.subarray(0, 64 + 3 * size), ...bytes.subarray(64 + (3 + count) * size, 256)];
      expect(rest.every((byte) => byte === 0xa5)).toBe(true);
      // And so would writing more.
      bytes.fill(0, end);
      call(64 + 2 * size, end - 3 * size);
      expect(bytes.subarray(end)).toEqual(source);
    }
  });

  it.each(names)("splats, replaces and stores single %s lanes", (dtype) => {
    const size = bytesPerElement(dtype);
    const values = sample(dtype, 9);
    const { memory, call } = testFunction(features, 2, (f, code) => {
      const lanes = code.lanes(f);
      const [from, to] = [f.parameter(0, "i32"), f.parameter(1, "i32")];
      const splat = loadSplat(lanes, dtype, from, 0);
      storeVector(lanes, dtype, to, 0, splat, width);
      // Elements 8, 6, 4, 2 by lanes.
      let lane = splat;
      for (let at = 0; at < width; at++) lane = loadLane(lanes, dtype, from, (8 - 2 * at) * size, lane, at);
      for (let at = 0; at < width; at++) storeLane(lanes, dtype, to, (4 + 2 * at) * size, lane, at);
      // Elements 1, 3, 5, 7.
      const addresses = Array.from({ length: width }, (_, at) => i32.add(from, 2 * at * size));
      const gathered = gatherLanes(lanes, dtype, addresses, size);
      const targets = Array.from({ length: width }, (_, at) => (at === 1 ? undefined : i32.add(to, 3 * at * size)));
      scatterLanes(lanes, dtype, targets, 12 * size, gathered);
    });
    const bytes = new Uint8Array(memory);
    bytes.set(bytesOf(values), 1024);
    call(1024, 4096);
    const result = new dtypes[dtype].hostView(memory, 4096, 24);
    const expected = allocateHost(dtype, 24);
    for (let at = 0; at < width; at++) {
      expected[at] = values[0] as number;
      expected[4 + 2 * at] = values[8 - 2 * at] as number;
      if (at !== 1) expected[12 + 3 * at] = values[1 + 2 * at] as number;
    }
    expect([...result]).toEqual([...expected]);
  });

  it.each(["bfloat16", "float16"] as const)("reads and writes back every %s", (dtype) => {
    const { memory, call } = testFunction(features, 1, (f, code) => {
      const lanes = code.lanes(f);
      const address = f.local("i32");
      f.for(address, 0, 65536 * 2, 2 * width, () => {
        const vector = loadVector(lanes, dtype, address, 0, width);
        storeVector(lanes, dtype, address, 131072, vector, width);
        const wide = f.let(i32.mul(address, 2));
        storeVector(lanes, "float32", wide, 262144, vector, width);
      });
    });
    const bits = new Uint16Array(memory, 0, 65536);
    for (let i = 0; i < 65536; i++) bits[i] = i;
    call(0);
    const [back, values] = [new Uint16Array(memory, 131072, 65536), new Float32Array(memory, 262144, 65536)];
    const from = dtype === "bfloat16" ? fromBFloat16Bits : fromFloat16Bits;
    const wrong: string[] = [];
    for (let i = 0; i < 65536; i++) {
      const value = from(i);
      if (!Object.is(values[i], value)) wrong.push(`${i}: ${values[i]}, not ${value}`);
      if (Number.isNaN(value) ? !Number.isNaN(from(back[i] as number)) : back[i] !== i) wrong.push(`${i} ↦ ${back[i]}`);
    }
    expect(wrong).toEqual([]);
  });

  it.each(["bfloat16", "float16"] as const)("rounds float32 to %s as core does", (dtype) => {
    const samples = float32Samples();
    const { memory, call } = testFunction(features, 0, (f, code) => {
      const lanes = code.lanes(f);
      const index = f.local("i32");
      f.for(index, 0, samples.length, width, () => {
        const vector = loadVector(lanes, "float32", f.let(i32.mul(index, 4)), 0, width);
        storeVector(lanes, dtype, f.let(i32.mul(index, 2)), samples.byteLength, vector, width);
      });
    });
    new Float32Array(memory).set(samples);
    call();
    const rounded = new Uint16Array(memory, samples.byteLength, samples.length);
    const to = dtype === "bfloat16" ? toBFloat16Bits : toFloat16Bits;
    const wrong: string[] = [];
    for (const [i, x] of samples.entries()) {
      const expected = to(x);
      const nan = Number.isNaN(x) && Number.isNaN(decode(dtype, rounded, i));
      if (!nan && rounded[i] !== expected) wrong.push(`${x}: ${rounded[i]}, not ${expected}`);
    }
    expect(wrong).toEqual([]);
  });

  it("takes any byte but 0 for true", () => {
    const { memory, call } = testFunction(features, 0, (f, code) => {
      const lanes = code.lanes(f);
      for (let at = 0; at < 4; at += width) {
        const vector = loadVector(lanes, "bool", f.let(i32.const(at)), 0, width);
        storeVector(lanes, "bool", f.let(i32.const(at)), 16, vector, width);
      }
    });
    new Uint8Array(memory).set([0, 1, 2, 255]);
    call();
    expect([...new Uint8Array(memory, 16, 4)]).toEqual([0, 1, 1, 1]);
  });
});
