/** `thalweg train`. */
import { manualSeed, useBackend } from "@thalweg/core";
import { type AnyNamedOptimizer, type optimizers, optimizersByName } from "@thalweg/core/optim";
import { crossEntropy } from "@thalweg/nn";
import { datasetSize, type EpochResult, fit, Loader } from "@thalweg/train";
import Table from "cli-table3";
import { backendOptions, chooseBackend, describe, startBackend } from "./backends.ts";
import type { Io } from "./io.ts";
import { defaultEpochs, type ModelName, makeModel } from "./models.ts";
import { progress } from "./progress.ts";
import { loadTrainData, type TrainData } from "./trainData.ts";

type OptimizerName = keyof typeof optimizers;

/** First learning rates that suit these small networks; they fall to 0 along half a cosine, which ends on steady ground. */
const learningRates: Readonly<Record<OptimizerName, number>> = {
  adaBelief: 2e-3,
  adadelta: 1,
  adafactor: 0.02,
  adagrad: 0.02,
  adam: 2e-3,
  adamax: 4e-3,
  adamMini: 2e-3,
  adamW: 2e-3,
  adan: 4e-3,
  adEMAMix: 1e-3,
  asgd: 0.1,
  cautiousAdamW: 2e-3,
  cautiousLion: 2e-4,
  dAdaptAdam: 0.1,
  grams: 2e-3,
  lamb: 0.01,
  lars: 0.1,
  lion: 2e-4,
  mars: 3e-3,
  muon: 0.02,
  nadam: 2e-3,
  novoGrad: 0.02,
  prodigy: 1,
  radam: 2e-3,
  rmsprop: 1e-3,
  rprop: 1e-4,
  scheduleFreeAdamW: 2.5e-3,
  scheduleFreeSgd: 1,
  sgd: 0.1,
  shampoo: 0.05,
  signSgd: 2e-4,
  signum: 2e-4,
  sm3: 0.1,
  soap: 3e-3,
  sophiaG: 2e-4,
  sparseAdam: 2e-3,
  yogi: 0.01,
};

export interface TrainOptions {
  model: ModelName;
  data?: string;
  /** Default: see `chooseBackend`. */
  backend?: string;
  threads?: number;
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
  const backendName = await chooseBackend(options.backend, io);
  const backend = await startBackend(backendName, backendOptions(options));
  useBackend(backend);
  manualSeed(options.seed);
  const model = makeModel(options.model);
  const epochs = options.epochs ?? defaultEpochs[options.model];
  const { batchSize } = options;
  const steps = epochs * new Loader(data.train, { batchSize, dropLast: true }).batches;
  const lr = options.lr ?? learningRates[options.optimizer];
  const optimizer = (optimizersByName[options.optimizer] as AnyNamedOptimizer)(model.parameters(), {
    lr: cosine(lr, steps),
  });
  const parameters = optimizer.parameters.reduce((sum, parameter) => sum + parameter.size, 0);
  io.stderr.write(`${header(options, data, parameters, lr, `${backendName} (${describe(backend)})`)}\n`);
  const { stop, ...callbacks } = progress(io.stderr, epochs);
  const results = await fit(model, optimizer, {
    data,
    loss: crossEntropy,
    epochs,
    batchSize,
    ...callbacks,
  }).finally(stop);
  const report: TrainReport = {
    model: options.model,
    optimizer: options.optimizer,
    backend: backendName,
    parameters,
    epochs: results,
    validationAccuracy: (results.at(-1) as EpochResult).validationAccuracy,
    seconds: results.reduce((sum, { seconds }) => sum + seconds, 0),
  };
  io.stdout.write(options.json ? `${JSON.stringify(report)}\n` : `${summaryLine(report)}\n`);
  backend.dispose();
}

/** From `first` to 0 over `steps` updates, along half a cosine. */
const cosine =
  (first: number, steps: number) =>
  (step: number): number =>
    (first / 2) * (1 + Math.cos((Math.PI * Math.min(step, steps)) / steps));

function header(
  { model, optimizer, batchSize }: TrainOptions,
  data: TrainData,
  parameters: number,
  lr: number,
  backend: string,
): string {
  const count = (n: number) => n.toLocaleString("en");
  const table = new Table({ style: { head: [], border: [] } });
  table.push(
    { model: `${model}, ${count(parameters)} parameters` },
    {
      data: `${data.source}: ${count(datasetSize(data.train))} to train on, ${count(datasetSize(data.validation))} to validate`,
    },
    { optimizer: `${optimizer}, learning rate ${lr} falling to 0, batches of ${batchSize}` },
    { backend },
  );
  return table.toString();
}

const summaryLine = ({ validationAccuracy, epochs, seconds }: TrainReport): string =>
  `validation accuracy ${(100 * validationAccuracy).toFixed(2)} % after ${epochs.length} epoch${epochs.length === 1 ? "" : "s"} in ${seconds.toFixed(1)} s`;
