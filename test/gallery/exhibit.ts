/**
 * Damages a store in every way of a chapter, and holds that `snap` tells the truth about it.
 *
 *  - the words are those of the chapter's page beside this file, which is there to be read; HOLDFAST_GALLERY=write
 *    writes it anew
 *  - what restored before a repair restores after it, bit for bit
 *  - what is listed after a repair restores; what is not, or does not, was hit, and is told as lost
 *  - verified again after a repair, the store is sound
 */

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isSnapError } from '../../src/base/errors.js';
import { Snap } from '../../src/index.js';
import { budget } from '../support/budget.js';
import { masked, plain, type Said, snap } from './commands.js';
import type { Chapter, Damage } from './damages.js';
import { type GalleryStore, galleryStore } from './store.js';

/** What a repair reports, as JSON has it. */
interface Plan {
  lost: { id: string }[];
  unlisted: number;
  uncertain: boolean;
  clean: boolean;
}

interface Contents {
  whole: Set<string>;
  listed: Set<string>;
}

/** Looking what `--dry-run` says takes a while: of every third damage by default. */
const asksForPlan = (index: number) => index % 3 === 0 || budget(1) > 1;

const COMMANDS = [['verify'], ['verify', '--read-data'], ['repair'], ['verify', '--read-data']] as const;

export function exhibit({ title, page, damages }: Chapter): void {
  const path = fileURLToPath(new URL(`../../../test/gallery/${page}`, import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-gallery-'));
  const expected = sections(readFileSync(path, 'utf8'));
  const written = new Map(expected);
  let store: GalleryStore;
  let other: GalleryStore;
  before(async () => {
    store = await galleryStore(join(folder, 'store'), 1);
    other = await galleryStore(join(folder, 'other'), 2, 5);
  });
  after(() => {
    if (process.env.HOLDFAST_GALLERY === 'write') writeFileSync(path, pageOf(title, damages, written));
    rmSync(folder, { recursive: true, force: true });
  });
  for (const [index, damage] of damages.entries()) {
    test(damage.title, { skip: damage.skip ?? false }, async () => {
      const directory = join(folder, `damaged-${index}`);
      cpSync(store.directory, directory, { recursive: true });
      const section = await damageAndRepair({ ...store, directory }, other, damage, index);
      rmSync(directory, { recursive: true });
      written.set(damage.title, section);
      if (process.env.HOLDFAST_GALLERY === 'write') return;
      assert.deepEqual(masked(section), masked(expected.get(damage.title) ?? ''));
    });
  }
}

/** What the commands say, and what is gone in the end. */
async function damageAndRepair(
  store: GalleryStore,
  other: GalleryStore,
  damage: Damage,
  index: number,
): Promise<string> {
  const { directory } = store;
  damage.harm(store, other);
  const { whole: wholeBefore } = await lookInto(store);
  const plan = damage.rearranges || !asksForPlan(index) ? undefined : await planOf(directory);
  const lines: string[] = [];
  const said: Said[] = [];
  for (const words of COMMANDS) {
    const one = await snap(directory, ...words);
    said.push(one);
    lines.push(`$ snap ${words.join(' ')}`, `${plain(one, store)}[exit status ${one.status}]`, '');
  }
  const [, , repaired, verified] = said as [Said, Said, Said, Said];
  const { whole, listed } = await lookInto(store);
  const gone = [...store.ids.keys()].filter((name) => !whole.has(name));
  lines.push(`gone: ${gone.join(', ') || 'nothing'}`);
  if (damage.beyondRepair) return lines.join('\n');

  for (const name of wholeBefore) assert.ok(whole.has(name), `${name} restored before the repair`);
  assert.equal(verified.status, 0, 'sound after the repair');
  for (const [name, id] of store.ids) {
    assert.equal(listed.has(id), whole.has(name), `${name} is listed if it is whole, and only then`);
  }
  const lost = gone.filter((name) => repaired.data.includes((store.ids.get(name) ?? '').slice(0, 8)));
  const nameless = gone.length - lost.length;
  const told = Number(/not listed any more: (\d+) snapshot/.exec(repaired.data)?.[1] ?? 0);
  const uncertain = repaired.data.includes('nobody can say');
  assert.ok(uncertain ? told <= nameless : told === nameless, 'what is gone is told');
  const isLoss = gone.length > 0 || repaired.data.includes('tag cannot be read');
  assert.equal(repaired.status, isLoss ? 12 : 0);
  if (plan) {
    assert.deepEqual(
      { lost: plan.lost.map(({ id }) => id).sort(), unlisted: plan.unlisted, uncertain: plan.uncertain },
      { lost: lost.map((name) => store.ids.get(name)).sort(), unlisted: told, uncertain },
      'what --dry-run says is what is done',
    );
  }
  return lines.join('\n');
}

/** Names of the snapshots that come back bit for bit (the others fail with a typed error), and ids of those listed. */
async function lookInto({ directory, ids, states }: GalleryStore): Promise<Contents> {
  const whole = new Set<string>();
  const listed = new Set<string>();
  let snap: Snap;
  try {
    snap = await Snap.open(directory, { readOnly: true, create: false });
  } catch (error) {
    assert.ok(isSnapError(error), String(error));
    return { whole, listed };
  }
  for await (const { id } of snap.list()) listed.add(id);
  for (const [name, id] of ids) {
    try {
      assert.deepEqual(await snap.restore(id), states.get(name));
      whole.add(name);
    } catch (error) {
      if (!isSnapError(error)) throw error;
    }
  }
  await snap.close();
  return { whole, listed };
}

/** What `--dry-run` would do; undefined where the store cannot be opened. */
async function planOf(directory: string): Promise<Plan | undefined> {
  const { data } = await snap(directory, 'repair', '--dry-run', '--json');
  const last = data.trimEnd().split('\n').at(-1);
  return last ? (JSON.parse(last) as Plan) : undefined;
}

function sections(text: string): Map<string, string> {
  const parts = text.split(/^## /m).slice(1);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf('\n');
      return [part.slice(0, end), part.slice(end).replaceAll(/^ {4}/gm, '').trim()];
    }),
  );
}

/** What could not be done here keeps the words that it had. */
function pageOf(title: string, damages: readonly Damage[], words: ReadonlyMap<string, string>): string {
  const indented = (text: string) => text.replaceAll(/^(?=.)/gm, '    ');
  const parts = damages.map((damage) => `## ${damage.title}\n\n${indented(words.get(damage.title) ?? '')}\n`);
  return [`# ${title}\n`, ...parts].join('\n');
}
