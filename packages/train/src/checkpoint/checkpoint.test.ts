import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ArgumentError,
  defaultGenerator,
  manualSeed,
  Parameter,
  rand,
  type Tensor,
  tensor,
  useBackend,
} from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import {
  adamW,
  checkStored,
  cosine,
  prodigy,
  reduceOnPlateau,
  restoreTensor,
  type StoredTensor,
  sgd,
  storeTensor,
} from "@thalweg/core/optim";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataError } from "../dataError.ts";
import { type CheckpointModel, decodeCheckpoint, encodeCheckpoint } from "./checkpoint.ts";
import { loadCheckpoint, readSafetensors, saveCheckpoint } from "./files.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

const values = (x: Tensor): number[] => Array.from(x.dataSync());

let folder: string;
let path: string;
beforeEach(async () => {
  useBackend(referenceBackend({ rounding: true }));
  manualSeed(1);
  folder = await mkdtemp(join(tmpdir(), "thalweg-checkpoint-"));
  path = join(folder, "model.safetensors");
});
afterEach(() => rm(folder, { recursive: true }));

const modelOf = (parameters: Readonly<Record<string, Parameter>>): CheckpointModel => ({
  async stateDict() {
    const entries = Object.entries(parameters).map(async ([name, value]) => [name, await storeTensor(value)] as const);
    return Object.fromEntries(await Promise.all(entries));
  },
  async loadStateDict(state) {
    for (const [name, value] of Object.entries(parameters)) {
      checkStored("model", name, state[name] as StoredTensor, value.shape, value.dtype);
    }
    for (const [name, value] of Object.entries(parameters)) restoreTensor(value, state[name] as StoredTensor);
  },
});

function training(seed = 0) {
  const parameters = {
    "layer.weight": new Parameter(tensor([1, 2, 3, 4], { shape: [2, 2] }).add(seed)),
    "layer.bias": new Parameter(tensor([0.5, seed])),
  };
  const optimizer = adamW(parameters, { lr: 0.1 });
  const update = () =>
    optimizer.update([
      tensor([
        [1, -1],
        [0.5, 2],
      ]),
      tensor([1, 1]),
    ]);
  return { parameters, model: modelOf(parameters), optimizer, update };
}

/** All that a load could change. */
const everything = async ({ parameters, optimizer }: ReturnType<typeof training>) => ({
  weights: Object.values(parameters).map(values),
  optimizer: await optimizer.stateDict(),
  generator: defaultGenerator.state(),
});

