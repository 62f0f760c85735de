/** Backends that run in a browser, by name. */
export const browserBackends = ["wasm", "cpu-js"] as const;
export type BrowserBackend = (typeof browserBackends)[number];
