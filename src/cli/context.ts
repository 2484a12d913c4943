/** What an invocation hands to its command. */

import type { ExitStatus } from './exit-status.js';
import type { Environment } from './failure.js';
import type { Output } from './output.js';
import type { Warnings } from './warnings.js';

/** The world around an invocation. */
export interface World {
  output: Output;
  env: Environment;
  currentFolder(): string;
  /** Aborted when the user interrupts. */
  signal: AbortSignal;
}

export interface Context extends World {
  /** JSON instead of text: one document, or lines of it for long work. */
  json: boolean;
  warnings: Warnings;
  /** `--store`. */
  store: string | undefined;
}

/** A command's work; damage that is only warned of adds to its status by itself. */
export type Work = (context: Context) => Promise<ExitStatus>;

/** Does a command's work for the program that parsed it. */
export type Perform = (work: Work) => Promise<void>;
