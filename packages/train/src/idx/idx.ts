/**
 * The IDX format of MNIST (http://yann.lecun.com/exdb/mnist/): a big-endian header (magic number, then one size per
 * axis) and the elements as unsigned bytes. Nothing in a file is believed before it has been checked.
 */
import { DataError } from "../dataError.ts";

/** Bytes 0, 0, then 8 for unsigned bytes, then the number of axes. */
const imagesMagic = 0x00000803;
const labelsMagic = 0x00000801;

const hex = (n: number): string => `0x${n.toString(16).padStart(8, "0")}`;

export interface IdxImages {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** `count` × `height` × `width`, a view of the file's bytes. */
  readonly pixels: Uint8Array;
}

/** Reads an image file's bytes. `file` names it in errors. Throws DataError on a wrong magic number or size. */
export function parseImages(bytes: Uint8Array, file: string): IdxImages {
  const [count, height, width] = sizes(bytes, file, imagesMagic, ["images", "rows", "columns"]);
  return { count, height, width, pixels: body(bytes, file, 16, [count, height, width]) };
}

/** Reads a label file's bytes; every label must be below `classes`. Throws DataError on a wrong magic number, size or label. */
export function parseLabels(bytes: Uint8Array, file: string, classes: number): Uint8Array {
  const [count] = sizes(bytes, file, labelsMagic, ["labels"]);
  const labels = body(bytes, file, 8, [count]);
  const wrong = labels.findIndex((label) => label >= classes);
  if (wrong >= 0)
    throw new DataError(file, `label ${labels[wrong]} at position ${wrong}; expected 0 to ${classes - 1}`);
  return labels;
}

function sizes<const Names extends readonly string[]>(
  bytes: Uint8Array,
  file: string,
  magic: number,
  names: Names,
): { [K in keyof Names]: number } {
  const header = 4 + 4 * names.length;
  if (bytes.length < 4) throw new DataError(file, `${bytes.length} bytes are too few for an IDX file`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = view.getUint32(0);
  if (found !== magic) {
    const other = found === imagesMagic ? " (an image file)" : found === labelsMagic ? " (a label file)" : "";
    throw new DataError(file, `magic number ${hex(found)}${other}; expected ${hex(magic)} for IDX ${names[0]}`);
  }
  if (bytes.length < header) {
    throw new DataError(file, `the file ends in its header, after ${bytes.length} of ${header} bytes`);
  }
  const read = names.map((name, axis) => {
    const size = view.getUint32(4 + 4 * axis);
    if (size === 0) throw new DataError(file, `the header says 0 ${name}`);
    return size;
  });
  return read as { [K in keyof Names]: number };
}

function body(bytes: Uint8Array, file: string, header: number, shape: readonly number[]): Uint8Array {
  const expected = header + shape.reduce((product, size) => product * size, 1);
  if (bytes.length !== expected) {
    const what = bytes.length < expected ? "is cut short" : "has more after its end";
    throw new DataError(file, `${what}: ${bytes.length} bytes; its header (${shape.join(" × ")}) makes ${expected}`);
  }
  return bytes.subarray(header);
}
