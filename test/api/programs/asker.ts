/** Tags the newest snapshot of a store over and over, each time as a command would: opens, asks or owns, closes. */
import { ASK_OWNER } from '../../../src/api/options.js';
import { Snap } from '../../../src/index.js';

const [, , path, name, rounds] = process.argv as [string, string, string, string, string];
for (let round = 0; round < Number(rounds); round++) {
  const snap = await Snap.open(path, { create: false, run: 'main', [ASK_OWNER]: true });
  await snap.tag(`${name}-${round}`, 'latest');
  if (!(await snap.tags()).has(`${name}-${round}`)) throw new Error('it was not tagged');
  await snap.close();
}
