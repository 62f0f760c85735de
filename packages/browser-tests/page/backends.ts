import type { BackendFactory } from "@thalweg/conformance";
import type { Backend } from "@thalweg/core/backend";
import { cpu } from "@thalweg/cpu-js";
import { wasm } from "@thalweg/wasm";
import type { BrowserBackend } from "./backendNames.ts";

const backends: Readonly<Record<BrowserBackend, BackendFactory>> = { "cpu-js": cpu, wasm };

export interface BackendRequest {
  readonly backend: BrowserBackend;
  /** Default: the backend's own choice. */
  readonly threads?: number;
}

/** What was asked for, and what the page gave. */
export interface BackendAnswer {
  readonly description: string;
  readonly threads: number;
  readonly isolated: boolean;
}

/** A new one. */
export const makeBackend = async ({ backend, threads }: BackendRequest): Promise<Backend> =>
  backends[backend](threads === undefined ? {} : { threads });

export const answerOf = ({ description, capabilities }: Backend): BackendAnswer => ({
  description,
  threads: capabilities.threads,
  isolated: crossOriginIsolated,
});
