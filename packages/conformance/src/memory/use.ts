/** What a backend says it uses, compared. */
import type { Backend, MemoryUse } from "@thalweg/core/backend";

const keys = ["buffers", "bufferBytes", "arenaBytes"] as const;

const show = (use: MemoryUse): string => keys.map((key) => `${key} ${use[key]}`).join(", ");

/** @throws {Error} when more is in use than was. */
export function expectNoGrowth(before: MemoryUse, backend: Backend, after: string): void {
  const now = backend.memory();
  if (keys.every((key) => now[key] <= before[key])) return;
  throw new Error(`${after}: ${show(now)}; expected no more than before: ${show(before)}`);
}

/** @throws {Error} unless there are just so many buffers and bytes in them more than before. The arena is not counted. */
export function expectBuffers(before: MemoryUse, backend: Backend, more: number, bytes: number, when: string): void {
  const now = backend.memory();
  // A backend may round sizes up.
  const enough = more === 0 ? now.bufferBytes === before.bufferBytes : now.bufferBytes >= before.bufferBytes + bytes;
  if (now.buffers === before.buffers + more && enough) return;
  throw new Error(
    `${when}: ${show(now)}; expected ${more} buffers and ${bytes} bytes more than before: ${show(before)}`,
  );
}

export function expect(holds: boolean, message: () => string): void {
  if (!holds) throw new Error(message());
}
