/**
 * The safetensors format (https://huggingface.co/docs/safetensors): the length of the header in 8 bytes, little-endian; the
 * header, JSON with dtype, shape and place of every tensor; their elements, row-major and little-endian, without gaps.
 * Nothing in a file is believed before it has been checked.
 */
import { ArgumentError, type DType, type HostArray, type Shape } from "@thalweg/core";
import { bytesPerElement, dtypes } from "@thalweg/core/backend";
import { checkStored, hostArrayOf, type StoredTensor } from "@thalweg/core/optim";
import { DataError } from "../dataError.ts";
import { duplicateKey } from "./duplicateKey.ts";

export interface Safetensors {
  readonly tensors: Readonly<Record<string, StoredTensor & { readonly data: HostArray }>>;
  /** Text by text, under `__metadata__` in the header. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What the format calls our dtypes. */
const names: Readonly<Record<DType, string>> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int32: "I32",
  uint32: "U32",
  bool: "BOOL",
};
const dtypeOf: ReadonlyMap<unknown, DType> = new Map(
  Object.entries(names).map(([dtype, name]) => [name, dtype as DType]),
);

/** As the reference implementation: a longer header is an attack, or no header. */
const largestHeader = 100_000_000;
const lengthBytes = 8;
/** The header is padded with spaces, so that elements start at a multiple of this. */
const alignment = 8;
const metadataKey = "__metadata__";

const sizeOf = (shape: Shape): number => shape.reduce((product, size) => product * size, 1);
const hostIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Elements between the host's order of bytes and the file's, in place. */
function inFileOrder(bytes: Uint8Array, width: number): Uint8Array {
  if (hostIsLittleEndian) return bytes;
  for (let i = 0; i < bytes.length; i += width) bytes.subarray(i, i + width).reverse();
  return bytes;
}

/**
 * The bytes of a safetensors file. Wider elements come first, so that all are aligned where they stand.
 *
 * @throws ArgumentError naming a tensor whose elements are not as many as its shape says, a name that the format keeps for
 * itself or that UTF-8 cannot hold, or metadata that is no text.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const subject = "encodeSafetensors";
  for (const [key, text] of Object.entries(metadata)) {
    if (typeof text !== "string") throw new ArgumentError(subject, `metadata ${key} is no text, got ${String(text)}`);
  }
  const entries = Object.entries(tensors).sort(
    ([a, x], [b, y]) => bytesPerElement(y.dtype) - bytesPerElement(x.dtype) || (a < b ? -1 : 1),
  );
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [[metadataKey, metadata]] : [];
  let end = 0;
  for (const [name, tensor] of entries) {
    if (name === metadataKey) throw new ArgumentError(subject, `a tensor cannot be named ${metadataKey}`);
    // A lone surrogate would become another name, perhaps one that is there already.
    if (/\p{Surrogate}/u.test(name)) throw new ArgumentError(subject, `${JSON.stringify(name)} is no well-formed name`);
    const { shape, dtype } = tensor;
    checkStored(subject, name, tensor, shape, dtype);
    const begin = end;
    end += sizeOf(shape) * bytesPerElement(dtype);
    header.push([name, { dtype: names[dtype], shape, data_offsets: [begin, end] }]);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const length = Math.ceil(json.length / alignment) * alignment;
  if (length > largestHeader) {
    throw new ArgumentError(subject, `the header has ${length} bytes; the format allows ${largestHeader}`);
  }
  const file = new Uint8Array(lengthBytes + length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  file.set(json, lengthBytes);
  file.fill(0x20, lengthBytes + json.length, lengthBytes + length);
  let at = lengthBytes + length;
  for (const [, tensor] of entries) {
    const { buffer, byteOffset, byteLength } = hostArrayOf(tensor);
    const place = file.subarray(at, at + byteLength);
    place.set(new Uint8Array(buffer, byteOffset, byteLength));
    inFileOrder(place, bytesPerElement(tensor.dtype));
    at += byteLength;
  }
  return file;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);
const isCounts = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isCount);

/** Untrusted JSON for a message: it may be of any size and depth. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  return JSON.stringify(value)?.slice(0, 100) ?? "nothing";
}

/** A tensor's entry in the header, checked by itself. */
interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly begin: number;
  readonly end: number;
}

/**
 * The length of the header that `start`, the first bytes of a file of `size` bytes, tells of. For those who want to read
 * the header alone.
 *
 * @throws DataError when the file is too short for it, or it is longer than 100 MB.
 */
