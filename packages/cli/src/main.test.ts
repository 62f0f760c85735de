import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { main } from "./main.ts";
import type { TrainReport } from "./train.ts";

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const written = { stdout: "", stderr: "" };
  const code = await main(argv, {
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { isTTY: false, write: (text) => (written.stderr += text) },
  });
  return { code, ...written };
}

describe("arguments", () => {
  it.each<[string[], string]>([
    [["--model", "rnn"], "argument 'rnn' is invalid. Allowed choices are mlp, cnn."],
    [["--optimizer", "adamm"], "argument 'adamm' is invalid. Allowed choices are ada"],
    [["--backend", "gpu"], "argument 'gpu' is invalid. Allowed choices are wasm, cpu-js, cuda."],
    [["--lr", "fast"], "argument 'fast' is invalid. Expected a number above 0."],
    [["--lr", "0"], "argument '0' is invalid. Expected a number above 0."],
    [["--lr", ""], "argument '' is invalid. Expected a number above 0."],
    [["--lr", "Infinity"], "argument 'Infinity' is invalid. Expected a number above 0."],
    [["--epochs", "0"], "argument '0' is invalid. Expected a whole number from 1 up."],
    [["--epochs", "1.5"], "argument '1.5' is invalid. Expected a whole number from 1 up."],
    [["--batch-size", "many"], "argument 'many' is invalid. Expected a whole number from 1 up."],
    [["--batch-size", "1e9"], "argument '1e9' is invalid. Expected a whole number from 1 up."],
    [["--threads", "0"], "argument '0' is invalid. Expected a whole number from 1 up."],
    [["--seed", "-1"], "argument '-1' is invalid. Expected a whole number from 0 up."],
    [["--seed", "99999999999999999"], "is invalid. Expected a whole number from 0 up."],
    [["--epoch", "3"], "unknown option '--epoch'"],
    [["--data"], "option '--data <folder>' argument missing"],
    [["extra"], "too many arguments"],
  ])("train %j ends with exit code 2 and says why", async (argv, message) => {
    const { code, stdout, stderr } = await run("train", ...argv);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
    expect(stdout).toBe("");
  });

  it("refuses an unknown command, and none", async () => {
    expect(await run("trian")).toMatchObject({ code: 2, stderr: expect.stringContaining("unknown command 'trian'") });
    expect(await run()).toMatchObject({ code: 2, stderr: expect.stringContaining("Usage: thalweg") });
  });

  it("prints help and version on stdout", async () => {
    expect(await run("--help")).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringContaining("train [options]"),
    });
    const help = await run("train", "--help");
    for (const option of [
      "--model",
      "--data",
      "--backend",
      "--threads",
      "--optimizer",
      "--lr",
      "--epochs",
      "--batch-size",
      "--seed",
      "--json",
    ]) {
      expect(help.stdout).toContain(option);
    }
    expect((await run("--version")).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("data", () => {
  it("ends with exit code 1 and names what is wrong", async () => {
    const folder = await mkdtemp(join(tmpdir(), "thalweg-cli-"));
    const empty = await run("train", "--data", folder);
    expect(empty).toMatchObject({ code: 1, stdout: "" });
    expect(empty.stderr).toMatch(new RegExp(`^error: ${folder}: no MNIST files here`));
    await writeFile(join(folder, "train-images-idx3-ubyte"), "not an image");
    await writeFile(join(folder, "train-labels-idx1-ubyte"), "nor a label");
    const broken = await run("train", "--data", folder, "--json");
    expect(broken).toMatchObject({ code: 1, stdout: "" });
    expect(broken.stderr).toBe(
      `error: ${folder}/train-images-idx3-ubyte: magic number 0x6e6f7420; expected 0x00000803 for IDX images\n`,
    );
    await rm(folder, { recursive: true });
  });
});

describe("backends", () => {
  it("lists every backend, available or why not", async () => {
    const { code, stdout, stderr } = await run("backends");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/cpu-js +│ yes/);
    expect(stdout).toMatch(/wasm +│ yes/);
    for (const name of ["cuda"]) expect(stdout).toMatch(new RegExp(`${name} +│ (yes|no) `));
  });

  it("says why training cannot start on one that is not there", async () => {
    const { stdout } = await run("backends");
    const missing = ["cuda"].find((name) => new RegExp(`${name} +│ no`).test(stdout));
    if (!missing) return;
    const { code, stderr } = await run("train", "--backend", missing);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^error: backend ${missing}: `));
  });
});

/** A folder of 60 MNIST-format images: a bright bar whose place is the label. */
async function bars(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "thalweg-bars-"));
  const count = 60;
  const images = Buffer.alloc(16 + count * 784);
  const labels = Buffer.alloc(8 + count);
  for (const [i, value] of [0x803, count, 28, 28].entries()) images.writeUInt32BE(value, 4 * i);
  for (const [i, value] of [0x801, count].entries()) labels.writeUInt32BE(value, 4 * i);
  for (let i = 0; i < count; i++) {
    labels[8 + i] = i % 10;
    images.fill(150 + i, 16 + i * 784 + (i % 10) * 78, 16 + i * 784 + (i % 10) * 78 + 70);
  }
  await writeFile(join(folder, "t10k-images-idx3-ubyte"), images);
  await writeFile(join(folder, "t10k-labels-idx1-ubyte"), labels);
  return folder;
}

describe("train", () => {
  it("prints one JSON object on stdout and progress on stderr", async () => {
    const folder = await bars();
    const { code, stdout, stderr } = await run(
      ...["train", "--data", folder, "--epochs", "8", "--batch-size", "10", "--lr", "0.003", "--seed", "5", "--json"],
    );
    expect(stderr).toContain("48 to train on, 12 to validate");
    expect(code).toBe(0);
    expect(stdout.endsWith("}\n")).toBe(true);
    const report = JSON.parse(stdout) as TrainReport;
    expect(Object.keys(report).sort()).toEqual(
      ["backend", "epochs", "model", "optimizer", "parameters", "seconds", "validationAccuracy"].sort(),
    );
    expect(report).toMatchObject({ model: "mlp", optimizer: "adamW", backend: "wasm", parameters: 235_146 });
    expect(report.epochs.length).toBe(8);
    for (const epoch of report.epochs) {
      expect(Object.keys(epoch).sort()).toEqual(["loss", "seconds", "validationAccuracy"]);
      expect(epoch.loss).toBeGreaterThanOrEqual(0);
      expect(epoch.seconds).toBeGreaterThan(0);
    }
    expect(report.validationAccuracy).toBe(report.epochs.at(-1)?.validationAccuracy);
    expect(report.validationAccuracy).toBe(1);
    expect(report.seconds).toBeCloseTo(
      report.epochs.reduce((sum, { seconds }) => sum + seconds, 0),
      9,
    );
    expect(stderr).toMatch(/epoch 8\/8 {2}loss 0\.\d{4} {2}validation 100\.00 % {2}\d+\.\d s\n/);
    await rm(folder, { recursive: true });
  });

  it("gives the same losses for the same seed, whatever the threads, and others for another", async () => {
    const folder = await bars();
    const losses = async (seed: string, threads: string) => {
      const { stdout } = await run(
        ...["train", "--data", folder, "--epochs", "2", "--batch-size", "16", "--seed", seed, "--threads", threads],
        "--json",
      );
      return (JSON.parse(stdout) as TrainReport).epochs.map(({ loss }) => loss);
    };
    const first = await losses("3", "1");
    expect(await losses("3", "1")).toEqual(first);
    expect(await losses("3", "2")).toEqual(first);
    expect(await losses("4", "1")).not.toEqual(first);
    await rm(folder, { recursive: true });
  });

  it("ends with one line to read when no JSON is asked for", async () => {
    const folder = await bars();
    const { stdout, stderr } = await run(
      ...["train", "--data", folder, "--backend", "cpu-js", "--optimizer", "sgd", "--epochs", "1"],
    );
    expect(stderr).toMatch(/│ backend +│ cpu-js \(.*; 1 thread\)/);
    expect(stdout).toMatch(/^validation accuracy \d+\.\d\d % after 1 epoch in \d+\.\d s\n$/);
    await rm(folder, { recursive: true });
  });
});
