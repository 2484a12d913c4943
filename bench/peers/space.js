/**
 * Space: a run of 50 snapshots of each of eight simulations, as holdfast, restic, borg (zstd,3) and zstd -3 of each
 * file store them. Bytes of all files of each store, in the end.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Snap } from 'holdfast';
import { SYSTEMS } from './physics.js';
import { find, folderBytes, run, scratch, writeResult } from './support.js';

const SNAPSHOTS = Number(process.env.SNAPSHOTS ?? 50);
const folder = scratch();
const present = Object.fromEntries(
  [
    ['restic', 'version'],
    ['borg', '--version'],
    ['zstd', '--version'],
  ].map(([program, argument]) => [program, find(program, argument)]),
);
const MiB = 2 ** 20;

const rows = [];
for (const make of SYSTEMS) {
  const system = make();
  const place = join(folder, system.name.replaceAll(' ', '-'));
  for (const name of ['', 'zstd', 'borg-base', 'restic-cache'])
    mkdirSync(join(place, name), { recursive: true });
  const env = {
    ...process.env,
    RESTIC_PASSWORD: 'x',
    RESTIC_REPOSITORY: join(place, 'restic'),
    RESTIC_CACHE_DIR: join(place, 'restic-cache'),
    BORG_REPO: join(place, 'borg'),
    BORG_BASE_DIR: join(place, 'borg-base'),
    BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
  };
  if (present.restic) run('restic', ['init'], { env });
  if (present.borg) run('borg', ['init', '--encryption=none'], { env });
  const snap = await Snap.open(join(place, 'holdfast'), { run: 'space' });
  const file = join(place, 'state');
  let logical = 0;
  for (let snapshot = 0; snapshot < SNAPSHOTS; snapshot++) {
    for (let step = 0; step < system.stepsEach; step++) system.advance();
    await snap.save(system.state, { durable: true });
    const arrays = Object.values(system.state).map(({ buffer }) => Buffer.from(buffer));
    writeFileSync(file, Buffer.concat(arrays));
    logical += arrays.reduce((sum, { length }) => sum + length, 0);
    if (present.restic) run('restic', ['backup', '--quiet', file], { env });
    if (present.borg) run('borg', ['create', '--compression=zstd,3', `::${snapshot}`, file], { env });
    if (present.zstd) run('zstd', ['-3', '-q', file, '-o', join(place, 'zstd', `${snapshot}.zst`)]);
  }
  await snap.close();
  const bytes = { holdfast: folderBytes(join(place, 'holdfast')) };
  for (const [program, version] of Object.entries(present)) {
    if (version) bytes[program] = folderBytes(join(place, program));
  }
  rows.push({ name: system.name, logical, bytes });
  const show = Object.entries(bytes).map(([name, size]) => [name, (size / MiB).toFixed(1)]);
  console.log(system.name, (logical / MiB).toFixed(1), 'MiB saved:', Object.fromEntries(show));
}
for (const [program, version] of Object.entries(present)) {
  if (!version) console.log(`skipped: ${program} is not installed`);
}
const share = (bytes, logical) => `${((100 * bytes) / logical).toFixed(1)} %`;
const targets = rows.flatMap(({ name, logical, bytes: { holdfast, ...others } }) => {
  if (Object.keys(others).length === 0) return [];
  const [best, least] = Object.entries(others).sort((a, b) => a[1] - b[1])[0];
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
writeResult('space', { snapshots: SNAPSHOTS, versions: present, rows, targets });
