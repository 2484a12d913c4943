/**
 * The index damaged under a live owner: saves stay durable, every answer is right, one warning, and no process dies.
 */

import assert from 'node:assert/strict';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Snap } from '../../src/index.js';
import { Answering } from '../support/child.js';
import { temporaryFolder } from '../support/real-store.js';
import type { Examined } from './programs/examine.js';
import type { LiveReport, LiveTask } from './programs/live-index.js';

const folder = temporaryFolder({ inMemory: true });
const original = join(folder, 'original');
const older = join(folder, 'older');

const EARLIER = 6;

/** Several sessions, so that the index has several tables. */
async function makeStore(): Promise<void> {
  for (let session = 0; session < 3; session++) {
    await using snap = await Snap.open(original, { run: `run${session}` });
    for (let n = 0; n < EARLIER / 3; n++) {
      await snap.save({ session, n, u: new Float64Array(50_000).fill(n + session / 10) }, { tag: `s${n}` });
    }
    await snap.close();
    if (session === 1) cpSync(join(original, 'index'), older, { recursive: true });
  }
}

const HARMLESS = new Set([
  'nothing: done',
  'LOCK: deleted',
  'LOG: deleted',
  'LOG: garbled',
  'log: deleted',
  'log: zeroed',
  'log: garbled',
  'log: emptied',
  'manifest: longer',
]);

const HARMS = [
  ...HARMLESS,
  ...['deleted', 'moved away', 'overwritten with an older copy'].map((way) => `folder: ${way}`),
  ...['the tables', 'everything'].flatMap((what) =>
    ['deleted', 'cut off', 'zeroed'].map((way) => `${what}: ${way}`),
  ),
  ...['a table', 'manifest', 'CURRENT'].flatMap((what) =>
    ['deleted', 'cut off', 'emptied', 'zeroed', 'garbled', 'replaced'].map((way) => `${what}: ${way}`),
  ),
];

const owner = new Answering<LiveTask, LiveReport>('live-index');
const examiner = new Answering<string, Examined>('examine');

test('the index harmed under a live owner: nothing fails, nothing is lost, and one warning says so', async (t) => {
  await makeStore();
  assert.ok(readdirSync(join(original, 'index')).filter((name) => name.endsWith('.ldb')).length > 1);
  for (const harm of HARMS) {
    const store = join(folder, 'store');
    rmSync(store, { recursive: true, force: true });
    cpSync(original, store, { recursive: true });
    const report = await owner.ask({ store, harm, older }, harm);
    assert.deepEqual(report.errors, [], harm);
    assert.equal(report.durable.length, 8, harm);
    assert.equal(report.listed, EARLIER + 8, harm);
    assert.equal(report.warnings.length, HARMLESS.has(harm) ? 0 : 1, `${harm}: ${report.warnings.join()}`);

    const found = await examiner.ask(store, harm);
    assert.equal(Object.keys(found.snapshots).length, EARLIER + 8, harm);
    for (const [, id] of report.durable) assert.ok(id in found.snapshots, harm);
    assert.deepEqual(found.tags, report.tags, harm);
    assert.deepEqual(found.warnings, [], harm);
    rmSync(join(store, 'index'), { recursive: true });
    assert.deepEqual(await examiner.ask(store, harm), found, `${harm}: the index is not what the packs say`);
  }
  t.diagnostic(`${HARMS.length} harms`);
});
