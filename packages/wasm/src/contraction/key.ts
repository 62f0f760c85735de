import { type BufferSpec, type Epilogue, mayOverlap, type Program } from "@thalweg/core/backend";

/** What the code of an epilogue depends on: its body, the dtypes of its slots, and which of them may overlap. */
export function epilogueKey({ body, buffers }: Epilogue, program: Program): unknown {
  return [
    body,
    buffers.map((buffer) => (program.buffers[buffer] as BufferSpec).dtype),
    buffers.map((buffer) => buffers.map((other) => (mayOverlap(program, buffer, other) ? 1 : 0)).join("")),
  ];
}
