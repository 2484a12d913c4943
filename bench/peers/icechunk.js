/**
 * Icechunk, a transactional store of Zarr arrays, in a local folder: the state is one array in chunks of 1 MiB, and each save
 * is a commit. Once every chunk is set, as a program does that does not know what it changed; once those alone that changed,
 * which holdfast would have to find out.
 *
 * Chunks are set directly, without a Zarr library that would copy them, and are not compressed, which is fastest.
 */

import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cpuSeconds, folderBytes, REST_MS, sleep, sync } from './support.js';

const CHUNK_BYTES = 2 ** 20;
const GROUP = { zarr_format: 3, node_type: 'group', attributes: {} };

function metadata(bytes) {
  return {
    zarr_format: 3,
    node_type: 'array',
    shape: [bytes / 8],
    data_type: 'float64',
    chunk_grid: { name: 'regular', configuration: { chunk_shape: [CHUNK_BYTES / 8] } },
    chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
    codecs: [{ name: 'bytes', configuration: { endian: 'little' } }],
    fill_value: 0,
    attributes: {},
  };
}

/** Savers of a state of so many bytes; `changed` tells from where to where it changed since the save before. */
export async function icechunkSavers(folder, state, changed, absent) {
  const ways = [
    { name: 'icechunk, every chunk', part: () => [0, state.length] },
    { name: 'icechunk, told what changed', part: changed },
  ];
  let icechunk;
  try {
    icechunk = await import('@earthmover/icechunk');
  } catch (error) {
    for (const { name } of ways) absent.add(name, reasonOf(error));
    return [];
  }
  return Promise.all(ways.map((way) => saverOf(icechunk, folder, state, way)));
}

async function saverOf({ Repository, Storage }, folder, state, { name, part }) {
  const store = join(folder, name);
  mkdirSync(store);
  const repository = await Repository.create(await Storage.newLocalFilesystem(store));
  const empty = await repository.writableSession('main');
  const asJson = (value) => Buffer.from(JSON.stringify(value));
  await empty.store.set('zarr.json', asJson(GROUP));
  await empty.store.set('field/zarr.json', asJson(metadata(state.length)));
  await empty.commit('empty');
  return {
    name,
    durability: 'none of its own; fsync of its files added here',
    async save(label) {
      const [start, end] = part();
      const cpu = process.cpuUsage();
      const since = Date.now() - 1;
      const began = performance.now();
      const session = await repository.writableSession('main');
      const sets = [];
      for (let chunk = Math.floor(start / CHUNK_BYTES); chunk * CHUNK_BYTES < end; chunk++) {
        const bytes = state.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
        sets.push(session.store.set(`field/c/${chunk}`, bytes));
      }
      await Promise.all(sets);
      const stall = (performance.now() - began) / 1000;
      await session.commit(`${label}`);
      const committed = (performance.now() - began) / 1000;
      const written = writtenSince(store, since);
      const syncBegan = performance.now();
      await Promise.all(written.map(sync));
      const durable = committed + (performance.now() - syncBegan) / 1000;
      await sleep(REST_MS);
      return { stall, durable, cpu: cpuSeconds(cpu) };
    },
    bytes: () => folderBytes(store),
  };
}

/** Files and folders in it that have changed since. */
function writtenSince(folder, since) {
  return [folder, ...readdirSync(folder, { recursive: true }).map((name) => join(folder, name))].filter(
    (path) => statSync(path).mtimeMs >= since,
  );
}

/** A binary that was found and does not load says more than the other places where none was. */
function reasonOf(error) {
  const causes = [];
  for (let cause = error; cause instanceof Error; cause = cause.cause) causes.push(cause);
  const unloaded = causes.find(({ message }) => message.includes('.node: '));
  return (unloaded ?? causes[0]).message.split('\n')[0].replace(/^.*\/(?=.*\.node: )/, '');
}
