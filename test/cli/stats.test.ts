import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Snap } from '../../src/index.js';
import { document, type Made, makeStore, scratch, snap } from './support.js';

let made: Made;
const folder = scratch({ after });
before(async () => {
  made = await makeStore(join(folder, 'store'));
});

interface Stats extends Record<string, unknown> {
  logicalBytes: number;
  changedBytes: number;
  storedBytes: number;
  runs: Record<string, number | string>[];
}

test('stats --json: exact sums, and the ratios between them', () => {
  const stats = document<Stats>(snap(['--store', made.directory, 'stats', '--json']));
  assert.equal(stats.store, made.directory);
  assert.equal(stats.format, 1);
  assert.match(String(stats.uuid), /^[0-9a-f]{32}$/);
  assert.deepEqual([stats.snapshots, stats.forgotten, stats.tags, stats.packs], [6, 0, 1, 1]);
  assert.ok((stats.packBytes as number) > 0 && (stats.indexBytes as number) > 0);
  assert.equal(stats.incrementalRatio, stats.logicalBytes / stats.changedBytes);
  assert.equal(stats.storingRatio, stats.changedBytes / stats.storedBytes);
  assert.equal(stats.totalRatio, stats.logicalBytes / stats.storedBytes);
  assert.equal(stats.storedBytesPerSnapshot, stats.storedBytes / 6);
  assert.deepEqual(
    stats.runs.map(({ run, snapshots, newest }) => [run, snapshots, newest]),
    [
      ['fine', 2, made.ids['fine/100']],
      ['heat', 4, made.ids['heat/300']],
    ],
  );
  for (const key of ['logicalBytes', 'changedBytes', 'storedBytes'] as const) {
    assert.equal(
      stats.runs.reduce((sum, run) => sum + Number(run[key]), 0),
      stats[key],
    );
  }
});

test('stats tells the same to people', () => {
  const { status, stdout, stderr } = snap(['--store', made.directory, 'stats']);
  assert.deepEqual([status, stderr], [0, '']);
  assert.ok(stdout.startsWith(`store      ${made.directory}\n`));
  assert.match(stdout, /^snapshots {2}6; 1 tag$/m);
  assert.match(stdout, /^stored +[\d.]+ KiB: [\d.]+ x less than what changed$/m);
  assert.match(stdout, /^run +snapshots +newest +states +changed +stored +stored each$/m);
  assert.match(stdout, /^heat +4 /m);
});

test('an empty store has no ratios', async (t) => {
  const directory = join(scratch(t), 'store');
  await (await Snap.open(directory)).close();
  const stats = document<Stats>(snap(['--store', directory, 'stats', '--json']));
  assert.deepEqual([stats.totalRatio, stats.storedBytesPerSnapshot, stats.runs], [null, null, []]);
  assert.equal(snap(['--store', directory, 'stats']).status, 0);
});

test('stats --regions: what each region takes, by run; together what the snapshots take', async () => {
  const { regions } = document<{ regions: { run: string; path: string | null; storedBytes: number }[] }>(
    snap(['--store', made.directory, 'stats', '--regions', '--json']),
  );
  await using reader = await Snap.open(made.directory, { readOnly: true });
  for (const run of ['fine', 'heat']) {
    const listed = (await reader.info(made.ids[`${run}/100`] ?? '')).regions.map(({ path }) => path);
    const paths = regions.filter((region) => region.run === run).map(({ path }) => path);
    assert.deepEqual(new Set(paths), new Set([null, ...listed]), 'what is in no region has no path');
  }
  const sizes = regions.map(({ storedBytes }) => storedBytes);
  const { packBytes, storedBytes } = await reader.stats();
  const sum = sizes.reduce((total, size) => total + size, 0);
  assert.ok(sum <= packBytes && sum > storedBytes / 2, `${sum} of ${storedBytes}`);
  const { stdout } = snap(['--store', made.directory, 'stats', '--regions']);
  const table = stdout.slice(stdout.indexOf('run   region'));
  assert.ok(table.split('\n').length > regions.length && table.includes('(the rest)'), stdout);
});
