/** Ways to damage a store, one at a time. Each is told to a person in its `title`, and done to a copy by `harm`. */

import {
  chmodSync,
  copyFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { HEADER_BYTES, type RecordHeader, RecordType } from '../../src/format/record.js';
import { flip, recordsOf } from '../support/pack-bytes.js';
import { type GalleryStore, packPath } from './store.js';

export interface Damage {
  title: string;
  harm(store: GalleryStore, other: GalleryStore): void;
  /** A repair first gives files their names back, so that there is less to be lost than `--dry-run` can see. */
  rearranges?: true;
  /** A repair is refused. */
  beyondRepair?: true;
  /** Why it cannot be done here. */
  skip?: string | false;
}

export interface Chapter {
  title: string;
  /** The file of its words. */
  page: string;
  damages: Damage[];
}

/** Flips a bit of the nth record of a kind. */
function record(pack: number, type: RecordType, nth: number, where: 'header' | 'payload'): Damage['harm'] {
  return ({ directory }) => {
    const path = packPath(directory, pack);
    const bytes = readFileSync(path);
    const found = recordsOf(bytes).filter((header) => header.type === type)[nth] as RecordHeader;
    flip(bytes, found.offset + (where === 'header' ? 16 : HEADER_BYTES + (found.storedLength >> 1)), 3);
    writeFileSync(path, bytes);
  };
}

const inPayload = (pack: number, type: RecordType, nth: number) => record(pack, type, nth, 'payload');
const inHeader = (pack: number, type: RecordType, nth: number) => record(pack, type, nth, 'header');

/** Does something with the file of a pack. */
function file(pack: number, harm: (path: string, store: GalleryStore) => void): Damage['harm'] {
  return (store) => harm(packPath(store.directory, pack), store);
}

function named(name: string, harm: (path: string) => void): Damage['harm'] {
  return ({ directory }) => harm(join(directory, name));
}

const remove = (path: string) => rmSync(path, { recursive: true });
const half = (path: string) => truncateSync(path, readFileSync(path).length >> 1);
const empty = (path: string) => truncateSync(path, 0);

const { chunk, page, manifest, commit, tag, packHeader, footer } = RecordType;

export const GALLERY: readonly [bits: Chapter, packs: Chapter, folder: Chapter] = [
  {
    title: 'One bit',
    page: 'one-bit.md',
    damages: [
      { title: 'a bit in a chunk that one snapshot needs', harm: inPayload(2, chunk, 4) },
      { title: 'a bit in a chunk that four snapshots share', harm: inPayload(1, chunk, 2) },
      { title: 'a bit in the skeleton of a snapshot', harm: inPayload(2, chunk, 0) },
      { title: 'a bit in the header of a chunk', harm: inHeader(2, chunk, 4) },
      { title: 'a bit in a page that others are patches of', harm: inPayload(1, page, 0) },
      { title: 'a bit in a page stored as a patch', harm: inPayload(2, page, 1) },
      { title: 'a bit in a manifest', harm: inPayload(2, manifest, 1) },
      { title: 'a bit in the header of a manifest', harm: inHeader(2, manifest, 1) },
      { title: 'a bit in the manifest of the newest snapshot', harm: inPayload(3, manifest, 0) },
      { title: 'a bit in the header of the newest manifest', harm: inHeader(3, manifest, 0) },
      { title: 'a bit in a tag', harm: inPayload(2, tag, 0) },
      { title: 'a bit in a commit record', harm: inPayload(2, commit, 1) },
      { title: 'a bit in the commit record of the newest snapshot', harm: inPayload(3, commit, 1) },
      { title: 'a bit in a pack header', harm: inPayload(2, packHeader, 0) },
      { title: 'a bit in a footer', harm: inPayload(1, footer, 0) },
      {
        title: 'a bit in a trailer',
        harm: file(1, (path) => {
          const bytes = readFileSync(path);
          flip(bytes, bytes.length - 4);
          writeFileSync(path, bytes);
        }),
      },
    ],
  },
  {
    title: 'Files of packs',
    page: 'packs.md',
    damages: [
      { title: 'a pack cut in half', harm: file(2, half) },
      { title: 'the newest pack cut in half', harm: file(3, half) },
      { title: 'a pack deleted', harm: file(2, remove) },
      { title: 'the oldest pack deleted', harm: file(1, remove) },
      { title: 'the newest pack deleted', harm: file(3, remove) },
      { title: 'a pack emptied', harm: file(2, empty) },
      {
        title: 'a pack overwritten with zeros in the middle',
        harm: file(2, (path) => {
          const bytes = readFileSync(path);
          writeFileSync(path, bytes.fill(0, 100_000, 200_000));
        }),
      },
      {
        title: 'a pack copied under another number',
        harm: ({ directory }) => copyFileSync(packPath(directory, 1), packPath(directory, 4)),
      },
      {
        title: 'a pack copied over another',
        harm: ({ directory }) => copyFileSync(packPath(directory, 1), packPath(directory, 2)),
      },
      {
        title: 'a pack renamed',
        rearranges: true,
        harm: ({ directory }) => renameSync(packPath(directory, 1), packPath(directory, 7)),
      },
      {
        title: 'two packs swapped',
        rearranges: true,
        harm: ({ directory }) => {
          const [one, two] = [packPath(directory, 1), packPath(directory, 2)];
          renameSync(one, `${one}.x`);
          renameSync(two, one);
          renameSync(`${one}.x`, two);
        },
      },
      {
        title: 'a pack of another store in the place of one',
        harm: ({ directory }, other) => copyFileSync(packPath(other.directory, 2), packPath(directory, 2)),
      },
      {
        title: 'a pack of another store beside ours',
        harm: ({ directory }, other) => copyFileSync(packPath(other.directory, 4), packPath(directory, 4)),
      },
      {
        title: 'a pack replaced by an older copy of it',
        harm: file(2, (path, { older }) => writeFileSync(path, older.get(2) ?? '')),
      },
      {
        title: 'the newest pack replaced by an older copy of it',
        harm: file(3, (path, { older }) => writeFileSync(path, older.get(3) ?? '')),
      },
      {
        title: 'something appended to a pack',
        harm: file(1, (path) => writeFileSync(path, 'rubbish', { flag: 'a' })),
      },
      {
        title: 'all packs deleted',
        harm: named('packs', (path) => {
          for (const name of readdirSync(path)) rmSync(join(path, name));
        }),
      },
      {
        title: 'a foreign file in packs/',
        harm: named('packs/notes.txt', (path) => writeFileSync(path, 'mine')),
      },
    ],
  },
  {
    title: 'Everything else',
    page: 'folder.md',
    damages: [
      { title: 'the descriptor deleted', harm: named('holdfast.json', remove) },
      {
        title: 'the descriptor deleted, with a stranger in the folder',
        harm: (store, other) => {
          rmSync(join(store.directory, 'holdfast.json'));
          named('notes.txt', (path) => writeFileSync(path, 'mine'))(store, other);
        },
      },
      { title: 'the descriptor cut in half', harm: named('holdfast.json', half) },
      {
        title: 'the descriptor of a newer version',
        beyondRepair: true,
        harm: named('holdfast.json', (path) => {
          writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), version: 2 }));
        }),
      },
      {
        title: 'the descriptor of another store',
        harm: ({ directory }, other) =>
          copyFileSync(join(other.directory, 'holdfast.json'), join(directory, 'holdfast.json')),
      },
      {
        title: 'the descriptor and the header of the first pack',
        harm: (store, other) => {
          rmSync(join(store.directory, 'holdfast.json'));
          inPayload(1, packHeader, 0)(store, other);
        },
      },
      { title: 'the index deleted', harm: named('index', remove) },
      {
        title: 'the index damaged',
        harm: named('index', (path) => {
          for (const name of readdirSync(path)) {
            const bytes = readFileSync(join(path, name));
            if (bytes.length > 0) flip(bytes, bytes.length >> 1);
            writeFileSync(join(path, name), bytes);
          }
        }),
      },
      { title: 'clean.json deleted', harm: named('clean.json', remove) },
      {
        title: 'clean.json of an earlier close',
        harm: ({ directory, olderSeal }) => writeFileSync(join(directory, 'clean.json'), olderSeal),
      },
      {
        title: 'clean.json of another store',
        harm: ({ directory }, other) =>
          copyFileSync(join(other.directory, 'clean.json'), join(directory, 'clean.json')),
      },
      { title: 'lock/ deleted', harm: named('lock', remove) },
      {
        title: 'a pack that may not be read',
        beyondRepair: true,
        harm: file(2, (path) => chmodSync(path, 0)),
        skip: process.getuid?.() === 0 && 'root may read everything',
      },
    ],
  },
];
