/** How things are stored never changes what is restored, and an index made anew is the one that was lost. */

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { SnapshotId } from '../../src/base/ids.js';
import { realIo } from '../../src/io/real.js';
import { openLevel } from '../../src/store/key-values.js';
import { replayable, seeds } from '../support/budget.js';
import { crashPointsOf } from '../support/crash-points.js';
import { dumpOf, SeenIndex } from '../support/index-dump.js';
import { DEEP, edited, freshContent, generateProgram, MANY, SMALL } from '../support/program.js';
import { Random } from '../support/random.js';
import { openReal, temporaryFolder } from '../support/real-store.js';
import { NO_LINEAGE, putSnapshot, readSnapshot } from '../support/saved.js';
import { Session, type SessionOptions } from '../support/session.js';
import { diskAfter } from '../support/simulated-disk.js';

const VARIANTS: Partial<SessionOptions>[] = [
  {},
  { compression: false },
  { compression: { level: 19 } },
  { packBytes: 500 },
  { packBytes: 1_000_000, stagingBytes: 1_000_000 },
  { stagingBytes: 96 },
  { chunkBytes: 16 },
  { chunkBytes: 4096 },
];

/** Everything that a store holds, as one value. */
async function everything({ store }: Session): Promise<unknown> {
  const snapshots: unknown[] = [];
  for await (const summary of store.summaries()) {
    const { id, run, step, forgotten } = summary;
    const content = [...readSnapshot(store, summary)].sort(([a], [b]) => (a < b ? -1 : 1));
    snapshots.push({
      id,
      run,
      step,
      forgotten,
      content: content.map(([path, bytes]) => [path, bytes.toString('hex')]),
    });
  }
  const tags: unknown[] = [];
  for await (const tag of store.tags()) tags.push(tag);
  return { snapshots, tags };
}

test('compression, sizes of packs, chunks and writes change nothing that is restored', async () => {
  for (const seed of seeds(8)) {
    await replayable(seed, 'metamorphic', async () => {
      const random = new Random(seed);
      const shape = random.pick([SMALL, SMALL, MANY, DEEP]);
      const program = generateProgram(random, 8);
      let expected: unknown;
      for (const variant of VARIANTS) {
        const session = await Session.begin({ seed, shape, ...variant });
        await session.run(program);
        await session.perform({ do: 'reopen' });
        const actual = await everything(session);
        expected ??= actual;
        assert.deepEqual(actual, expected, JSON.stringify(variant));
        await session.close();
      }
    });
  }
});

test('an index made anew equals the one that was lost, key by key', async () => {
  for (const seed of seeds(40)) {
    await replayable(seed, 'a rebuilt index', async () => {
      const random = new Random(seed);
      const options = {
        seed,
        shape: random.pick([SMALL, SMALL, MANY, DEEP]),
        packBytes: random.pick([1000, 5000, 1_000_000]),
        compression: false,
      } as const;
      const live = new SeenIndex();
      const session = await Session.begin({ ...options, indexValues: live.next });
      await session.run(generateProgram(random, 10).filter((action) => action.do !== 'reopen'));
      await session.close();
      const rebuilt = new SeenIndex();
      const image = session.disk.image();
      const next = await Session.begin({
        ...options,
        image,
        model: session.model,
        indexValues: rebuilt.next,
      });
      await next.close();
      assert.deepEqual(await rebuilt.dump(), await live.dump());
    });
  }
});

test('an index made after a crash equals the one that is made again after it', async () => {
  for (const seed of seeds(15)) {
    await replayable(seed, 'an index after a crash', async () => {
      const random = new Random(seed);
      const options = { packBytes: 1500, stagingBytes: 300, chunkBytes: 64, compression: false } as const;
      const points = await crashPointsOf({ ...options, seed }, generateProgram(random, 5));
      for (const point of points.filter(() => random.chance(0.2))) {
        const image = diskAfter(point.image, 'torn', random.below(1000));
        const first = new SeenIndex();
        const session = await Session.begin({
          ...options,
          seed: 1000,
          image,
          model: point.model,
          indexValues: first.next,
        });
        await session.perform({ do: 'save', run: 'alpha', edit: 3 });
        await session.close();
        const second = new SeenIndex();
        const again = { image: session.disk.image(), model: session.model, indexValues: second.next };
        await (await Session.begin({ ...options, seed: 1001, ...again })).close();
        assert.deepEqual(await second.dump(), await first.dump(), point.where);
      }
    });
  }
});

test('a LevelDB made anew equals the one that was lost, key by key', async () => {
  for (const seed of seeds(3)) {
    const random = new Random(seed);
    const directory = join(temporaryFolder(), 'store');
    const options = { packBytes: 4000, compression: { level: 1 } } as const;
    const { store } = await openReal(directory, options);
    let content = freshContent(SMALL, random);
    let lineage = NO_LINEAGE;
    for (let step = 0; step < 12; step++) {
      content = edited(content, random.below(1e9));
      store.begin();
      const id = random.bytes(16).toString('hex') as SnapshotId;
      lineage = await putSnapshot(store, { id, run: 'alpha', content }, lineage, 64, step);
      if (step % 3 === 0) store.putTag(`tag${step % 2}`, step % 4 === 0 ? id : undefined);
      if (step % 5 === 4) store.putForget(id, true);
      store.putTiming(id, step);
      await store.commit();
    }
    await store.close();
    const index = join(directory, 'index');
    const dump = async () => {
      const values = await openLevel(realIo, index, false);
      const result = await dumpOf(values);
      await values.close();
      return result;
    };
    const live = await dump();
    rmSync(index, { recursive: true });
    await (await openReal(directory, options)).store.close();
    assert.ok(live.size > 30);
    assert.deepEqual(await dump(), live);
  }
});
