import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findPeers, PeerError, peerNames } from "./peers.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "thalweg-peers-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function pretendPackage(path: string, version: string): Promise<void> {
  await mkdir(join(folder, path), { recursive: true });
  await writeFile(join(folder, path, "package.json"), JSON.stringify({ version }));
}

async function pretendPython(name: string, script: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

describe("findPeers", () => {
  it("names its peers", () => {
    expect(peerNames).toEqual([
      ...["tfjs-cpu", "tfjs-wasm", "jax-js"],
      ...["pytorch", "pytorch-eager", "pytorch-foreach", "pytorch-fused", "pytorch-cudagraph", "pytorch-compile"],
    ]);
  });

  it("takes what is installed in its version", async () => {
    await pretendPackage("tfjs/node_modules/@tensorflow/tfjs", "4.22.0");
    await pretendPackage("tfjs/node_modules/@tensorflow/tfjs-backend-wasm", "4.22.0");
    const notices: string[] = [];
    const found = await findPeers(["tfjs-cpu", "tfjs-wasm"], { folder, onNotice: (line) => notices.push(line) });
    expect(found.map(({ name, kind, options }) => ({ name, kind, options }))).toEqual([
      { name: "tfjs-cpu", kind: "peer", options: { runner: "tfjs", backend: "cpu", folder: join(folder, "tfjs") } },
      { name: "tfjs-wasm", kind: "peer", options: { runner: "tfjs", backend: "wasm", folder: join(folder, "tfjs") } },
    ]);
    expect(notices).toEqual([]);
  });

  it("says what is wrong with the Python that was named, and how to get one", async () => {
    const python = await pretendPython("python", "echo \"ModuleNotFoundError: No module named 'torch'\" >&2; exit 1");
    const error = await findPeers(["pytorch"], { folder, python }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(PeerError);
    expect((error as PeerError).message).toBe(
      `pytorch: no Python with torch and numpy was found; name one with --python PATH, or install it with: thalweg bench --install --peers pytorch\n  ${python}: ModuleNotFoundError: No module named 'torch'`,
    );
    await expect(findPeers(["pytorch"], { folder, python: "/nowhere/python" })).rejects.toThrow(
      "/nowhere/python: not found",
    );
  });

  it("takes a Python that has torch", async () => {
    const python = await pretendPython("python-with-torch", "exit 0");
    const [runner] = await findPeers(["pytorch"], { folder, python });
    expect(runner).toMatchObject({ name: "pytorch", kind: "peer", launch: { command: python }, options: {} });
    expect(runner?.launch.args.at(-1)).toMatch(/src[\\/]runners[\\/]pytorch\.py$/);
    const [foreach] = await findPeers(["pytorch-foreach"], { folder, python });
    expect(foreach).toMatchObject({ name: "pytorch-foreach", launch: runner?.launch, options: { form: "foreach" } });
    const onCuda = { folder, python, device: "cuda", compileMode: "reduce-overhead" } as const;
    const [compiled] = await findPeers(["pytorch-compile"], onCuda);
    expect(compiled?.options).toEqual({ form: "compile", device: "cuda", compileMode: "reduce-overhead" });
    expect((await findPeers(["pytorch"], { folder, python, device: "cpu" }))[0]?.options).toEqual({});
  });
});
