/**
 * Space: a run of 50 snapshots of each of eight simulations, as holdfast, restic, borg (zstd,3), zstd -3 of each file
 * and h5py (a file each, gzip 1 and shuffled) store them. Bytes of all files of each store, in the end.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Snap } from 'holdfast';
import { archivers } from './archivers.js';
import { hdf5Savers, WAYS } from './hdf5.js';
import { SYSTEMS } from './physics.js';
import { Absent, folderBytes, scratch, writeResult } from './support.js';

const SNAPSHOTS = Number(process.env.SNAPSHOTS ?? 50);
const TYPES = { Float64Array: 'f8', Float32Array: 'f4' };
const MiB = 2 ** 20;
const folder = scratch();
const absent = new Absent();
const compressed = WAYS.filter(({ gzip }) => gzip);

const rows = [];
const versions = {};
for (const make of SYSTEMS) {
  const system = make();
  const place = join(folder, system.name.replaceAll(' ', '-'));
  mkdirSync(place);
  const file = join(place, 'state');
  const arrays = Object.entries(system.state).map(([name, array]) => [
    name,
    TYPES[array.constructor.name],
    array.length,
  ]);
  const snap = await Snap.open(join(place, 'holdfast'), { run: 'space' });
  const rivals = [...archivers(place, file, absent), ...hdf5Savers(place, file, arrays, absent, compressed)];
  let logical = 0;
  for (let snapshot = 0; snapshot < SNAPSHOTS; snapshot++) {
    for (let step = 0; step < system.stepsEach; step++) system.advance();
    await snap.save(system.state, { durable: true });
    const parts = Object.values(system.state).map(({ buffer }) => Buffer.from(buffer));
    writeFileSync(file, Buffer.concat(parts));
    logical += parts.reduce((sum, { length }) => sum + length, 0);
    for (const { save } of rivals) await save(snapshot);
  }
  await snap.close();
  const bytes = { holdfast: folderBytes(join(place, 'holdfast')) };
  for (const { name, version, bytes: stored, close } of rivals) {
    bytes[name] = stored();
    versions[name] = version;
    close?.();
  }
  rows.push({ name: system.name, logical, bytes });
  const show = Object.entries(bytes).map(([name, size]) => [name, (size / MiB).toFixed(1)]);
  console.log(system.name, (logical / MiB).toFixed(1), 'MiB saved:', Object.fromEntries(show));
}
absent.print();
const share = (bytes, logical) => `${((100 * bytes) / logical).toFixed(1)} %`;
const targets = rows.flatMap(({ name, logical, bytes: { holdfast, ...others } }) => {
  const named = Object.entries(others).filter(([rival]) => ['restic', 'borg', 'zstd -3'].includes(rival));
  if (named.length === 0) return [];
  const [best, least] = named.sort((a, b) => a[1] - b[1])[0];
  return {
    target: 12,
    of: name,
    floor: `${best} ${share(least, logical)} of the states`,
    figure: share(holdfast, logical),
    ratio: `${(holdfast / least).toFixed(2)} x`,
    limit: 'below 1 x',
    met: holdfast < least,
  };
});
writeResult('space', { snapshots: SNAPSHOTS, versions, rows, absent: absent.list, targets });
