/**
 * compile(fn): the function is run once per signature to see the graph it builds; from then on calling it replays one
 * Program, with the parameter updates, schedules, step counters and random streams advancing as if it had run again.
 */
import type { Backend, BufferHandle } from "../backend/backend.ts";
import type { Program } from "../backend/program.ts";
import type { Assignment } from "../compile/assignments.ts";
import { BackendError } from "../graph/errors.ts";
import { makeNode, type Node, topologicalOrder, type Uniform, upcomingNodeId } from "../graph/node.ts";
import { currentBackend } from "../runtime/backend.ts";
import { currentTrace, type Trace, withTrace } from "../runtime/context.ts";
import { type Prepared, prepare, realize, realizeOwned, withRealized } from "../runtime/evaluate.ts";
import { meantBy } from "../runtime/failures.ts";
import { Storage } from "../runtime/storage.ts";
import { autocastDType } from "../tensor/autocast.ts";
import { Parameter } from "../tensor/parameter.ts";
import { Tensor } from "../tensor/tensor.ts";
import { isPlain, mapTensors, tensorsIn } from "./structure.ts";

/** Signatures kept per compiled function; the oldest goes when a new one comes. */
const signatureLimit = 64;

export interface CompiledFunction<Args extends unknown[], Result> {
  (...args: Args): Result;
  /** The Program the arguments would run; traces if needed, runs nothing. */
  program(...args: Args): Program;
  /** Times the function has been traced. */
  readonly traces: number;
}

/**
 * A function that computes the same as `fn`, as one Program. Tensor arguments (anywhere in lists or plain objects) may
 * change their values from call to call; everything else in the arguments is part of the signature (parameters, functions
 * and objects of classes by identity, typed arrays and the rest by value), as are shapes and
 * dtypes: a new signature is traced anew. `fn` must build its result from its arguments, parameters and constants
 * alone; anything else it does (logging, reading the clock) happens at the trace only. Returned tensors are realised.
 */
export function compile<Args extends unknown[], Result>(fn: (...args: Args) => Result): CompiledFunction<Args, Result> {
  const entries = new Map<string, Entry[]>();
  let traces = 0;

  const find = (args: Args): Entry => {
    const backend = currentBackend();
    const key = `${autocastDType()} ${signatureOf(args)}`;
    const known = entries.get(key) ?? [];
    const valid = known.find((entry) => entry.backend === backend && entry.trace.guards.every((holds) => holds()));
    if (valid) return valid;
    traces++;
    const entry = traceCall(fn, args, backend);
    // Guards that failed once may hold again (alternating groups), so a few variants are kept.
    entries.set(key, [entry, ...known].slice(0, 8));
    if (entries.size > signatureLimit) entries.delete(entries.keys().next().value as string);
    return entry;
  };

  const call = (...args: Args): Result => {
    // Inside another compiled function it is part of that one's graph.
    if (currentTrace()) return fn(...args);
    const tensors = tensorsIn(args);
    return replay(find(args), tensors) as Result;
  };
  return Object.defineProperties(call, {
    program: { value: (...args: Args): Program => find(args).prepared.program },
    traces: { get: () => traces },
  }) as unknown as CompiledFunction<Args, Result>;
}

interface Entry {
  readonly backend: Backend;
  readonly trace: Trace;
  readonly prepared: Prepared;
  readonly sources: readonly Storage[];
  readonly assigned: ReadonlySet<Storage>;
  readonly outputs: readonly Node[];
  /** The result with placeholders where the outputs go. */
  readonly result: unknown;
  /** Where each value of the schedule goes among the Program's uniforms. */
  readonly slots: ReadonlyMap<Uniform, number>;
  /** Uniforms made outside the trace and captured by it. */
  readonly captured: readonly { readonly uniform: Uniform; readonly slot: number }[];
  readonly uniforms: number[];
  readonly handles: BufferHandle[];
}

const identities = new WeakMap<object, number>();
let identityCount = 0;

function identityOf(value: object): number {
  let identity = identities.get(value);
  if (identity === undefined) {
    identity = identityCount++;
    identities.set(value, identity);
  }
  return identity;
}

/** Shapes and dtypes of tensors, identity of parameters, functions and objects of classes, everything else by value. */
function signatureOf(value: unknown): string {
  if (value instanceof Tensor) {
    return value instanceof Parameter ? `#${identityOf(value)}` : `${value.dtype}[${value.shape.join()}]`;
  }
  if (Array.isArray(value)) return `(${value.map(signatureOf).join()})`;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return `#${identityOf(value)}`;
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "-0" : String(value);
  if (isPlain(value)) {
    return `{${Object.entries(value)
      .map(([key, item]) => `${JSON.stringify(key)}:${signatureOf(item)}`)
      .join()}}`;
  }
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${String(value)})`;
  return `#${identityOf(value)}`;
}

