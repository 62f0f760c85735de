import { generateDigits, type Split, sliceDataset, standardize } from "@thalweg/train";
import { readMnist } from "@thalweg/train/node";

/** Sizes of the generated data set: enough for an MLP to pass 97 %, seconds to train on. */
const generated = { train: 6000, validation: 1000 };

export interface TrainData extends Split {
  /** Where it comes from. */
  readonly source: string;
}

/** The data set in `folder`, else the generated one (always the same); standardised. Throws DataError. */
export async function loadTrainData(folder: string | undefined): Promise<TrainData> {
  if (folder !== undefined) return { ...standardize(await readMnist(folder)), source: folder };
  const count = generated.train + generated.validation;
  const digits = generateDigits({ count });
  const train = sliceDataset(digits, 0, generated.train);
  const validation = sliceDataset(digits, generated.train, count);
  return { ...standardize({ train, validation }), source: "generated digits" };
}
