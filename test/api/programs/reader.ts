/** A reader in a process of its own: restores the steps it is sent, and tells what became of them. */

import { createHash } from 'node:crypto';
import { Snap } from '../../../src/index.js';

const reader = await Snap.open(process.argv[2] as string, { readOnly: true });

/** Hash of the grid of a step, or the code of the error. */
async function look(step: number): Promise<string> {
  try {
    const { grid } = await reader.restore<{ grid: Float64Array }>({ step });
    return createHash('sha256').update(new Uint8Array(grid.buffer)).digest('hex');
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

process.on('message', async (message: number[] | 'verify' | 'end') => {
  if (message === 'end') {
    await reader.close();
    process.disconnect();
  } else if (message === 'verify') {
    process.send?.(await reader.verify({ readData: true }));
  } else {
    process.send?.(await Promise.all(message.map(look)));
  }
});
process.send?.('ready');
