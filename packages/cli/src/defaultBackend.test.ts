/** Which backend is taken when none is named. By itself: the backend looks for WebAssembly once, when it is loaded. */
import { expect, it, vi } from "vitest";
import { chooseBackend } from "./backends.ts";

it("is cpu-js, with a word on why, where wasm cannot be used", async () => {
  vi.stubGlobal("WebAssembly", undefined);
  const said: string[] = [];
  const io = { stdout: { write: () => undefined }, stderr: { isTTY: false, write: (text: string) => said.push(text) } };
  expect(await chooseBackend("cuda", io)).toBe("cuda");
  expect(said).toEqual([]);
  expect(await chooseBackend(undefined, io)).toBe("cpu-js");
  expect(said.join("")).toMatch(/^backend wasm: wasm: there is no WebAssembly here; cpu-js is used instead\n$/);
});