describe("a checkpoint", () => {
  it("is a file of the weights under their names, the state beside them, and the rest as text", async () => {
    const { model, optimizer, update } = training();
    update();
    await saveCheckpoint(path, { model, optimizer, extra: { epoch: 3 } });
    const { tensors, metadata } = await readSafetensors(path);
    expect(Object.keys(tensors).sort()).toEqual([
      "layer.bias",
      "layer.weight",
      "optimizer.layer.bias.expAvg",
      "optimizer.layer.bias.expAvgSq",
      "optimizer.layer.weight.expAvg",
      "optimizer.layer.weight.expAvgSq",
    ]);
    expect(metadata.format).toBe("pt");
    expect(JSON.parse(metadata["thalweg.optimizer"] as string)).toMatchObject({
      optimizer: "adamW",
      step: 1,
      groups: [{ name: "group.0", lr: 0.1, maximize: false }],
      state: { "layer.weight": { step: 1, values: ["expAvg", "expAvgSq"] } },
    });
    expect(metadata["thalweg.extra"]).toBe('{"epoch":3}');
    expect(await readdir(folder)).toEqual(["model.safetensors"]);
  });

  it("brings everything back, random numbers too", async () => {
    const saved = training();
    saved.update();
    rand([3]).dataSync();
    await saveCheckpoint(path, {
      model: saved.model,
      optimizer: saved.optimizer,
      extra: [1, Number.NaN, Number.NEGATIVE_INFINITY],
    });
    const before = await everything(saved);
    const other = training(7);
    manualSeed(5);
    expect(await loadCheckpoint(path, { model: other.model, optimizer: other.optimizer })).toEqual([
      1,
      Number.NaN,
      Number.NEGATIVE_INFINITY,
    ]);
    expect(await everything(other)).toEqual(before);
  });

  it("keeps options, and state of the optimizer as a whole", async () => {
    const p = () => new Parameter(tensor([1, 2]), { name: "p" });
    const optimizer = prodigy([p()]);
    optimizer.update([tensor([1, 1])]);
    const bytes = await encodeCheckpoint({ optimizer });
    expect(Object.keys(decodeSafetensors(bytes).tensors)).toContain("optimizerShared.d");
    const other = prodigy([p()], { growthRate: 2 });
    await decodeCheckpoint(bytes, { optimizer: other });
    expect(other.groups[0]?.options.growthRate).toBe(null);
    expect(values(other.sharedState.get("d") as Tensor)).toEqual(values(optimizer.sharedState.get("d") as Tensor));
  });

  it("holds the state of schedules, and says which there were", async () => {
    const make = () => {
      const lr = reduceOnPlateau({ baseLr: 1, patience: 0 });
      const momentum = cosine({ baseLr: 0.9, tMax: 10 });
      return { lr, optimizer: sgd([new Parameter(tensor([1]), { name: "p" })], { lr, momentum }) };
    };
    const saved = make();
    saved.lr.report(1);
    saved.lr.report(2);
    const bytes = await encodeCheckpoint({ optimizer: saved.optimizer });
    const described = JSON.parse(decodeSafetensors(bytes).metadata["thalweg.schedules"] as string);
    expect(described.groups[0].schedules.momentum).toMatchObject({ schedule: "cosine", options: { baseLr: 0.9 } });
    const other = make();
    await decodeCheckpoint(bytes, { optimizer: other.optimizer });
    expect(other.optimizer.lr).toBe(0.1);
    // And without the schedule there is nothing to put it into.
    const plain = sgd([new Parameter(tensor([1]), { name: "p" })], { lr: 1 });
    await expect(decodeCheckpoint(bytes, { optimizer: plain })).rejects.toThrow("has the state of 1 schedules");
  });

  it("of weights from elsewhere loads as a model, and a model alone from one of ours", async () => {
    const { parameters, model } = training();
    await writeFile(
      path,
      encodeSafetensors({
        "layer.weight": { dtype: "float32", shape: [2, 2], data: [9, 8, 7, 6] },
        "layer.bias": { dtype: "float32", shape: [2], data: [5, 4] },
      }),
    );
    expect(await loadCheckpoint(path, { model })).toBeUndefined();
    expect(values(parameters["layer.weight"])).toEqual([9, 8, 7, 6]);
    const saved = training(3);
    saved.update();
    await saveCheckpoint(path, saved);
    await loadCheckpoint(path, { model });
    expect(values(parameters["layer.bias"])).toEqual(values(saved.parameters["layer.bias"]));
  });
});

