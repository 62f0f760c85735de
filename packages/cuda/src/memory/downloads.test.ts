import { BackendError } from "@thalweg/core/backend";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { NativeContext } from "../native/addon.ts";
import { Timeline } from "../stream/timeline.ts";
import { canEmulate, emulatedContext, emulationModes, modeValue, modeVariable } from "../testEmulation.ts";
import { Downloads } from "./downloads.ts";

describe.skipIf(!canEmulate).each(emulationModes)("Downloads, the driver being %s", (mode) => {
  let context: NativeContext;
  let timeline: Timeline;
  let downloads: Downloads;
  beforeEach(() => {
    vi.stubEnv(modeVariable, modeValue(mode));
    context = emulatedContext(mode);
    timeline = new Timeline(context);
    downloads = new Downloads(context, timeline);
  });
  afterEach(() => {
    context.dispose();
    vi.unstubAllEnvs();
  });

  it("give what was there when they were sent, several at a time, whoever is waited for first", async () => {
    const memory = context.allocate(256);
    const reads = Array.from({ length: 12 }, (_, i) => {
      timeline.stream.fill(memory.address, i, 64);
      return downloads.send([{ address: memory.address + 8, bytes: 4 * (i % 3) }]);
    });
    timeline.stream.fill(memory.address, 99, 64);
    const last = downloads.waitSync(reads.pop() as (typeof reads)[number]);
    expect([...new Uint32Array((last[0] as Uint8Array<ArrayBuffer>).buffer)]).toEqual([11, 11]);
    const values = await Promise.all(reads.reverse().map((read) => downloads.wait(read)));
    values.reverse().forEach(([bytes], i) => {
      expect([...new Uint32Array((bytes as Uint8Array<ArrayBuffer>).buffer)]).toEqual(new Array(i % 3).fill(i));
    });
  });

  it("put several pieces of memory side by side, with none that another read will write to", () => {
    const memory = context.allocate(512);
    timeline.stream.fill(memory.address, 1, 64);
    timeline.stream.fill(memory.address + 256, 2, 64);
    const read = () =>
      downloads.waitSync(
        downloads.send([
          { address: memory.address + 252, bytes: 8 },
          { address: memory.address, bytes: 0 },
          { address: memory.address, bytes: 4 },
        ]),
      );
    const first = read();
    timeline.stream.fill(memory.address, 3, 128);
    const second = read();
    expect(first.map((bytes) => [...bytes])).toEqual([[1, 0, 0, 0, 2, 0, 0, 0], [], [1, 0, 0, 0]]);
    expect(second.map((bytes) => [...bytes])).toEqual([[3, 0, 0, 0, 3, 0, 0, 0], [], [3, 0, 0, 0]]);
  });

  it("are part of what the timeline makes others wait for", () => {
    const memory = context.allocate(256);
    const other = context.createStream(false);
    timeline.stream.fill(memory.address, 5, 1);
    const read = downloads.send([{ address: memory.address, bytes: 4 }]);
    timeline.makeWait(other, timeline.latest);
    other.fill(memory.address, 6, 1);
    other.synchronize();
    expect((downloads.waitSync(read)[0] as Uint8Array)[0]).toBe(5);
  });

  it("that are under way when all is disposed of say so", async () => {
    const memory = context.allocate(256);
    timeline.stream.fill(memory.address, 5, 1);
    const reads = Array.from({ length: 3 }, () =>
      downloads.wait(downloads.send([{ address: memory.address, bytes: 4 }])),
    );
    const results = Promise.allSettled(reads);
    downloads.dispose();
    context.dispose();
    for (const result of await results) {
      if (result.status === "fulfilled") expect([mode, result.value[0]?.[0]]).toEqual(["eager", 5]);
      else {
        expect(result.reason).toBeInstanceOf(BackendError);
        expect(result.reason.message).toBe("cuda: read: the backend was disposed before the data was there");
      }
    }
  });
});
