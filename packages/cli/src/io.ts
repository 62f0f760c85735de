/** Where a command writes. Results go to `stdout`; progress and errors to `stderr`. */
export interface Io {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: Pick<NodeJS.WriteStream, "isTTY"> & { write(text: string): unknown };
}
