/** `thalweg train`. */
import { manualSeed, useBackend } from "@thalweg/core";
import { optimizers } from "@thalweg/core/optim";
import { crossEntropy } from "@thalweg/nn";
import { datasetSize, type EpochResult, fit } from "@thalweg/train";
import Table from "cli-table3";
import { startBackend } from "./backends.ts";
import type { Io } from "./io.ts";
import { defaultEpochs, type ModelName, makeModel } from "./models.ts";
import { progress } from "./progress.ts";
import { loadTrainData, type TrainData } from "./trainData.ts";

type OptimizerName = keyof typeof optimizers;

/** Rates that suit these small networks. */
const learningRates: Readonly<Record<OptimizerName, number>> = { sgd: 0.1, adam: 1e-3, adamW: 1e-3 };

export interface TrainOptions {
  model: ModelName;
  data?: string;
  backend: string;
  optimizer: OptimizerName;
  lr?: number;
  epochs?: number;
  batchSize: number;
  seed: number;
  json: boolean;
}

/** What `--json` prints. Accuracies are between 0 and 1; seconds are those of the epochs, data and set-up not counted. */
export interface TrainReport {
  model: string;
  optimizer: string;
  backend: string;
  /** Numbers in the trained parameters. */
  parameters: number;
  epochs: EpochResult[];
  validationAccuracy: number;
  seconds: number;
}

/** Trains, and prints the outcome. Throws DataError and UnavailableError. */
export async function train(options: TrainOptions, io: Io): Promise<void> {
  const data = await loadTrainData(options.data);
  const backend = await startBackend(options.backend);
  useBackend(backend);
  manualSeed(options.seed);
  const model = makeModel(options.model);
  const optimizer = optimizers[options.optimizer](model.parameters(), {
    lr: options.lr ?? learningRates[options.optimizer],
  });
  const parameters = optimizer.parameters.reduce((sum, parameter) => sum + parameter.size, 0);
  const epochs = options.epochs ?? defaultEpochs[options.model];
  io.stderr.write(`${header(options, data, parameters, optimizer.lr, backend.description)}\n`);
  const { stop, ...callbacks } = progress(io.stderr, epochs);
  const results = await fit(model, optimizer, {
    data,
    loss: crossEntropy,
    epochs,
    batchSize: options.batchSize,
    ...callbacks,
  }).finally(stop);
  const report: TrainReport = {
    model: options.model,
    optimizer: options.optimizer,
    backend: options.backend,
    parameters,
    epochs: results,
    validationAccuracy: (results.at(-1) as EpochResult).validationAccuracy,
    seconds: results.reduce((sum, { seconds }) => sum + seconds, 0),
  };
  io.stdout.write(options.json ? `${JSON.stringify(report)}\n` : `${summaryLine(report)}\n`);
  backend.dispose();
}

function header(
  { model, optimizer, backend, batchSize }: TrainOptions,
  data: TrainData,
  parameters: number,
  lr: number,
  description: string,
): string {
  const count = (n: number) => n.toLocaleString("en");
  const table = new Table({ style: { head: [], border: [] } });
  table.push(
    { model: `${model}, ${count(parameters)} parameters` },
    {
      data: `${data.source}: ${count(datasetSize(data.train))} to train on, ${count(datasetSize(data.validation))} to validate`,
    },
    { optimizer: `${optimizer}, learning rate ${lr}, batches of ${batchSize}` },
    { backend: `${backend} (${description})` },
  );
  return table.toString();
}

const summaryLine = ({ validationAccuracy, epochs, seconds }: TrainReport): string =>
  `validation accuracy ${(100 * validationAccuracy).toFixed(2)} % after ${epochs.length} epoch${epochs.length === 1 ? "" : "s"} in ${seconds.toFixed(1)} s`;
