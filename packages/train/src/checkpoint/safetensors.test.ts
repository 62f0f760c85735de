import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArgumentError } from "@thalweg/core";
import type { StoredTensor } from "@thalweg/core/optim";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError } from "../dataError.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

const tensor = (dtype: StoredTensor["dtype"], shape: readonly number[], data: StoredTensor["data"]): StoredTensor => ({
  dtype,
  shape,
  data,
});

/** One of each dtype; a scalar, an empty one, and names that JSON has to escape. */
const samples: Record<string, StoredTensor> = {
  "layer.0.weight": tensor(
    "float32",
    [2, 3],
    Float32Array.of(1, -0, Number.NaN, 1e-45, -3.4e38, Number.POSITIVE_INFINITY),
  ),
  "layer.0.bias": tensor("float64", [3], Float64Array.of(0.1, -1e300, 5e-324)),
  count: tensor("int32", [], Int32Array.of(-(2 ** 31))),
  words: tensor("uint32", [2], Uint32Array.of(2 ** 32 - 1, 7)),
  'mask "é" \\ 文': tensor("bool", [5], Uint8Array.of(1, 0, 0, 1, 1)),
  half: tensor("float16", [3], Uint16Array.of(0x3c00, 0x7e00, 0x8001)),
  brain: tensor("bfloat16", [1, 1, 3], Uint16Array.of(0x3f80, 0xff80, 1)),
  empty: tensor("float32", [0, 4], new Float32Array(0)),
  __proto: tensor("float32", [1], Float32Array.of(2)),
};

