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

interface Link {
  u: Uint8Array;
  next: Link | undefined;
}

/** Of a path longer than 200 parts only the ends are kept, so that all links behind the first 200 have one name. */
test('regions with the same name are told apart, whatever changes in which of them', async (t) => {
  const path = storePath(t);
  const links: Link[] = [];
  for (let index = 300; index > 0; index--) {
    links.unshift({ u: new Uint8Array(5000), next: links[0] });
  }
  const [head] = links as [Link];
  const assertSaved = (restored: Link, what: string) => {
    let link: Link | undefined = restored;
    for (const [index, { u }] of links.entries()) {
      assert.ok(link && Buffer.from(link.u).equals(u), `${what}: link ${index}`);
      link = link.next;
    }
  };
  for (let start = 0; start < 2; start++) {
    await using snap = await Snap.open(path, { capture: 'copy' });
    for (let step = 0; step < 4; step++) {
      for (const index of [150, 250 + step, 299 - 7 * step]) links[index]!.u[step] = 10 * start + step + 1;
      const { id } = await snap.save(head, { durable: true });
      assertSaved(await snap.restore<Link>(id), `save ${step} of start ${start}`);
      links[270]!.u[0]!++;
      links[271]!.u.fill(9);
      await snap.restore(id, { into: head });
      await snap.save(head, { durable: true });
      assertSaved(await snap.restore<Link>(), `into ${step} of start ${start}`);
      assertSaved(await snap.restore<Link>(id), `into ${step} of start ${start}`);
    }
  }
});
