/** What the suite is made of: cases, each of one layer, run against a backend. */
import type { Backend } from "@thalweg/core/backend";

/** The layers of the suite, from the ground up; each is reported by itself. */
export const layers = [
  "kernels",
  "ops",
  "autodiff",
  "random",
  "optimizers",
  "schedules",
  "transforms",
  "training",
  "determinism",
  "memory",
  "fusion",
  "errors",
  "sweep",
] as const;

export type Layer = (typeof layers)[number];

/** What the suite may ask of a backend it makes. */
export interface BackendOptions {
  /** Threads to compute with. Default: the backend's own. */
  readonly threads?: number;
}

/** Makes a backend: the function a backend package exports. It may know nothing of the options. */
export type BackendFactory = (options?: BackendOptions) => Backend | Promise<Backend>;

/** What a case is given. */
export interface CaseContext {
  /** The backend under test. It is the current one. */
  readonly backend: Backend;
  /** One more of its kind, not the current one; disposed of when the case ends. */
  another(options?: BackendOptions): Promise<Backend>;
}

export interface Case {
  readonly layer: Layer;
  /** Unique in its layer. */
  readonly name: string;
  /** The golden file it comes from. */
  readonly file?: string;
  /** Passes when it returns. Throws NotApplicable when it says nothing about this backend, anything else when it fails. */
  run(context: CaseContext): void | Promise<void>;
}

/** A case says nothing about a backend, for want of a capability. Counted by itself: neither passed nor failed. */
export class NotApplicable extends Error {
  override readonly name = "NotApplicable";
}

/** Name of a case in the whole suite, which patterns are matched with. */
export const idOf = ({ layer, name }: Case): string => `${layer}/${name}`;

/**
 * Whether a pattern names a case: `*` stands for any text and the whole id must fit; without a `*` the pattern may stand
 * anywhere in the id or in the name of the golden file.
 */
export function matches(pattern: string, tested: Case): boolean {
  const id = idOf(tested);
  if (!pattern.includes("*")) return id.includes(pattern) || (tested.file?.includes(pattern) ?? false);
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s").test(id);
}