/** A file of a header as it is given, and as many bytes of elements. */
function fileOf(header: unknown, elements: number | Uint8Array = 0): Uint8Array {
  const text = typeof header === "string" ? header : JSON.stringify(header);
  const json = new TextEncoder().encode(text);
  const data = typeof elements === "number" ? new Uint8Array(elements) : elements;
  const file = new Uint8Array(8 + json.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  file.set(data, 8 + json.length);
  return file;
}

const f32 = (shape: readonly number[], begin: number, end: number) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

describe("a safetensors file", () => {
  it("gives back every dtype, bit by bit, and the metadata", () => {
    const metadata = { format: "pt", note: 'a "quoted"\nline' };
    const { tensors, metadata: read } = decodeSafetensors(encodeSafetensors(samples, metadata));
    expect(read).toEqual(metadata);
    expect(Object.keys(tensors).sort()).toEqual(Object.keys(samples).sort());
    for (const [name, { shape, dtype, data }] of Object.entries(samples)) {
      const found = tensors[name] as (typeof tensors)[string];
      expect([found.shape, found.dtype]).toEqual([shape, dtype]);
      const bytes = (array: ArrayLike<number>) => {
        const { buffer, byteOffset, byteLength } = array as Float32Array;
        return [...new Uint8Array(buffer, byteOffset, byteLength)];
      };
      expect(bytes(found.data)).toEqual(bytes(data));
    }
  });

  it("is laid out as the format says", () => {
    const bytes = encodeSafetensors({ a: tensor("int32", [2], [1, -1]), b: tensor("float64", [1], [1]) });
    const text =
      '{"b":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"a":{"dtype":"I32","shape":[2],"data_offsets":[8,16]}}';
    const padded = text.padEnd(Math.ceil(text.length / 8) * 8, " ");
    expect([...bytes.subarray(0, 8)]).toEqual([padded.length, 0, 0, 0, 0, 0, 0, 0]);
    expect(new TextDecoder().decode(bytes.subarray(8, 8 + padded.length))).toBe(padded);
    expect([...bytes.subarray(8 + padded.length)]).toEqual([0, 0, 0, 0, 0, 0, 240, 63, 1, 0, 0, 0, 255, 255, 255, 255]);
  });

  it("is read wherever its bytes lie in memory", () => {
    const bytes = encodeSafetensors(samples);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(decodeSafetensors(shifted.subarray(3))).toEqual(decodeSafetensors(bytes));
  });

  it("may be empty, and keep a name that objects have", () => {
    expect(decodeSafetensors(encodeSafetensors({}))).toEqual({ tensors: {}, metadata: {} });
    const named = JSON.parse('{"__proto__":{"dtype":"float32","shape":[1],"data":[4]}}') as Record<
      string,
      StoredTensor
    >;
    const { tensors } = decodeSafetensors(encodeSafetensors(named));
    expect(Object.keys(tensors)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(tensors)).toBe(Object.prototype);
  });

  it("is not written of what does not fit", () => {
    expect(() => encodeSafetensors({ w: tensor("float32", [2, 2], [1, 2, 3]) })).toThrow(
      new ArgumentError("encodeSafetensors", "w has 4 elements, got 3"),
    );
    expect(() => encodeSafetensors({ __metadata__: tensor("float32", [], [1]) })).toThrow(ArgumentError);
    expect(() => encodeSafetensors({ "\ud800": tensor("float32", [], [1]) })).toThrow(ArgumentError);
    expect(() => encodeSafetensors({}, { a: 1 as unknown as string })).toThrow(ArgumentError);
  });
});

describe("a hostile file", () => {
  const huge = new Uint8Array(16);
  new DataView(huge.buffer).setBigUint64(0, 2n ** 63n, true);
  const beyond = new Uint8Array(16);
  new DataView(beyond.buffer).setBigUint64(0, 9n, true);
  const nested = `{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;

  it.each([
    ["too short", new Uint8Array(7), "7 bytes are too few"],
    ["with a header beyond any limit", huge, "at most 100000000 are allowed"],
    ["with a header longer than the file", beyond, "the file has 8 after it"],
    ["of something else", fileOf("[]"), "does not begin with {"],
    ["without a header", fileOf(""), "does not begin with {"],
    ["of broken JSON", fileOf('{"a":'), "the header is no JSON"],
    ["of text after the JSON", fileOf("{} x"), "the header is no JSON"],
    [
      "of bytes that are no UTF-8",
      fileOf(`{"${"\u00ff"}":1}`).map((b) => (b === 0xc3 ? 0xff : b)),
      "the header is no JSON",
    ],
    ["of metadata that is a list", fileOf({ __metadata__: [] }), "__metadata__ is no JSON object"],
    ["of metadata that is no text", fileOf({ __metadata__: { a: 1 } }), '__metadata__ "a" is no text'],
    ["of an entry that is a number", fileOf({ w: 1 }), "tensor w: its entry in the header is no JSON object"],
    [
      "of a dtype that is nested deeply",
      fileOf(`{"a":{"dtype":${nested}}}`),
      "tensor a: dtype an object is not supported",
    ],
    ["of deep nesting", fileOf(nested), "tensor a: its entry in the header is no JSON object"],
    [
      "of an unknown dtype",
      fileOf({ w: { ...f32([1], 0, 4), dtype: "I64" } }, 8),
      'tensor w: dtype "I64" is not supported',
    ],
    ["of a dtype that objects have", fileOf({ w: { ...f32([1], 0, 4), dtype: "constructor" } }, 4), "is not supported"],
    [
      "of a negative size",
      fileOf({ w: f32([-1], 0, 4) }, 4),
      "tensor w: expected its shape as a list of whole numbers",
    ],
    ["of a size that is text", fileOf({ w: f32(["1" as unknown as number], 0, 4) }, 4), "tensor w: expected its shape"],
    ["of sizes whose product overflows", fileOf({ w: f32([2 ** 31, 2 ** 31, 4], 0, 4) }, 4), "tensor w: F32 of shape"],
    [
      "of sizes that multiply to infinity",
      fileOf({ w: f32(Array(40).fill(2 ** 50), 0, 4) }, 4),
      "tensor w: F32 of shape",
    ],
    [
      "of three offsets",
      fileOf({ w: { ...f32([1], 0, 4), data_offsets: [0, 4, 8] } }, 8),
      "data_offsets as two whole numbers",
    ],
    [
      "of offsets the wrong way",
      fileOf({ w: f32([1], 4, 0) }, 4),
      "tensor w: F32 of shape [1] has 4 bytes; data_offsets say -4",
    ],
    ["of a shape too large for its bytes", fileOf({ w: f32([2], 0, 4) }, 4), "has 8 bytes; data_offsets say 4"],
    ["that ends too early", fileOf({ w: f32([2], 0, 8) }, 7), "tensor w: its elements end at byte 8 of 7"],
    [
      "that has more than it tells of",
      fileOf({ w: f32([1], 0, 4) }, 5),
      "1 bytes after the last tensor belong to none",
    ],
    ["with a gap", fileOf({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12), "tensor b: its elements leave a gap"],
    ["with a gap at the start", fileOf({ a: f32([1], 4, 8) }, 8), "tensor a: its elements leave a gap"],
    ["with an overlap", fileOf({ a: f32([2], 0, 8), b: f32([1], 4, 8) }, 8), "tensor b: its elements overlap"],
    ["of one place for two", fileOf({ a: f32([1], 0, 4), b: f32([1], 0, 4) }, 4), "tensor b: its elements overlap"],
    [
      "with a tensor twice",
      fileOf(
        '{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}, "\\u0061" : {"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
      ),
      'the header has "a" twice',
    ],
    [
      "with a field twice",
      fileOf('{"a":{"dtype":"F32","dtype":"F64","shape":[0],"data_offsets":[0,0]}}'),
      'the header has "dtype" twice',
    ],
    [
      "of a bool that is neither",
      fileOf({ m: { dtype: "BOOL", shape: [2], data_offsets: [0, 2] } }, Uint8Array.of(1, 2)),
      "tensor m: a bool is 0 or 1, got 2",
    ],
  ])("%s is refused", (_, bytes, message) => {
    const read = () => decodeSafetensors(bytes, "model.safetensors");
    expect(read).toThrow(DataError);
    expect(read).toThrow(/^model\.safetensors: /);
    expect(read).toThrow(message);
  });

  it("that looks like one by repeated text in strings is read", () => {
    const header = { __metadata__: { a: '{"a":1,"a":2}', b: '"b":' }, w: f32([1], 0, 4) };
    expect(decodeSafetensors(fileOf(header, 4)).metadata).toEqual(header.__metadata__);
  });

  it("gives DataError or tensors that fit it, however its bytes were changed", () => {
    const whole = encodeSafetensors(samples, { format: "pt" });
    const change = fc.record({
      at: fc.oneof(fc.nat(whole.length - 1), fc.nat(7), fc.integer({ min: 8, max: 700 })),
      byte: fc.oneof(fc.nat(255), fc.constantFrom(...new TextEncoder().encode('{}[]",:0123456789-eF'))),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.option(fc.nat(whole.length)), (changes, cut) => {
        const bytes = cut === null ? whole.slice() : whole.slice(0, cut);
        for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte;
        try {
          for (const { shape, data } of Object.values(decodeSafetensors(bytes).tensors)) {
            expect(data.length).toBe(shape.reduce((n, size) => n * size, 1));
          }
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
        }
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it("gives DataError or tensors that fit it, whatever JSON its header is", () => {
    const size = fc.oneof(fc.nat(4), fc.constantFrom(-1, 1.5, 2 ** 53, "1", null));
    const entry = fc.record(
      {
        dtype: fc.oneof(fc.constantFrom("F32", "F64", "BOOL", "BF16", "I8"), fc.jsonValue()),
        shape: fc.oneof(fc.array(size, { maxLength: 3 }), fc.jsonValue()),
        data_offsets: fc.oneof(fc.array(size, { minLength: 2, maxLength: 2 }), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    const header = fc.oneof(fc.dictionary(fc.string(), fc.oneof(entry, fc.jsonValue())), fc.jsonValue());
    fc.assert(
      fc.property(header, fc.nat(40), (value, elements) => {
        try {
          decodeSafetensors(fileOf(value, elements));
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
        }
      }),
      { numRuns: 500, seed: 1 },
    );
  });
});

/** What the format's description says, and nothing of ours. */
const pythonReader = `
import json, struct, sys
with open(sys.argv[1], "rb") as file:
    (length,) = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(length))
    elements = file.read()
codes = {"F64": "d", "F32": "f", "F16": "e", "I32": "i", "U32": "I", "BOOL": "?"}
header.pop("__metadata__", None)
result = {}
for name, entry in header.items():
    begin, end = entry["data_offsets"]
    code = codes[entry["dtype"]]
    values = struct.unpack("<%d%s" % ((end - begin) // struct.calcsize(code), code), elements[begin:end])
    result[name] = {"shape": entry["shape"], "values": [float(value) for value in values]}
print(json.dumps(result))
`;
const hasPython = spawnSync("python3", ["--version"]).status === 0;

it.skipIf(!hasPython)("Python reads what is written", async () => {
  const folder = await mkdtemp(join(tmpdir(), "thalweg-safetensors-"));
  try {
    const path = join(folder, "model.safetensors");
    const matrix = tensor("float32", [2, 3], [0, 1, 2, 3, 4, 5]);
    const tensors = {
      matrix,
      double: tensor("float64", [1], [0.1]),
      half: tensor("float16", [2], [0x3c00, 0xc000]),
      words: tensor("uint32", [], [2 ** 32 - 1]),
      mask: tensor("bool", [2], [1, 0]),
      count: tensor("int32", [1], [-5]),
    };
    await writeFile(path, encodeSafetensors(tensors, { format: "pt" }));
    expect(JSON.parse(execFileSync("python3", ["-c", pythonReader, path], { encoding: "utf8" }))).toEqual({
      matrix: { shape: [2, 3], values: [0, 1, 2, 3, 4, 5] },
      double: { shape: [1], values: [0.1] },
      half: { shape: [2], values: [1, -2] },
      words: { shape: [], values: [2 ** 32 - 1] },
      mask: { shape: [2], values: [1, 0] },
      count: { shape: [1], values: [-5] },
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