function traceCall<Args extends unknown[]>(fn: (...args: Args) => unknown, args: Args, backend: Backend): Entry {
  const trace: Trace = { schedule: [], guards: [], assigned: new Map() };
  const firstId = upcomingNodeId();
  let index = 0;
  const inputs = mapTensors(args, (tensor) => {
    const at = index++;
    // A parameter stays itself: the function may update it.
    if (tensor instanceof Parameter) return tensor;
    return new Tensor(makeNode("placeholder", [], { index: at }, tensor.shape, tensor.dtype));
  }) as Args;
  const result = withTrace(trace, () => fn(...inputs));
  if (result instanceof Promise) {
    throw new BackendError("compile", "the function is asynchronous; it must build its graph without awaiting");
  }
  const returned = tensorsIn(result);
  // Nodes are read inside the trace: a returned parameter stands for the value it was given.
  const nodes = withTrace(trace, () => returned.map((tensor) => tensor.node));
  const targets = [...trace.assigned.keys()];
  realizeCaptured([...nodes, ...trace.assigned.values()], firstId);
  const roots = withRealized([...nodes, ...trace.assigned.values()]);
  const outputs = roots.slice(0, nodes.length);
  const assignments: Assignment[] = targets.map((target, i) => ({ target, value: roots[nodes.length + i] as Node }));
  const { prepared, structure } = prepare(backend, outputs, assignments, (source) => (source as Storage).name?.());
  const slots = new Map<Uniform, number>();
  const scheduled = new Set(trace.schedule);
  const captured: { uniform: Uniform; slot: number }[] = [];
  for (const [slot, position] of prepared.uniforms.entries()) {
    const node = structure.uniforms[position] as Node;
    if (node.op !== "uniform") continue;
    const { uniform } = node.attributes;
    if (scheduled.has(uniform)) slots.set(uniform, slot);
    else captured.push({ uniform, slot });
  }
  return {
    backend,
    trace,
    prepared,
    sources: structure.sources as Storage[],
    assigned: new Set(targets),
    outputs,
    result: numbered(result),
    slots,
    captured,
    uniforms: new Array<number>(prepared.uniforms.length).fill(0),
    handles: new Array<BufferHandle>(prepared.slots.length),
  };
}

/**
 * A lazy tensor made before the trace has one value for good. Where that depends on parameters, which replays see change, or
 * on random numbers, it is computed now. Throws LifetimeError when a parameter has already changed since.
 */
function realizeCaptured(roots: readonly Node[], firstId: number): void {
  const seen = new Set<Node>();
  const stack = [...roots];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.id >= firstId) stack.push(...node.inputs);
    else if (node.inputs.length > 0 && topologicalOrder([node]).some(variesByRun)) realize(node);
  }
}

const variesByRun = (node: Node): boolean => node.op === "parameter" || node.op === "uniform";

/** Stands in a result for its i-th tensor. */
class Output {
  readonly index: number;
  constructor(index: number) {
    this.index = index;
  }
}

function numbered(result: unknown): unknown {
  let index = 0;
  return mapTensors(result, () => new Output(index++));
}

function restore(result: unknown, outputs: readonly Tensor[]): unknown {
  if (result instanceof Output) return outputs[result.index];
  if (Array.isArray(result)) return result.map((item) => restore(item, outputs));
  if (typeof result === "object" && result !== null && Object.getPrototypeOf(result) === Object.prototype) {
    return Object.fromEntries(Object.entries(result).map(([k, v]) => [k, restore(v, outputs)]));
  }
  return result;
}

/** The memory of an argument, which the run must not write to: one that is a parameter's old value gets memory of its own. */
function argument(node: Node, { assigned }: Entry): Storage {
  const storage = realize(node);
  return assigned.has(storage) ? realizeOwned(node) : storage;
}

function replay(entry: Entry, tensors: readonly Tensor[]): unknown {
  const { backend, trace, prepared, handles, uniforms } = entry;
  const results = entry.outputs.map((node) => Storage.allocate(backend, node.shape, node.dtype));
  for (const [i, slot] of prepared.slots.entries()) {
    if (slot.kind === "source") handles[i] = (entry.sources[slot.index] as Storage).handleOn(backend);
    else if (slot.kind === "output") handles[i] = (results[slot.index] as Storage).handleOn(backend);
    else handles[i] = argument((tensors[slot.index] as Tensor).node, entry).handleOn(backend);
  }
  const undo: (() => void)[] = [];
  try {
    for (const item of trace.schedule) {
      if (typeof item === "function") {
        const takeBack = item();
        if (takeBack) undo.push(takeBack);
        continue;
      }
      const value = item.value();
      const slot = entry.slots.get(item);
      if (slot !== undefined) uniforms[slot] = value;
    }
    for (const { uniform, slot } of entry.captured) uniforms[slot] = uniform.value();
    backend.run(prepared.executable, handles, uniforms);
  } catch (error) {
    for (const takeBack of undo.reverse()) takeBack();
    // Nobody will see them.
    for (const storage of results) storage.dispose();
    throw meantBy(error);
  }
  for (const storage of entry.assigned) storage.version++;
  const outputs = results.map(
    (storage) => new Tensor(makeNode("data", [], { source: storage }, storage.shape, storage.dtype)),
  );
  return restore(entry.result, outputs);
}