export function headerLength(start: Uint8Array, size: number, file: string): number {
  if (size < lengthBytes || start.length < lengthBytes) {
    throw new DataError(file, `${size} bytes are too few for a safetensors file`);
  }
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  if (length > BigInt(largestHeader)) {
    throw new DataError(file, `the header is said to have ${length} bytes; at most ${largestHeader} are allowed`);
  }
  if (Number(length) > size - lengthBytes) {
    throw new DataError(
      file,
      `the header is said to have ${length} bytes; the file has ${size - lengthBytes} after it`,
    );
  }
  return Number(length);
}

function parseHeader(bytes: Uint8Array, file: string): Readonly<Record<string, unknown>> {
  if (bytes[0] !== 0x7b) throw new DataError(file, "the header does not begin with {: this is no safetensors file");
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (error) {
    throw new DataError(file, `the header is no JSON: ${(error as Error).message}`, { cause: error });
  }
  if (!isRecord(header)) throw new DataError(file, "the header is no JSON object");
  const twice = duplicateKey(text);
  if (twice !== undefined) throw new DataError(file, `the header has ${JSON.stringify(twice)} twice`);
  return header;
}

function parseMetadata(value: unknown, file: string): Record<string, string> {
  if (value === undefined) return {};
  if (!isRecord(value)) throw new DataError(file, `${metadataKey} is no JSON object`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw new DataError(file, `${metadataKey} ${JSON.stringify(key)} is no text`);
  }
  return value as Record<string, string>;
}

function parseEntry(name: string, value: unknown, file: string): Entry {
  const fail = (what: string): never => {
    throw new DataError(file, `tensor ${name}: ${what}`);
  };
  if (!isRecord(value)) return fail("its entry in the header is no JSON object");
  const { dtype: label, shape, data_offsets: offsets } = value;
  const dtype = dtypeOf.get(label);
  if (dtype === undefined) {
    return fail(`dtype ${show(label)} is not supported; expected one of ${[...dtypeOf.keys()].join(", ")}`);
  }
  if (!isCounts(shape)) return fail(`expected its shape as a list of whole numbers, got ${show(shape)}`);
  if (!isCounts(offsets) || offsets.length !== 2) {
    return fail(`expected its data_offsets as two whole numbers, got ${show(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  const expected = sizeOf(shape) * bytesPerElement(dtype);
  // A product beyond the exact numbers cannot be a size in a file.
  if (!Number.isSafeInteger(expected) || end - begin !== expected) {
    return fail(
      `${String(label)} of shape [${shape.join(", ")}] has ${expected} bytes; data_offsets say ${end - begin}`,
    );
  }
  return { name, dtype, shape, begin, end };
}

/** Tensors in the order of their elements; together they must be all of the file's `size` bytes of them. */
function checkPlaces(entries: readonly Entry[], size: number, file: string): readonly Entry[] {
  const ordered = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  for (const { name, begin, end: next } of ordered) {
    if (begin !== end) {
      const what = begin < end ? "overlap those of another tensor" : "leave a gap before them";
      throw new DataError(file, `tensor ${name}: its elements ${what}: they begin at byte ${begin}, expected ${end}`);
    }
    end = next;
    if (end > size) throw new DataError(file, `tensor ${name}: its elements end at byte ${end} of ${size}`);
  }
  if (end !== size) throw new DataError(file, `${size - end} bytes after the last tensor belong to none`);
  return ordered;
}

/**
 * What is in the bytes of a safetensors file: copies, nothing of `bytes` is kept.
 *
 * @param file Name of the file, for errors.
 * @throws DataError naming what is wrong, and with which tensor: a header that is too long, malformed, or says a thing
 * twice; dtypes that Thalweg lacks; shapes and places that do not fit each other or the file; a bool other than 0 and 1.
 */
export function decodeSafetensors(bytes: Uint8Array, file = "safetensors"): Safetensors {
  const length = headerLength(bytes, bytes.length, file);
  const elements = bytes.subarray(lengthBytes + length);
  const { [metadataKey]: given, ...listed } = parseHeader(bytes.subarray(lengthBytes, lengthBytes + length), file);
  const metadata = parseMetadata(given, file);
  const entries = Object.entries(listed).map(([name, value]) => parseEntry(name, value, file));
  const tensors = checkPlaces(entries, elements.length, file).map(({ name, dtype, shape, begin, end }) => {
    const copy = inFileOrder(elements.slice(begin, end), bytesPerElement(dtype));
    if (dtype === "bool" && copy.some((byte) => byte > 1)) {
      throw new DataError(file, `tensor ${name}: a bool is 0 or 1, got ${copy.find((byte) => byte > 1)}`);
    }
    const data = new dtypes[dtype].hostView(copy.buffer);
    return [name, { shape: [...shape], dtype, data }] as const;
  });
  return { tensors: Object.fromEntries(tensors), metadata: { ...metadata } };
}
