/** Errors that only a command line has. */

/** The words of the command line are wrong; nothing was done. `usage` says how they go. */
export class UsageError extends Error {
  readonly usage: string | undefined;

  constructor(message: string, usage?: string) {
    super(message);
    this.usage = usage;
  }
}

/** No store where one was looked for; a snapshot that is not in a store is another matter. */
export class NoStoreError extends Error {}
