/** Checkpoints and safetensors on disk. A file is either whole or not there. */
import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { StoredTensor } from "@thalweg/core/optim";
import { DataError } from "../dataError.ts";
import { type CheckpointContents, type CheckpointParts, decodeCheckpoint, encodeCheckpoint } from "./checkpoint.ts";
import { decodeSafetensors, encodeSafetensors, headerLength, type Safetensors } from "./safetensors.ts";

/**
 * Writes a whole file or none: beside its place, to the disk, and only then under its name, which until then is the old
 * file's.
 */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await using file = await open(temporary, "wx");
    await file.writeFile(bytes);
    await file.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** The name reaches the disk, too; where folders cannot be opened (Windows) there is no need. */
async function syncFolder(folder: string): Promise<void> {
  try {
    await using handle = await open(folder, "r");
    await handle.sync();
  } catch {
    // The file is whole under either name.
  }
}

/** A whole file. The header's length is held against the file's before memory is asked for. */
async function readWhole(path: string): Promise<Uint8Array> {
  await using file = await open(path, "r");
  const { size } = await file.stat();
  const start = new Uint8Array(8);
  await readInto(file, start, 0, path);
  headerLength(start, size, path);
  const bytes = new Uint8Array(size);
  bytes.set(start);
  await readInto(file, bytes.subarray(start.length), start.length, path);
  return bytes;
}

/** Fills `bytes`: one read gives no more than 2 GiB, and may give less. */
async function readInto(file: FileHandle, bytes: Uint8Array, from: number, path: string): Promise<void> {
  const chunk = 2 ** 30;
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, Math.min(chunk, bytes.length - at), from + at);
    if (bytesRead === 0) throw new DataError(path, `the file ends after ${from + at} bytes`);
    at += bytesRead;
  }
}

/** Writes tensors as a safetensors file, whole or not at all. @throws ArgumentError as `encodeSafetensors`. */
export const writeSafetensors = (
  path: string,
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> => writeWhole(path, encodeSafetensors(tensors, metadata));

/** Reads a safetensors file. @throws DataError naming the file and what is wrong with it. */
export const readSafetensors = async (path: string): Promise<Safetensors> =>
  decodeSafetensors(await readWhole(path), path);

/**
 * Saves a checkpoint as one safetensors file: the weights under their own names, as PyTorch loads them, and with them what
 * training needs to go on to the same bits. The file is written whole or not at all.
 *
 * @throws ArgumentError as `encodeCheckpoint`.
 */
export async function saveCheckpoint(path: string, contents: CheckpointContents): Promise<void> {
  await writeWhole(path, await encodeCheckpoint(contents));
}

/**
 * Loads what `saveCheckpoint` has saved, or any safetensors file of weights, into `model`, `optimizer`, its schedules and
 * the random numbers. All or nothing.
 *
 * @returns What was saved as `extra`.
 * @throws DataError for a file that is damaged, ArgumentError for one that does not fit; either names the file and what in
 * it is wrong.
 */
export const loadCheckpoint = async (path: string, parts: CheckpointParts): Promise<unknown> =>
  decodeCheckpoint(await readWhole(path), parts, path);
