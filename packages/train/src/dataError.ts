import { ThalwegError } from "@thalweg/core";

/** A data file that cannot be used. `subject` is the file, the message what is wrong with it. */
export class DataError extends ThalwegError {}