describe("a checkpoint that does not fit changes nothing", () => {
  const refused = async (bytes: Uint8Array, kind: typeof DataError | typeof ArgumentError, message: string) => {
    const target = training(7);
    target.update();
    const before = await everything(target);
    await writeFile(path, bytes);
    const error = await loadCheckpoint(path, target).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toContain(`${path}: `);
    expect((error as Error).message).toContain(message);
    expect(await everything(target)).toEqual(before);
  };
  const saved = async () => {
    const made = training();
    made.update();
    return encodeCheckpoint(made);
  };
  /** With the file's tensors and metadata changed. */
  const changed = async (
    change: (tensors: Record<string, StoredTensor>, metadata: Record<string, string>) => void,
  ): Promise<Uint8Array> => {
    const { tensors, metadata } = decodeSafetensors(await saved());
    const [newTensors, newMetadata] = [{ ...tensors }, { ...metadata }];
    change(newTensors, newMetadata);
    return encodeSafetensors(newTensors, newMetadata);
  };

  it("when it is of another model", async () => {
    const bytes = await changed((tensors) => {
      delete tensors["layer.bias"];
      tensors["layer.weight"] = { dtype: "float32", shape: [4], data: [1, 2, 3, 4] };
      tensors["other.weight"] = { dtype: "float32", shape: [], data: [1] };
    });
    await refused(
      bytes,
      ArgumentError,
      "layer.weight has shape [2, 2], got [4]; the model's layer.bias is missing; the model has no other.weight",
    );
  });

  it("when it is of another optimizer, or of none", async () => {
    const rule = await changed((_, metadata) => {
      metadata["thalweg.optimizer"] = (metadata["thalweg.optimizer"] as string).replace("adamW", "lion");
    });
    await refused(rule, ArgumentError, "state of lion cannot be loaded into adamW");
    const none = await changed((tensors, metadata) => {
      delete metadata["thalweg.optimizer"];
      for (const name of Object.keys(tensors)) if (name.startsWith("optimizer.")) delete tensors[name];
    });
    await refused(none, ArgumentError, "has no state of an optimizer");
    const shape = await changed((tensors) => {
      tensors["optimizer.layer.bias.expAvg"] = { dtype: "float64", shape: [2], data: [1, 2] };
    });
    await refused(shape, ArgumentError, "layer.bias.expAvg is float32, got float64");
  });

  it("when its metadata is malformed", async () => {
    const withMetadata = (key: string, text: string) =>
      changed((_, metadata) => {
        metadata[`thalweg.${key}`] = text;
      });
    await refused(await withMetadata("optimizer", "{"), DataError, "metadata thalweg.optimizer: is no JSON");
    await refused(await withMetadata("optimizer", "[]"), DataError, "expected what stateDict gives");
    await refused(await withMetadata("optimizer", '{"state":{"layer.bias":1}}'), DataError, "of parameter layer.bias");
    await refused(
      await withMetadata("optimizer", '{"state":{"layer.bias":{"step":1,"values":["gone"]}}}'),
      DataError,
      "tells of a tensor optimizer.layer.bias.gone, which is not there",
    );
    await refused(await withMetadata("generator", '{"seed":-1,"position":0}'), DataError, "thalweg.generator");
    await refused(await withMetadata("schedules", '{"states":1}'), DataError, "expected { groups, states }");
    await refused(await withMetadata("format", "2"), DataError, "this version of Thalweg reads 1");
    await refused(await withMetadata("extra", "nonsense"), DataError, "metadata thalweg.extra: is no JSON");
  });

  it("however its bytes were changed", async () => {
    const whole = await saved();
    const target = training(7);
    target.update();
    const before = await everything(target);
    const header = 8 + Number(new DataView(whole.buffer).getBigUint64(0, true));
    const change = fc.record({ at: fc.nat(header - 1), byte: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), fc.boolean(), async (changes, cut) => {
        const bytes = cut ? whole.slice(0, changes[0]?.at) : whole.slice();
        for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte;
        const error = await decodeCheckpoint(bytes, target).then(
          () => undefined,
          (e: unknown) => e,
        );
        if (error === undefined) {
          // A change that says nothing wrong, such as a rate or a count, is loaded; start again from what was.
          Object.assign(target, training(7));
          target.update();
          defaultGenerator.restore(before.generator);
          return;
        }
        expect(error instanceof DataError || error instanceof ArgumentError).toBe(true);
        expect(await everything(target)).toEqual(before);
      }),
      { numRuns: 150, seed: 1 },
    );
  });
});

describe("saving", () => {
  it("refuses names that the file needs for something else", async () => {
    const { optimizer, update } = training();
    update();
    const model = modelOf({ "optimizer.layer.bias.expAvg": new Parameter(tensor([1])) });
    await expect(saveCheckpoint(path, { model, optimizer })).rejects.toThrow(
      "two tensors would be named optimizer.layer.bias.expAvg",
    );
    await expect(saveCheckpoint(path, { extra: () => 1 })).rejects.toThrow(ArgumentError);
    expect(await readdir(folder)).toEqual([]);
  });

  it("leaves the old file when it fails, and nothing else", async () => {
    const { model, optimizer } = training();
    await saveCheckpoint(path, { model, optimizer });
    const before = await readFile(path);
    const broken: CheckpointModel = {
      stateDict: async () => ({ w: { dtype: "float32", shape: [2], data: [1] } }),
      loadStateDict: async () => {},
    };
    await expect(saveCheckpoint(path, { model: broken })).rejects.toThrow(ArgumentError);
    // A folder stands where the file is to go.
    await expect(saveCheckpoint(folder, { model })).rejects.toThrow();
    expect(await readFile(path)).toEqual(before);
    expect(await readdir(folder)).toEqual(["model.safetensors"]);
    expect((await readdir(tmpdir())).filter((name) => name.startsWith(`${folder.split("/").at(-1)}.`))).toEqual([]);
  });
});
