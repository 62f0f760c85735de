/** Threads of one process that measure together: what takes the slowest of them so long is how long it takes. */

/** As one of its members sees it. All members do the same, in the same order. */
export interface Crew {
  readonly size: number;
  /** This member's number; the first, 0, decides. */
  readonly member: number;
  /** Waits until every member has come here. */
  meet(): void;
  /** What the first member says, to every member. There is a meeting between two agreements. */
  agree(decision: boolean): boolean;
}

/** A thread by itself. */
export const alone: Crew = { size: 1, member: 0, meet: () => undefined, agree: (decision) => decision };

/** Bytes that the members of a crew share. */
export const crewBytes = 12;

/** Turns of a waiting loop before a member sleeps: about a millisecond, so that threads beyond the cores get their turn. */
const spins = 2 ** 18;

/** A member that has not come within so many milliseconds has failed. */
const patience = 60_000;

/** `shared`: `crewBytes` of zeros. */
export function crewOf(shared: SharedArrayBuffer, size: number, member: number): Crew {
  const [arrived, meetings, decided] = [0, 1, 2];
  const words = new Int32Array(shared);
  const meet = (): void => {
    const meeting = Atomics.load(words, meetings);
    if (Atomics.add(words, arrived, 1) === size - 1) {
      Atomics.store(words, arrived, 0);
      Atomics.add(words, meetings, 1);
      Atomics.notify(words, meetings);
      return;
    }
    for (let i = 0; i < spins; i++) if (Atomics.load(words, meetings) !== meeting) return;
    if (Atomics.wait(words, meetings, meeting, patience) !== "timed-out") return;
    throw new Error(`one of ${size} threads that measure together did not come within ${patience / 1000} s`);
  };
  const agree = (decision: boolean): boolean => {
    if (member === 0) Atomics.store(words, decided, decision ? 1 : 0);
    meet();
    return Atomics.load(words, decided) === 1;
  };
  return { size, member, meet, agree };
}

/** Milliseconds that the members together take for `work`, of which each does its own. */
export function timed(crew: Crew, work: () => void): number {
  crew.meet();
  const start = performance.now();
  work();
  crew.meet();
  return performance.now() - start;
}
