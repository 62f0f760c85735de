/** A folder of MNIST-format files, as data sets. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { DataError } from "../dataError.ts";
import { type ImageDataset, type Split, splitLastFifth } from "../dataset.ts";
import { parseImages, parseLabels } from "./idx.ts";

const unzip = promisify(gunzip);

/** No honest file of this format unpacks to more. */
const mostBytes = 2 ** 30;
const classes = 10;
const side = 28;

export interface MnistFolder extends Split {
  /** The files read. */
  readonly files: readonly string[];
}

/**
 * Reads `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, and the `t10k-…` pair, from `folder`: gzipped (as
 * `….gz`) or not, and with `.idx3-ubyte` as well as `-idx3-ubyte`. With both pairs, the t10k pair is the validation
 * set; with one, its last fifth in file order is.
 *
 * Throws DataError, naming the file and what is wrong: nothing there, half a pair, a broken gzip stream, a wrong magic
 * number or size, images that are not 28 × 28, a label over 9, more images than labels or fewer.
 */
export async function readMnist(folder: string): Promise<MnistFolder> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(folder, `cannot be read as a folder: ${reason(cause)}`, { cause });
  });
  const train = await readPair(folder, new Set(names), "train");
  const test = await readPair(folder, new Set(names), "t10k");
  const only = train ?? test;
  if (!only) {
    throw new DataError(
      folder,
      "no MNIST files here; expected train-images-idx3-ubyte[.gz] and train-labels-idx1-ubyte[.gz], or the t10k pair",
    );
  }
  if (train && test) return { train: train.data, validation: test.data, files: [...train.files, ...test.files] };
  if (only.data.labels.length < 2) {
    throw new DataError(only.files[0], "1 image; expected at least 2, to keep one for validation");
  }
  return { ...splitLastFifth(only.data), files: only.files };
}

interface Pair {
  readonly data: ImageDataset;
  readonly files: readonly [images: string, labels: string];
}

async function readPair(
  folder: string,
  names: ReadonlySet<string>,
  prefix: "train" | "t10k",
): Promise<Pair | undefined> {
  const images = find(folder, names, `${prefix}-images`, "idx3-ubyte");
  const labels = find(folder, names, `${prefix}-labels`, "idx1-ubyte");
  if (!images && !labels) return undefined;
  if (!images) throw new DataError(labels as string, `has no ${prefix}-images-idx3-ubyte[.gz] beside it`);
  if (!labels) throw new DataError(images, `has no ${prefix}-labels-idx1-ubyte[.gz] beside it`);
  const { count, height, width, pixels } = parseImages(await readBytes(images), images);
  if (height !== side || width !== side) {
    throw new DataError(images, `images of ${height} × ${width}; expected ${side} × ${side}`);
  }
  const classOf = parseLabels(await readBytes(labels), labels, classes);
  if (classOf.length !== count) {
    throw new DataError(labels, `${classOf.length} labels, but ${count} images in ${images}`);
  }
  const data = {
    images: Float32Array.from(pixels, (p) => p / 255),
    labels: Int32Array.from(classOf),
    height,
    width,
    classes,
  };
  return { data, files: [images, labels] };
}

function find(folder: string, names: ReadonlySet<string>, stem: string, type: string): string | undefined {
  const candidates = [`${stem}-${type}`, `${stem}.${type}`].flatMap((name) => [name, `${name}.gz`]);
  const name = candidates.find((candidate) => names.has(candidate));
  return name && join(folder, name);
}

/** The file's bytes, unpacked when they are a gzip stream (whatever the name says: browsers unpack and keep the name). */
async function readBytes(file: string): Promise<Uint8Array> {
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(file, `cannot be read: ${reason(cause)}`, { cause });
  });
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  return unzip(bytes, { maxOutputLength: mostBytes }).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(file, `broken gzip file: ${cause.message}`, { cause });
  });
}

const reason = (error: NodeJS.ErrnoException): string =>
  error.code === "ENOENT" ? "it does not exist" : error.code === "ENOTDIR" ? "it is not a folder" : error.message;
