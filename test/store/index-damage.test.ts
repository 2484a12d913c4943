/**
 * The index damaged in every way while nobody has the store open. LevelDB is given its files only when they are those
 * of the last clean close: of what it would do with others, ending the process is the worst.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { SnapshotId } from '../../src/base/ids.js';
import { budget } from '../support/budget.js';
import { Answering } from '../support/child.js';
import { edited, freshContent } from '../support/program.js';
import { Random } from '../support/random.js';
import { openReal, temporaryFolder } from '../support/real-store.js';
import { type Lineage, NO_LINEAGE, putSnapshot } from '../support/saved.js';
import type { Examined } from './programs/examine.js';

const folder = temporaryFolder({ inMemory: true });
const original = join(folder, 'original');
const older = join(folder, 'older');
const scratch = join(folder, 'scratch');

/** Several sessions, so that the index has several tables; sealed packs and an open one. */
async function makeStore(): Promise<void> {
  const random = new Random(11);
  let content = freshContent(
    new Map([
      ['', 60],
      ['u', 900],
    ]),
    random,
  );
  let base: Lineage = NO_LINEAGE;
  for (let session = 0; session < 4; session++) {
    if (session === 2) cpSync(original, older, { recursive: true });
    const { store } = await openReal(original, { packBytes: 4000 });
    for (let save = 0; save < 3; save++) {
      store.begin();
      const id = random.bytes(16).toString('hex') as SnapshotId;
      content = edited(content, random.below(0x1_0000_0000));
      base = await putSnapshot(store, { id, run: `run${save % 2}`, content }, base, 64, save);
      store.putTag(`tag${save}`, id);
      await store.commit();
    }
    store.begin();
    store.putForget(base.id as SnapshotId, session % 2 === 0);
    await store.commit();
    await store.close();
  }
}

const examiner = new Answering<string, Examined>('examine');

interface Harm {
  what: string;
  do(store: string): void;
}

function overwriteWith(name: string, change: (bytes: Buffer) => Buffer): Harm['do'] {
  return (store) => {
    const path = join(store, name);
    writeFileSync(path, change(readFileSync(path)));
  };
}

/** Everything that can happen to one file, `name` from the store's folder. */
function harmsTo(name: string, others: readonly string[]): Harm[] {
  const { length } = readFileSync(join(original, name));
  const harms: Harm[] = [
    { what: 'deleted', do: (store) => rmSync(join(store, name)) },
    { what: 'zeroed', do: overwriteWith(name, (bytes) => Buffer.alloc(bytes.length)) },
    { what: 'a folder', do: replaceBy(name, (path) => mkdirSync(path)) },
    { what: 'a pipe', do: replaceBy(name, (path) => execFileSync('mkfifo', [path])) },
    { what: 'a link to nowhere', do: replaceBy(name, (path) => symlinkSync('nowhere', path)) },
  ];
  for (const share of [0, 0.01, 0.5, 0.9, 1]) {
    const keep = Math.min(length - 1, Math.floor(length * share));
    if (keep < 0) continue;
    const cut = overwriteWith(name, (bytes) => bytes.subarray(0, keep));
    harms.push({ what: `cut to ${keep} of ${length} bytes`, do: cut });
  }
  for (const every of [1, 13, 509, 4099]) {
    for (let from = 0; from < Math.min(every, length, budget(2)); from++) {
      const flip = (bytes: Buffer) => bytes.map((byte, at) => (at % every === from ? byte ^ 0x41 : byte));
      const what = `every ${every}. byte flipped, from ${from}`;
      harms.push({ what, do: overwriteWith(name, (bytes) => Buffer.from(flip(bytes))) });
    }
  }
  for (const other of others) {
    harms.push({
      what: `swapped with ${other}`,
      do(store) {
        const aside = join(store, 'aside');
        renameSync(join(store, name), aside);
        renameSync(join(store, other), join(store, name));
        renameSync(aside, join(store, other));
      },
    });
  }
  if (existsSync(join(older, name))) {
    const put = (store: string) => cpSync(join(older, name), join(store, name));
    harms.push({ what: 'replaced by an older copy', do: put });
  }
  return harms;
}

function replaceBy(name: string, make: (path: string) => void): Harm['do'] {
  return (store) => {
    rmSync(join(store, name), { recursive: true });
    make(join(store, name));
  };
}

/** What can happen to the folder as a whole, or to two things together. */
const WHOLE: Harm[] = [
  { what: 'deleted', do: (store) => rmSync(join(store, 'index'), { recursive: true }) },
  { what: 'a file', do: replaceBy('index', (path) => writeFileSync(path, 'no folder')) },
  { what: 'empty', do: replaceBy('index', (path) => mkdirSync(path)) },
  {
    what: 'an older copy',
    do(store) {
      rmSync(join(store, 'index'), { recursive: true });
      cpSync(join(older, 'index'), join(store, 'index'), { recursive: true });
    },
  },
  {
    what: 'an older copy with its seal',
    do(store) {
      rmSync(join(store, 'index'), { recursive: true });
      cpSync(join(older, 'index'), join(store, 'index'), { recursive: true });
      cpSync(join(older, 'clean.json'), join(store, 'clean.json'));
    },
  },
  {
    what: 'with files of others',
    do(store) {
      writeFileSync(join(store, 'index', '000999.ldb'), 'mine');
      writeFileSync(join(store, 'index', 'MANIFEST-999999'), 'mine');
    },
  },
  {
    what: 'mixed with an older copy',
    do: (store) => cpSync(join(older, 'index'), join(store, 'index'), { recursive: true, force: false }),
  },
];

test('the index damaged at rest: the store opens with everything in it, and the index is the same, key by key', async (t) => {
  await makeStore();
  const names = readdirSync(join(original, 'index')).map((name) => join('index', name));
  assert.ok(names.filter((name) => name.endsWith('.ldb')).length > 1, 'several tables');
  cpSync(original, scratch, { recursive: true });
  const expected = await examiner.ask(scratch, 'nothing');
  assert.equal(Object.keys(expected.snapshots).length, 12);
  assert.deepEqual(expected.warnings, []);

  const harms = WHOLE.map((harm): Harm => ({ ...harm, what: `index ${harm.what}` }));
  for (const [position, name] of [...names, 'clean.json'].entries()) {
    const others = names.slice(position + 1).filter((other) => other !== name);
    for (const harm of harmsTo(name, others)) harms.push({ ...harm, what: `${name} ${harm.what}` });
  }
  for (const { what, do: harm } of harms) {
    rmSync(scratch, { recursive: true });
    cpSync(original, scratch, { recursive: true });
    harm(scratch);
    assert.deepEqual(await examiner.ask(scratch, what), expected, what);
  }
  t.diagnostic(`${harms.length} harms`);
});
