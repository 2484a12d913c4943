/** Signals of the system, and the end of this process by one. */

import { constants } from 'node:os';

/** These end or stop a process whatever it wants. */
const NEVER_HEARD: ReadonlySet<string> = new Set(['SIGKILL', 'SIGSTOP']);

/** True for the name of a signal that a program of this system can listen to. */
export function canBeHeard(name: unknown): name is NodeJS.Signals {
  return typeof name === 'string' && name in constants.signals && !NEVER_HEARD.has(name);
}

export function listen(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): void {
  process.on(signal, listener);
}

export function unlisten(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): void {
  process.off(signal, listener);
}

/** Ends the process in order, with the status by which shells and schedulers know a signal: 128 + n. */
export function exitBySignal(signal: NodeJS.Signals): never {
  process.exit(128 + constants.signals[signal]);
}

/** Ends the process at once, as the signal itself would have. */
export function dieBySignal(signal: NodeJS.Signals): never {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // The first process of a container is not ended by signals that it does not listen to.
  return exitBySignal(signal);
}
