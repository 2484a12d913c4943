/** Loaded before an example (`--import`): tells the process that started it which steps were captured, and are durable. */

import { subscribe } from 'node:diagnostics_channel';

export interface Report {
  event: 'captured' | 'durable';
  run: string;
  step: number;
}

function report(event: Report['event'], run: string, step: number | undefined): void {
  if (step !== undefined) process.send?.({ event, run, step } satisfies Report);
}

subscribe('holdfast:save:captured', (message) => {
  const { run, step } = message as { run: string; step?: number };
  report('captured', run, step);
});
subscribe('holdfast:save:durable', (message) => {
  const { info } = message as { info: { run: string; step?: number } };
  report('durable', info.run, info.step);
});
