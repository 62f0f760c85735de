/** A peer's own process: sets workloads up and runs them when its parent says so, one answer per request. */
import type { Peer, Session } from "./peers/peer.ts";
import type { WorkloadName } from "./workloads.ts";

export type PeerName = "thalweg" | "tfjs";

export type Request =
  | { readonly kind: "load"; readonly peer: PeerName; readonly folder: string }
  | { readonly kind: "start"; readonly workload: WorkloadName }
  | { readonly kind: "run"; readonly times: number }
  /** Runs again and again for at least this long. */
  | { readonly kind: "measure"; readonly milliseconds: number }
  | { readonly kind: "check" };

export type Answer =
  | { readonly kind: "loaded"; readonly name: string; readonly description: string }
  | { readonly kind: "started"; readonly exists: boolean }
  | { readonly kind: "ran" }
  /** Time of one run, on average. */
  | { readonly kind: "measured"; readonly milliseconds: number }
  | { readonly kind: "checked"; readonly value: number }
  | { readonly kind: "failed"; readonly message: string };

async function loadPeer(name: PeerName, folder: string): Promise<Peer> {
  if (name === "tfjs") return (await import("./peers/tfjs.ts")).tfjsPeer(folder);
  return (await import("./peers/thalweg.ts")).thalwegPeer();
}

let peer: Peer | undefined;
let session: Session | undefined;

async function answer(request: Request): Promise<Answer> {
  switch (request.kind) {
    case "load": {
      peer = await loadPeer(request.peer, request.folder);
      return { kind: "loaded", name: peer.name, description: peer.description };
    }
    case "start":
      session = undefined;
      globalThis.gc?.();
      session = await (peer as Peer).start(request.workload);
      return { kind: "started", exists: session !== undefined };
    case "run": {
      const { run } = session as Session;
      for (let i = 0; i < request.times; i++) {
        const pending = run();
        if (pending) await pending;
      }
      return { kind: "ran" };
    }
    case "measure": {
      const { run } = session as Session;
      const start = performance.now();
      for (let runs = 1; ; runs++) {
        const pending = run();
        if (pending) await pending;
        const elapsed = performance.now() - start;
        if (elapsed >= request.milliseconds) return { kind: "measured", milliseconds: elapsed / runs };
      }
    }
    case "check":
      return { kind: "checked", value: await (session as Session).check() };
    default:
      return request satisfies never;
  }
}

process.on("message", (request: Request) => {
  answer(request)
    .catch(
      (error: unknown): Answer => ({
        kind: "failed",
        message: error instanceof Error ? String(error.stack) : String(error),
      }),
    )
    .then((reply) => process.send?.(reply));
});
