/** A synced file is of no use when the name of it, or of a folder above it, can vanish. */

import { test } from 'node:test';
import { crashPointsOf, survive } from '../support/crash-points.js';
import { Session } from '../support/session.js';
import { diskAfter } from '../support/simulated-disk.js';

const SAVE = { do: 'save', run: 'alpha', edit: 1 } as const;

test('the folders above a new store are durable before the first save is acknowledged', async () => {
  const session = await Session.begin({ seed: 1 });
  await session.perform(SAVE);
  const image = diskAfter(session.disk.image(), 'nothing', 1);
  await Session.begin({ seed: 2, image, model: session.model });
});

test('names that a process left unsynced when it died while creating are made durable by the next', async () => {
  for (const point of await crashPointsOf({ seed: 1 }, [])) {
    const next = await Session.begin({ seed: 2, image: diskAfter(point.image, 'process', 1) });
    await next.perform(SAVE);
    const image = diskAfter(next.disk.image(), 'nothing', 1);
    await Session.begin({ seed: 3, image, model: next.model });
    await survive(point, 'nothing', 3, 2);
  }
});
