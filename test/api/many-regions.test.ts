import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { INTERNALS } from '../../src/api/options.js';
import { Snap } from '../../src/index.js';
import { storePath } from './support.js';

const REGIONS = 1000;

test('restoring many regions reads each once, and not the list of all of them for each', async (t) => {
  const path = storePath(t);
  const parts = Array.from({ length: REGIONS }, (_, index) => ({ u: new Float32Array(300).fill(index) }));
  {
    await using snap = await Snap.open(path, { compression: false });
    await snap.save({ parts }, { durable: true });
  }
  const snap = await Snap.open(path, {
    readOnly: true,
    [INTERNALS]: { ioModule: new URL('./counting-io.js', import.meta.url).href },
  });
  const restored = await snap.restore<{ parts: { u: Float32Array }[] }>();
  await snap.close();
  assert.deepEqual(restored.parts.at(-1)?.u, parts.at(-1)?.u);
  const reads = Number(readFileSync(`${path}.reads`, 'utf8'));
  assert.ok(reads >= REGIONS, `${reads} reads are fewer than regions: they were not counted`);
  assert.ok(reads < 5 * REGIONS, `${reads} reads for ${REGIONS} regions`);
});
