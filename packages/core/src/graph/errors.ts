/**
 * The typed errors of Thalweg. Every error names the operation or option that was called, what it was given and what
 * it expected, so that a message alone is enough to find the line to mend.
 */
export class ThalwegError extends Error {
  /** Operation, option or file the error is about, e.g. `matmul`. */
  readonly subject: string;

  constructor(subject: string, message: string, options?: ErrorOptions) {
    super(`${subject}: ${message}`, options);
    this.name = new.target.name;
    this.subject = subject;
  }
}

/** Shapes, axes or sizes that do not fit together. */
export class ShapeError extends ThalwegError {}

/** A dtype that an operation or a backend does not take. */
export class DTypeError extends ThalwegError {}

/** An argument or option outside what it may be. */
export class ArgumentError extends ThalwegError {}

/** A differentiation that has no answer: non-scalar loss, independent parameter, integer variable. */
export class AutodiffError extends ThalwegError {}

/** An index outside its axis, found while a kernel ran. */
export class IndexError extends ThalwegError {}

/** A NaN or an infinity where it was asked to be an error. */
export class NonFiniteError extends ThalwegError {}

/** A backend that is missing, disposed, or cannot do what was asked. */
export class BackendError extends ThalwegError {}

/** A tensor or parameter used after it was disposed, or after the parameter it was built from was updated. */
export class LifetimeError extends ThalwegError {}

/** A Program that breaks the rules of the Program format. */
export class ProgramError extends ThalwegError {}
