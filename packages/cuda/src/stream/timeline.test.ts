import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { NativeContext } from "../native/addon.ts";
import { canEmulate, emulatedContext, modeVariable } from "../testEmulation.ts";
import { Timeline } from "./timeline.ts";

describe.skipIf(!canEmulate).each(["eager", "lazy"] as const)("Timeline, the driver being %s", (mode) => {
  const contexts: NativeContext[] = [];
  const open = () => {
    const context = emulatedContext(mode);
    contexts.push(context);
    return { context, timeline: new Timeline(context) };
  };
  beforeEach(() => {
    vi.stubEnv(modeVariable, mode);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });
  afterAll(() => {
    for (const context of contexts) context.dispose();
  });

  it("lets at most so many submissions be under way, and numbers them on", () => {
    const { context, timeline } = open();
    const memory = context.allocate(4);
    for (let n = 1; n <= 3 * timeline.depth; n++) {
      expect(timeline.begin()).toBe(n);
      expect(timeline.isDone(n - timeline.depth)).toBe(true);
      expect(timeline.isDone(n + 1)).toBe(false);
      timeline.stream.fill(memory.address, n, 1);
      timeline.event(n).record(timeline.stream);
    }
    timeline.stream.synchronize();
    expect([timeline.submitted, timeline.isDone(3 * timeline.depth)]).toEqual([3 * timeline.depth, true]);
    timeline.dispose();
  });

  it("makes another stream wait for what was sent, be it a submission or only noted", () => {
    const { context, timeline } = open();
    const [memory, pinned] = [context.allocate(256), context.allocatePinned(256)];
    const other = context.createStream(false);
    const value = (): number => {
      timeline.stream.copyToHost(pinned.address, memory.address, 4);
      other.synchronize();
      timeline.stream.synchronize();
      return new Uint32Array(pinned.data)[0] as number;
    };
    const submission = timeline.begin();
    timeline.stream.fill(memory.address, 1, 1);
    timeline.event(submission).record(timeline.stream);
    expect(timeline.latest).toBe(submission);
    timeline.makeWait(other, submission);
    other.fill(memory.address, 2, 1);
    other.synchronize();
    expect(value()).toBe(2);

    timeline.stream.fill(memory.address, 3, 1);
    const noted = timeline.note();
    expect([noted, timeline.latest, timeline.isDone(noted)]).toEqual([submission + 1, submission + 1, false]);
    timeline.makeWait(other, noted);
    other.fill(memory.address, 4, 1);
    other.synchronize();
    expect(value()).toBe(4);
    expect([timeline.submitted, timeline.latest, timeline.isDone(noted)]).toEqual([noted, noted, true]);
    // A submission that begins in the meantime stands for what was noted before it.
    const again = timeline.note();
    expect([timeline.begin(), timeline.latest]).toEqual([again, again]);
    timeline.event(again).record(timeline.stream);
    timeline.dispose();
  });
});
