import { expect, it } from "vitest";
import { dispatch, measure } from "./server.ts";
import type { Session } from "./session.ts";

/** A device that takes `each` milliseconds a run, whose calls return at once. */
function device(each: number): Session & { readonly waits: number[]; given: number } {
  let free = 0;
  let since = 0;
  const waits: number[] = [];
  return {
    waits,
    given: 0,
    run() {
      this.given++;
      since++;
      free = Math.max(free, performance.now()) + each;
    },
    finish() {
      waits.push(since);
      since = 0;
      while (performance.now() < free);
    },
    check: () => [],
  };
}

it("waits for a device at the end of batches, and never gives it far more than it has time for", async () => {
  const session = device(0.5);
  const answer = await measure(session, 40);
  if (answer.kind !== "measured") throw new Error(answer.kind);
  expect(answer.milliseconds / answer.runs).toBeGreaterThanOrEqual(0.5);
  expect(session.waits.reduce((sum, runs) => sum + runs, 0)).toBe(answer.runs);
  expect(session.given).toBe(answer.runs);
  // 1, 2, 6, 18 …: each batch at most twice what was done before it.
  let done = 0;
  for (const batch of session.waits) {
    expect(batch).toBeLessThanOrEqual(Math.max(1, 2 * done));
    done += batch;
  }
  expect(session.waits.length).toBeGreaterThan(2);
});

it("times the calls of a run without the device's work", async () => {
  const session = device(0.05);
  const microseconds = await dispatch(session, 10);
  expect(microseconds).toBeLessThan(50);
  expect(session.given).toBe(310);
  // Before each burst, and at the end: nothing is left under way.
  expect(session.waits).toEqual([0, ...new Array<number>(31).fill(10)]);
});
