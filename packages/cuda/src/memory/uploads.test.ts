import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { NativeContext } from "../native/addon.ts";
import { Timeline } from "../stream/timeline.ts";
import { canEmulate, emulatedContext, emulationModes, modeValue, modeVariable } from "../testEmulation.ts";
import { Downloads } from "./downloads.ts";
import { Uploads } from "./uploads.ts";

const MiB = 2 ** 20;
function pattern(bytes: number): Uint8Array {
  const data = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) data[i] = Math.imul(i, 2654435761) >>> 24;
  return data;
}

describe.skipIf(!canEmulate).each(emulationModes)("Uploads, the driver being %s", (mode) => {
  let context: NativeContext;
  let timeline: Timeline;
  let uploads: Uploads;
  let downloads: Downloads;
  beforeEach(() => {
    vi.stubEnv(modeVariable, modeValue(mode));
    context = emulatedContext(mode);
    timeline = new Timeline(context);
    uploads = new Uploads(context, timeline);
    downloads = new Downloads(context, timeline);
  });
  afterEach(() => {
    context.dispose();
    vi.unstubAllEnvs();
  });

  const contents = (address: number, bytes: number): Uint8Array =>
    downloads.waitSync(downloads.send([{ address, bytes }]))[0] as Uint8Array;

  it("bring arrays larger than all page-locked memory, which may change once they are sent", () => {
    const bytes = 21 * MiB + 12_345;
    const memory = context.allocate(bytes);
    const data = pattern(bytes);
    const number = uploads.send(memory.address, data, 0);
    data.fill(0);
    uploads.await(number);
    expect(Buffer.compare(contents(memory.address, bytes), pattern(bytes))).toBe(0);
  });

  it("bring many small arrays, in order, through memory that is used again", () => {
    const memory = context.allocate(64 * 1024);
    const piece = new Uint8Array(60_000);
    let number = 0;
    // More than the page-locked memory holds.
    for (let i = 1; i <= 400; i++) number = uploads.send(memory.address + (i % 2), piece.fill(i), 0);
    uploads.await(number);
    const last = contents(memory.address, 60_001);
    expect([last[0], last[1], last[59_999], last[60_000]]).toEqual([400 & 255, 400 & 255, 400 & 255, 399 & 255]);
  });

  it("overwrite memory only after the submissions that use it, which go on meanwhile", () => {
    const [input, copies] = [context.allocate(256), context.allocate(2048)];
    const word = Uint8Array.of(0, 0, 0, 0);
    const read = (copy: number): number => {
      const submission = timeline.begin();
      timeline.stream.copyOnDevice(copies.address + 4 * copy, input.address, 4);
      timeline.event(submission).record(timeline.stream);
      return submission;
    };
    let lastUse = 0;
    for (let i = 0; i < 200; i++) {
      uploads.await(uploads.send(input.address, word.fill(i), lastUse));
      lastUse = read(i);
    }
    const all = contents(copies.address, 800);
    expect([...all].filter((_, i) => i % 4 === 0)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });
});
