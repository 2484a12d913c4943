/** docs/prove.md: its programs run in one folder, and its commands print what stands below them. */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { shell } from '../cli/support.js';
import { skippedInBrief } from '../support/budget.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const docs = readFileSync(join(root, 'docs/prove.md'), 'utf8');

/** What differs from one time to the next: ids, and how long it took. */
function masked(text: string): string {
  return text.replaceAll(/\b[0-9a-f]{8}\b/g, 'IDENTITY').replaceAll(/ in [\d.]+ (s|min):/g, ' in TIME:');
}

test('the programs and commands of docs/prove.md print what stands there', { skip: skippedInBrief }, (t) => {
  // Inside the package, so that it finds itself by its name as an installed one would.
  const folder = mkdtempSync(join(root, 'build/prove-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const programs = [...docs.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code = '']) => code);
  const names = ['heat.mjs', 'step.mjs', 'fixed.mjs', 'prove.mjs'];
  assert.equal(programs.length, names.length);
  for (const [index, name] of names.entries()) writeFileSync(join(folder, name), programs[index] ?? '');
  const blocks = [...docs.matchAll(/```console\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  assert.equal(blocks.length, 5);
  for (const part of blocks.flatMap((block) => block.split(/^\$ /m).slice(1))) {
    const [command = '', ...printed] = part.trimEnd().split('\n');
    const { stdout, status } = shell(`${command} 2>&1`, { cwd: folder });
    const ended = status === 0 ? '' : `[exit status ${status}]`;
    assert.equal(masked(`${stdout}${ended}`.trimEnd()), masked(printed.join('\n')), command);
  }
});
