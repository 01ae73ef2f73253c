/** What went wrong, in a sentence that says what to do; every error that a user sees is one of these. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;
  constructor(message: string, exitCode = 1, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The API refused; `reason` is the Status' reason. */
export class ApiRefusal extends CliError {
  readonly reason: string;
  readonly code: number;
  constructor(message: string, reason: string, code: number) {
    super(message);
    this.reason = reason;
    this.code = code;
  }
}

/** No connection to the agent. */
export function connectError(socketPath: string, cause: unknown): CliError {
  switch ((cause as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
    case 'ENOTDIR':
      return new CliError(
        `no agent answers at ${socketPath}\n` +
          'Start it with "sudo systemctl start roslet" or "sudo roslet run"; ' +
          'if it runs with another --root-dir, give the same one here.',
        1,
        { cause },
      );
    case 'EACCES':
    case 'EPERM':
      return new CliError(
        `permission denied at ${socketPath}\n` +
          'Use sudo, or join the group with "sudo usermod -aG roslet $USER" and log in anew.',
        1,
        { cause },
      );
    case 'ECONNRESET':
    case 'EPIPE':
      return goneError(socketPath, cause);
    default:
      return new CliError(`cannot talk to the agent at ${socketPath}: ${String(cause)}`, 1, { cause });
  }
}

/** The connection ended before the answer did. */
export function goneError(socketPath: string, cause: unknown): CliError {
  return new CliError(`the agent at ${socketPath} went away; pods go on without it`, 1, { cause });
}
