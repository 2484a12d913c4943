#!/usr/bin/env node
/**
 * The `snap` command: from the process to an invocation and back. Everything else is told, and can be tested,
 * apart from the process.
 *
 * Invariants
 *  - the status is left in process.exitCode: the process ends by itself once the store is let go
 *  - a second signal ends it at once
 */

import { reportFailure } from './failure.js';
import { interruptSignal } from './interrupts.js';
import { Output } from './output.js';
import { run } from './run.js';

const output = new Output(process.stdout, process.stderr, process.env);

// What gets here is a bug of ours; it still ends in one line and a status.
process.on('uncaughtException', (error) => {
  process.exitCode = reportFailure(error, output, process.env);
});

const status = await run(process.argv.slice(2), {
  output,
  env: process.env,
  currentFolder: () => process.cwd(),
  signal: interruptSignal(process),
});
// Output that could not be written has already set a status of its own.
if (status !== 0) process.exitCode = status;
