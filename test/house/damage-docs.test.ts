/** docs/damage.md shows what the gallery printed, and explains every message that it printed. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { masked } from '../gallery/commands.js';
import { GALLERY } from '../gallery/damages.js';

const read = (path: string) =>
  readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');
const docs = read('docs/damage.md');
const pages = GALLERY.map(({ page }) => read(`test/gallery/${page}`)).join('\n');

/** Ids as the page shows them; the gallery has names for them. */
const IDS = { '1f6a9e34': 'heat-100', '51d7f2c8': 'heat-200', '9c04e7d1': 'heat-300', e83b5a06: 'heat-400' };

/** Command and output, as one text, of everything that a page shows. */
function shown(text: string): string[] {
  const parts = text.replaceAll(/^\[exit status .*$/gm, '').split(/^\$ /m);
  return parts.slice(1).map((part) => masked(part.trim()).join('\n'));
}

test('what the page shows is what was printed', () => {
  const printed = new Set(shown(pages.replaceAll(/^ {4}/gm, '').replaceAll(/^(gone: |## ).*$/gm, '')));
  const blocks = [...docs.matchAll(/```console\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  assert.ok(blocks.length > 5);
  for (const block of blocks) {
    let text = block;
    for (const [id, name] of Object.entries(IDS)) text = text.replaceAll(id, name);
    for (const one of shown(text)) assert.ok(printed.has(one), one);
  }
});

test('every message that was printed is explained', () => {
  const reasons = new Set<string>();
  for (const [, table = ''] of pages.matchAll(/pack +byte +what is wrong\n([\s\S]*?)\n +\[/g)) {
    for (const row of table.split('\n')) {
      const reason = row.trim().split(/ {2,}/)[2] ?? '';
      reasons.add(reason.replace(/ \(and .*\)$/, '').replace(/pack \d+$/, 'pack N'));
    }
  }
  assert.ok(reasons.size > 10, [...reasons].join());
  for (const reason of reasons) assert.ok(docs.includes(reason), reason);
});
