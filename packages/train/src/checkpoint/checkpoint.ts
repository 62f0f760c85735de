/**
 * Checkpoints: model, optimizer, schedules and random numbers as one safetensors file. The weights stand in it under their
 * own names, so that whatever reads safetensors loads them; all else is beside them, under names that begin with
 * `optimizer.`, or as JSON in the file's metadata. Training goes on from one to the same bits as without the break.
 */
import { ArgumentError, defaultGenerator, Generator, type Shape } from "@thalweg/core";
import { checkStored, isNamedSchedule, type OptimizerStateDict, type StoredTensor } from "@thalweg/core/optim";
import { DataError } from "../dataError.ts";
import { fromJson, toJson } from "./json.ts";
import { decodeSafetensors, encodeSafetensors, type Safetensors } from "./safetensors.ts";
import { type CheckpointGroup, statefulSchedules } from "./statefulSchedules.ts";

/** What a model needs for it; every module has it. */
export interface CheckpointModel {
  stateDict(): Promise<Readonly<Record<string, StoredTensor>>>;
  loadStateDict(state: Readonly<Record<string, StoredTensor>>): Promise<void>;
}

/** What an optimizer needs for it; all of `@thalweg/core/optim` have it. */
export interface CheckpointOptimizer {
  stateDict(): Promise<OptimizerStateDict>;
  loadStateDict(state: OptimizerStateDict): Promise<void>;
  /** Their schedules are looked through for such as have state. */
  readonly groups?: readonly CheckpointGroup[];
}

/** What is saved, or loaded into. Every part may be left out. */
export interface CheckpointParts {
  readonly model?: CheckpointModel | undefined;
  readonly optimizer?: CheckpointOptimizer | undefined;
  /** Whose seed and position are saved with it. Default: the generator that `manualSeed` seeds. */
  readonly generator?: Generator | undefined;
}

export interface CheckpointContents extends CheckpointParts {
  /** Anything that JSON holds: epoch, best accuracy, settings. Numbers that are not finite are kept, too. */
  readonly extra?: unknown;
}

/** Version of what stands in the metadata. */
const format = 1;
const keys = {
  format: "thalweg.format",
  optimizer: "thalweg.optimizer",
  schedules: "thalweg.schedules",
  generator: "thalweg.generator",
  extra: "thalweg.extra",
} as const;

/** An OptimizerStateDict without its tensors, but with their names. */
interface OptimizerHeader extends Omit<OptimizerStateDict, "state" | "shared"> {
  readonly state: Readonly<Record<string, { readonly step: number; readonly values: readonly string[] }>>;
  readonly shared?: readonly string[];
}

const stateName = (parameter: string, name: string): string => `optimizer.${parameter}.${name}`;
const sharedName = (name: string): string => `optimizerShared.${name}`;

/** A record that keeps to one value per name. */
class Tensors {
  readonly record: Record<string, StoredTensor> = {};

  add(name: string, tensor: StoredTensor): void {
    if (Object.hasOwn(this.record, name)) {
      throw new ArgumentError("encodeCheckpoint", `two tensors would be named ${name}; rename the parameter`);
    }
    Object.defineProperty(this.record, name, { value: tensor, enumerable: true });
  }
}

function addOptimizer({ state, shared, ...rest }: OptimizerStateDict, tensors: Tensors): OptimizerHeader {
  const names = Object.entries(state).map(([parameter, { step, values }]) => {
    for (const [name, tensor] of Object.entries(values)) tensors.add(stateName(parameter, name), tensor);
    return [parameter, { step, values: Object.keys(values) }] as const;
  });
  for (const [name, tensor] of Object.entries(shared ?? {})) tensors.add(sharedName(name), tensor);
  return { ...rest, state: Object.fromEntries(names), ...(shared && { shared: Object.keys(shared) }) };
}

/** Schedules as JSON, for whoever reads the file: what was in force. Loading takes the state of those that have some. */
function describeSchedules(groups: readonly CheckpointGroup[]): unknown {
  return groups.map(({ name, learningRate, options }) => ({
    name,
    schedules: Object.fromEntries(
      Object.entries({ ...options, lr: learningRate }).flatMap(([option, value]) =>
        isNamedSchedule(value) ? [[option, value.toJSON()]] : [],
      ),
    ),
  }));
}

