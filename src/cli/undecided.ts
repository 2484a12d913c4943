/** For commands in which status 1 is an answer: what keeps them from answering ends in another one. */

import type { Context } from './context.js';
import { ExitStatus } from './exit-status.js';
import { reportFailure } from './failure.js';

export async function undecided(
  { output, env }: Context,
  work: () => Promise<ExitStatus>,
): Promise<ExitStatus> {
  try {
    return await work();
  } catch (error) {
    const status = reportFailure(error, output, env);
    return status === ExitStatus.failed ? ExitStatus.undecided : status;
  }
}
