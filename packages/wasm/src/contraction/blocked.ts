/** A product in blocks: packing where it is a launch of its own, then the tiles. */
import type { Epilogue, Program } from "@thalweg/core/backend";
import { epilogueWriter, usesUniforms } from "../body/index.ts";
import type { CompiledKernel, Launch, Pointer } from "../launch.ts";
import { type Blocking, scratchLayout, threadLayout } from "./blocking.ts";
import { isLong } from "./finish.ts";
import { epilogueKey } from "./key.ts";
import { packLaunch } from "./packLaunch.ts";
import { TaskWriter } from "./tiles.ts";

export function blockedKernel(
  blocking: Blocking,
  buffers: { readonly a: number; readonly b: number },
  epilogue: Epilogue,
  program: Program,
): CompiledKernel {
  const launches: Launch[] = [];
  const scratch = scratchLayout(blocking);
  if (scratch.bytes > 0) launches.push(packLaunch(blocking, buffers, scratch));
  launches.push(tileLaunch(blocking, buffers, scratch, epilogue, program));
  return { launches, scratchBytes: scratch.bytes };
}

function tileLaunch(
  blocking: Blocking,
  buffers: { readonly a: number; readonly b: number },
  scratch: { readonly a: number; readonly b: number },
  epilogue: Epilogue,
  program: Program,
): Launch {
  const { batchParts, rowParts, columnParts } = blocking;
  const inMemory = isLong(epilogue);
  const thread = threadLayout(blocking, inMemory);
  const readsUniforms = usesUniforms(epilogue.body);
  const slots = 2;
  const uniforms = slots + epilogue.buffers.length;
  const memory = uniforms + (readsUniforms ? 1 : 0);
  const task = memory + (thread.bytes > 0 ? 1 : 0);
  const pointers: Pointer[] = [
    blocking.a === "launch" ? { kind: "scratch", offset: scratch.a } : { kind: "buffer", buffer: buffers.a },
    blocking.b === "launch" ? { kind: "scratch", offset: scratch.b } : { kind: "buffer", buffer: buffers.b },
    ...epilogue.buffers.map((buffer): Pointer => ({ kind: "buffer", buffer })),
  ];
  if (readsUniforms) pointers.push({ kind: "uniforms" });
  if (thread.bytes > 0) pointers.push({ kind: "thread" });
  return {
    key: JSON.stringify(["matmul", blocking, epilogueKey(epilogue, program)]),
    pointers,
    tasks: batchParts * rowParts * columnParts,
    threadBytes: thread.bytes,
    build(f, code) {
      const lanes = code.lanes(f);
      const writer = epilogueWriter(
        code,
        lanes,
        epilogue,
        program,
        epilogue.buffers.map((_, slot) => f.parameter(slots + slot, "i32")),
        readsUniforms ? f.parameter(uniforms, "i32") : undefined,
      );
      new TaskWriter(lanes, writer, blocking, inMemory, thread, {
        a: f.parameter(0, "i32"),
        b: f.parameter(1, "i32"),
        memory: thread.bytes > 0 ? f.parameter(memory, "i32") : undefined,
        task: f.parameter(task, "i32"),
      }).write();
    },
  };
}