/**
 * A checkpoint as the bytes of a safetensors file.
 *
 * @throws ArgumentError when a parameter has a name that the file needs for something else, or when `extra` is not JSON.
 */
export async function encodeCheckpoint(contents: CheckpointContents): Promise<Uint8Array> {
  const { model, optimizer, generator = defaultGenerator, extra } = contents;
  const tensors = new Tensors();
  // Read together, before anything can go on training.
  const [modelState, optimizerState] = await Promise.all([model?.stateDict(), optimizer?.stateDict()]);
  for (const [name, tensor] of Object.entries(modelState ?? {})) tensors.add(name, tensor);
  const groups = optimizer?.groups ?? [];
  const metadata: Record<string, string> = {
    // What Hugging Face's loaders look for: the weights are laid out as PyTorch's.
    format: "pt",
    [keys.format]: String(format),
    [keys.generator]: toJson(generator.state()),
  };
  if (optimizerState) {
    metadata[keys.optimizer] = toJson(addOptimizer(optimizerState, tensors));
    metadata[keys.schedules] = toJson({
      groups: describeSchedules(groups),
      states: statefulSchedules(groups).map((schedule) => schedule.stateDict()),
    });
  }
  if (extra !== undefined) metadata[keys.extra] = toJson(extra);
  return encodeSafetensors(tensors.record, metadata);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isNames = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((name) => typeof name === "string");

/** A checkpoint taken apart; only its outline has been checked. */
interface Checkpoint {
  /** What is not the optimizer's. */
  readonly model: Readonly<Record<string, StoredTensor>>;
  readonly optimizer: OptimizerStateDict | undefined;
  readonly scheduleStates: readonly unknown[];
  readonly generator: Generator | undefined;
  readonly extra: unknown;
}

class Reader {
  readonly #file: string;
  readonly #metadata: Readonly<Record<string, string>>;
  readonly #left: Map<string, StoredTensor>;

  constructor({ tensors, metadata }: Safetensors, file: string) {
    this.#file = file;
    this.#metadata = metadata;
    this.#left = new Map(Object.entries(tensors));
  }

  #fail(key: string, what: string): never {
    throw new DataError(this.#file, `metadata ${key}: ${what}`);
  }

  #json(key: string): unknown {
    const text = Object.hasOwn(this.#metadata, key) ? this.#metadata[key] : undefined;
    if (text === undefined) return undefined;
    try {
      return fromJson(text);
    } catch (error) {
      return this.#fail(key, `is no JSON: ${(error as Error).message}`);
    }
  }

  #take(tensor: string): StoredTensor {
    const found = this.#left.get(tensor);
    if (!found) throw new DataError(this.#file, `the metadata tells of a tensor ${tensor}, which is not there`);
    this.#left.delete(tensor);
    return found;
  }

  read(): Checkpoint {
    const version = this.#json(keys.format);
    // Without it the file is somebody else's, and holds weights alone.
    if (version !== undefined && version !== format) {
      this.#fail(keys.format, `is ${JSON.stringify(version)}; this version of Thalweg reads ${format}`);
    }
    const optimizer = this.#optimizer();
    return {
      optimizer,
      scheduleStates: this.#scheduleStates(),
      generator: this.#generator(),
      extra: this.#json(keys.extra),
      model: Object.fromEntries(this.#left),
    };
  }

  #optimizer(): OptimizerStateDict | undefined {
    const header = this.#json(keys.optimizer);
    if (header === undefined) return undefined;
    if (!isRecord(header) || !isRecord(header.state)) this.#fail(keys.optimizer, "expected what stateDict gives");
    const { state, shared, ...rest } = header as unknown as OptimizerHeader;
    const entries = Object.entries(state).map(([parameter, entry]) => {
      if (!isRecord(entry) || !isNames(entry.values)) {
        this.#fail(keys.optimizer, `expected { step, values } of parameter ${parameter}`);
      }
      const values = entry.values.map((name) => [name, this.#take(stateName(parameter, name))] as const);
      return [parameter, { step: entry.step, values: Object.fromEntries(values) }] as const;
    });
    if (shared !== undefined && !isNames(shared)) this.#fail(keys.optimizer, "expected a list of names as shared");
    const values = shared?.map((name) => [name, this.#take(sharedName(name))] as const);
    return {
      ...rest,
      state: Object.fromEntries(entries),
      ...(values && { shared: Object.fromEntries(values) }),
    };
  }

  #scheduleStates(): readonly unknown[] {
    const schedules = this.#json(keys.schedules);
    if (schedules === undefined) return [];
    if (!isRecord(schedules) || !Array.isArray(schedules.states)) {
      this.#fail(keys.schedules, "expected { groups, states }");
    }
    return schedules.states;
  }

  #generator(): Generator | undefined {
    const state = this.#json(keys.generator);
    if (state === undefined) return undefined;
    const { seed, position } = (isRecord(state) ? state : {}) as { seed?: unknown; position?: unknown };
    try {
      return new Generator(Number(seed), Number(position));
    } catch (error) {
      return this.#fail(keys.generator, (error as Error).message);
    }
  }
}

/** Everything that keeps `saved` out of `model`, as one error. */
async function checkModel(
  model: CheckpointModel,
  saved: Readonly<Record<string, StoredTensor>>,
  file: string,
): Promise<void> {
  const own = await model.stateDict();
  const problems: string[] = [];
  for (const [name, { shape, dtype }] of Object.entries(own)) {
    const tensor = Object.hasOwn(saved, name) ? saved[name] : undefined;
    if (!tensor) problems.push(`the model's ${name} is missing`);
    else problems.push(...mismatch(name, tensor, shape, dtype));
  }
  for (const name of Object.keys(saved)) if (!Object.hasOwn(own, name)) problems.push(`the model has no ${name}`);
  if (problems.length > 0) throw new ArgumentError(file, problems.join("; "));
}

function mismatch(name: string, tensor: StoredTensor, shape: Shape, dtype: StoredTensor["dtype"]): string[] {
  try {
    checkStored("", name, tensor, shape, dtype);
    return [];
  } catch (error) {
    return [(error as Error).message.replace(/^: /, "")];
  }
}

/** What takes back everything done so far, in case the next thing fails. */
class Undo {
  readonly #steps: (() => void)[] = [];

  add(step: () => void): void {
    this.#steps.push(step);
  }
  run(): void {
    for (const step of this.#steps.reverse()) step();
  }
}

/**
 * Puts a checkpoint, the bytes of a safetensors file, into model, optimizer, schedules and random numbers. All or nothing:
 * what does not fit leaves all of them as they were. Without `model` or `optimizer` that part of the file is passed over; a
 * file of weights from elsewhere has no more than those.
 *
 * @param file Name of the file, for errors.
 * @returns What was saved as `extra`.
 * @throws DataError for a file that is damaged, ArgumentError for one that does not fit what it is loaded into.
 */
export async function decodeCheckpoint(
  bytes: Uint8Array,
  { model, optimizer, generator = defaultGenerator }: CheckpointParts,
  file = "checkpoint",
): Promise<unknown> {
  const saved = new Reader(decodeSafetensors(bytes, file), file).read();
  if (optimizer && !saved.optimizer) throw new ArgumentError(file, "has no state of an optimizer");
  if (model) await checkModel(model, saved.model, file);
  const schedules = optimizer ? statefulSchedules(optimizer.groups ?? []) : [];
  if (optimizer && schedules.length !== saved.scheduleStates.length) {
    const found = `${saved.scheduleStates.length} schedules with state, the optimizer has ${schedules.length}`;
    throw new ArgumentError(file, `has the state of ${found}`);
  }
  const undo = new Undo();
  try {
    for (const [i, schedule] of schedules.entries()) {
      const before = schedule.stateDict();
      schedule.loadStateDict(saved.scheduleStates[i]);
      undo.add(() => schedule.loadStateDict(before));
    }
    // Itself all or nothing, and the model's state has been checked.
    if (optimizer && saved.optimizer) await optimizer.loadStateDict(saved.optimizer);
    if (model) await model.loadStateDict(saved.model);
  } catch (error) {
    undo.run();
    throw new ArgumentError(file, (error as Error).message, { cause: error });
  }
  if (saved.generator) generator.restore(saved.generator.state());
  return saved.extra;
}
