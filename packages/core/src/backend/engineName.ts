interface EngineGlobals {
  readonly process?: { readonly versions?: { readonly v8?: string; readonly node?: string } };
  readonly navigator?: { readonly userAgent?: string };
}

/** The JavaScript engine at hand with its version, for the descriptions of backends that run in it. */
export function engineName(): string {
  const { process, navigator } = globalThis as EngineGlobals;
  const versions = process?.versions;
  if (versions?.node !== undefined) return `Node ${versions.node}, V8 ${versions.v8 ?? "unknown"}`;
  return navigator?.userAgent ?? "unknown JavaScript engine";
}
