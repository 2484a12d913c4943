/** From signals to an AbortSignal: the first asks a command to stop where it can, the second ends the process. */

import { ExitStatus } from './exit-status.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function interruptSignal(source: NodeJS.Process): AbortSignal {
  const controller = new AbortController();
  for (const name of SIGNALS) {
    source.on(name, () => {
      if (controller.signal.aborted) source.exit(ExitStatus.interrupted);
      controller.abort();
    });
  }
  return controller.signal;
}
