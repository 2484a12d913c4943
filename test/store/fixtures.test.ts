/** Stores that every released format wrote open for ever, for writing and for reading, with and without their index. */

import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { Snap, type SnapshotInfo } from '../../src/index.js';
import { changingState, fixtureState, growingState, Particle } from '../fixtures/state.js';
import { temporaryFolder } from '../support/real-store.js';

const FIXTURES = resolve('test/fixtures/format-v1');
const LISTED: Record<string, string[]> = {
  clean: [
    'second 102',
    'second 101',
    'second 100',
    'first 13',
    'first 11',
    'first 10',
    'first 9',
    'first 8',
    'first 7',
    'first 3',
  ],
  killed: ['first 7', 'first 6', 'first 5', 'first 4', 'first 3', 'first 2', 'first 1', 'first 0'],
  raw: ['first 2', 'first 1', 'first 0'],
  differences: ['first 9', 'first 8', 'first 7', 'first 6', 'first 5', 'first 4'],
  insertions: ['first 9', 'first 8', 'first 7', 'first 6', 'first 5', 'first 4'],
};
const TAGS: Record<string, string[]> = { clean: ['kept 3', 'late-13 13'] };
const STATES: Record<string, (step: number) => unknown> = {
  differences: changingState,
  insertions: growingState,
};

const WAYS: Record<string, { readOnly: boolean; withoutIndex: boolean }> = {
  'as it is': { readOnly: false, withoutIndex: false },
  'without its index': { readOnly: false, withoutIndex: true },
  'for reading': { readOnly: true, withoutIndex: false },
};

test('there is a fixture of every kind, and nothing else', () => {
  const names = readdirSync(FIXTURES).filter((name) => name !== 'README.md');
  assert.deepEqual(names.sort(), Object.keys(LISTED).sort());
});

for (const [name, listed] of Object.entries(LISTED)) {
  for (const [way, { readOnly, withoutIndex }] of Object.entries(WAYS)) {
    test(`format 1, ${name}, ${way}`, async () => {
      const path = join(temporaryFolder(), name);
      const stateOf = STATES[name] ?? fixtureState;
      cpSync(join(FIXTURES, name), path, { recursive: true });
      if (withoutIndex) rmSync(join(path, 'index'), { recursive: true, force: true });
      const snap = await Snap.open(path, { create: false, readOnly, classes: [Particle], run: 'first' });
      const infos: SnapshotInfo[] = [];
      for await (const info of snap.list()) infos.push(info);
      assert.deepEqual(
        infos.map(({ run, step }) => `${run} ${step}`),
        listed,
      );
      for (const { id, step, meta } of infos) {
        assert.deepEqual(await snap.restore(id), stateOf(step as number));
        assert.deepEqual(meta, { step });
      }
      const tags = [...(await snap.tags())].map(
        ([tag, id]) => `${tag} ${infos.find((info) => info.id === id)?.step}`,
      );
      assert.deepEqual(tags.sort(), TAGS[name] ?? []);
      assert.ok((await snap.verify({ readData: true })).ok);
      if (!readOnly) {
        await snap.save(stateOf(200), { step: 200, durable: true });
        assert.deepEqual(await snap.restore({ step: 200 }), stateOf(200));
      }
      await snap.close();
      if (readOnly) assert.ok(!existsSync(join(path, 'reserve')), 'a reader writes nothing');
    });
  }
}
