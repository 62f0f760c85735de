/**
 * Words at the start of the memory by which the threads of a backend agree what to do. Each group has a cache line of its
 * own. Addresses in bytes.
 */
export const control = {
  /** i64: the launch's ordinal (epoch) in the high half, tasks not yet claimed in the low one. Claimed by compare and swap. */
  work: 0,
  /** i32: tasks finished since the beginning, modulo 2^32. */
  done: 64,
  /** i32: the caller sleeps until `done` changes. */
  waiting: 68,
  /** i32: changes when sleeping workers are to look again. */
  wake: 128,
  /** i32: workers that sleep, or are about to. */
  sleepers: 132,
  /** i32, written by the caller before it publishes work: which executable runs (0: none yet, -1: the end), */
  executable: 192,
  /** … its launch, how many tasks that has, the executable's table, */
  launch: 196,
  tasks: 200,
  table: 204,
  /** … and where the bytes of its module are, for workers that do not have it yet. */
  moduleAddress: 208,
  moduleLength: 212,
  /** i32: `done` when all tasks of the launch are. Only the caller's. */
  target: 216,
  /** i32: 1 while the caller is at a task it claimed. Only the caller's. */
  own: 220,
  /** i32: 1 once an index was out of range; then the index, the size, and whether the index is unsigned. */
  failed: 256,
  failedIndex: 260,
  failedSize: 264,
  failedUnsigned: 268,
  /** i32: 1 once a worker met an error that is none of the Program's; then the length of its text, and the text in UTF-16. */
  crashed: 320,
  crashLength: 324,
  crashText: 328,
} as const;

/** Code units of a crash's text at most. */
export const crashTextLimit = 256;

/** Bytes at the start of the memory that are for all this. */
export const controlBytes = 1024;
