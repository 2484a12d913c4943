/** A process beside the one that is killed: looks at the newest snapshot whenever it is told to, without a lock. */

import { Snap } from '../index.js';
import { onDamage } from './oracle.js';
import { isWhole, type Tortured } from './state.js';

export type Look = { step: number | undefined } | { wrong: string };

const [, , path] = process.argv as [string, string, string];

let damage: string | undefined;
onDamage((_, message) => {
  damage ??= `a reader: ${message}`;
});

async function look(): Promise<Look> {
  try {
    await using snap = await Snap.open(path, { readOnly: true });
    const state = await snap.restore<Tortured>();
    if (damage) return { wrong: damage };
    return isWhole(state)
      ? { step: state.step }
      : { wrong: `a reader saw a torn state at step ${state.step}` };
  } catch (error) {
    // The first child may have been killed before there was anything.
    const { code } = error as { code?: string };
    return code === 'SNAP_NOT_FOUND' ? { step: undefined } : { wrong: `a reader failed: ${String(error)}` };
  }
}

process.on('message', async () => process.send?.(await look()));
