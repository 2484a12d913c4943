/** What docs/retention.md shows is what is planned. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { planRetention } from '../../src/store/retention.js';
import { parsePolicy } from '../../src/store/retention-policy.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const text = readFileSync(join(root, 'docs/retention.md'), 'utf8');
/** Objects in backticks; those that have a key are policies. */
const policies = [...text.matchAll(/`(\{ \w+: .*? \})`/g)].map(([, code]) => code as string);

test('every policy that is shown is one', () => {
  assert.ok(policies.length > 15);
  for (const code of policies) parsePolicy(runInNewContext(`(${code})`));
});

test('the example is planned as it is shown', () => {
  const [, example = ''] = /```text\n([\s\S]*?)```/.exec(text) ?? [];
  const [, ...lines] = example.trim().split('\n');
  const rows = lines.map((line) => line.split(/ {2,}/) as [string, string, string, string, string]);
  const policy = policies.find((code) => text.includes(`\`${code}\` on a run`)) as string;
  const snapshots = rows.map(([step, made, tags], index) => ({
    id: step,
    sequence: rows.length - index,
    run: 'heat',
    step: Number(step),
    createdAt: Date.parse(`${made.replace(' ', 'T')}Z`),
    tags: tags === '-' ? [] : [tags],
    forgotten: false,
  }));
  const { verdicts } = planRetention(snapshots, parsePolicy(runInNewContext(`(${policy})`)), {
    now: Date.parse('2026-11-20T12:00:00Z'),
  });
  assert.equal(rows.length, 10);
  assert.deepEqual(
    verdicts.map(({ id, keep, reasons }) => [id, keep ? 'keep' : 'drop', reasons.join(', ')]),
    rows.map(([step, , , plan, why]) => [step, plan, why]),
  );
});
