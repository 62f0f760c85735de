/** `Status` of device/status.cuh, as bytes. */
export const statusBytes = 32;

/** Where the number of the Program is. */
export const statusProgram = 4;

export interface Failure {
  readonly program: number;
  readonly index: bigint;
  readonly size: bigint;
}

/** What a status that was read back says, if it says that an index was out of range. */
export function readFailure(bytes: Uint8Array): Failure | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, statusBytes);
  if (view.getInt32(0, true) === 0) return undefined;
  return {
    program: view.getInt32(statusProgram, true),
    index: view.getBigInt64(8, true),
    size: view.getBigInt64(16, true),
  };
}

/** A status as runs begin with it, but for the Program. `first`: address of the backend's own. */
export function writeStatus(view: DataView, at: number, first: number): void {
  view.setBigInt64(at, 0n, true);
  view.setBigInt64(at + 8, 0n, true);
  view.setBigInt64(at + 16, 0n, true);
  view.setBigInt64(at + 24, BigInt(first), true);
}
