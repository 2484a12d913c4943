/** The demo as a stranger meets it, and the judgement it ends with. */

import { deepStrictEqual, match, ok, strictEqual } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { explainedBytes, type Findings, type Life, verdictOn } from '../../examples/demo/account.js';
import { differences, fingerprint } from '../../examples/demo/compare.js';
import { createPlate, createSolver, type Plate } from '../../examples/heat.js';
import { skippedInBrief } from '../support/budget.js';

const MAIN = fileURLToPath(new URL('../../examples/demo/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function demo(...args: string[]) {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', timeout: 120_000 });
}

describe('the demo', () => {
  it('is killed, resumes, and ends identical', { skip: skippedInBrief }, () => {
    const store = join(folder, 'store');
    const { status, stdout, stderr } = demo('--short', '--seed', '7', '--store', store);
    strictEqual(status, 0, `${stdout}\n${stderr}`);
    match(stdout, /^identical: yes$/m);
    match(stdout, /lost by the kill/);
    strictEqual(stderr, '', 'no progress bar where there is no terminal');
    strictEqual(existsSync(store), false, 'the store is removed without --keep');
  });

  it('answers bad options with usage and status 2', () => {
    for (const args of [['--steps', 'many'], ['--bogus'], ['extra'], ['--steps', '20', '--every', '10']]) {
      const { status, stderr } = demo(...args);
      strictEqual(status, 2, args.join(' '));
      match(stderr, /^error: .*\nusage: npm run demo/, args.join(' '));
    }
  });

  it('leaves a folder alone that holds anything', () => {
    const full = mkdtempSync(join(folder, 'full-'));
    writeFileSync(join(full, 'thesis.txt'), 'years of work');
    const { status, stderr } = demo('--short', '--store', full);
    strictEqual(status, 2);
    match(stderr, /not empty/);
    deepStrictEqual(readdirSync(full), ['thesis.txt']);
  });
});

describe('the comparison', () => {
  const original = createPlate(3);
  const advance = createSolver(original);
  for (let step = 0; step < 20; step++) advance();
  const print = fingerprint(original);
  const changed = (change: (copy: Plate) => void): string[] => {
    const copy = structuredClone(original);
    change(copy);
    return differences(print, fingerprint(copy));
  };

  it('finds no difference between a plate and its copy', () => {
    deepStrictEqual(
      changed(() => {}),
      [],
    );
  });

  it('names what differs by one bit, wherever it is', () => {
    deepStrictEqual(
      changed((copy) => {
        new Uint8Array(copy.temperature.buffer)[8 * 555_555]! ^= 1;
      }),
      ['temperature'],
    );
    deepStrictEqual(
      changed((copy) => {
        copy.conductivity[copy.conductivity.length - 1] = -0;
      }),
      ['conductivity'],
    );
    deepStrictEqual(
      changed((copy) => {
        copy.step++;
      }),
      ['step'],
    );
    deepStrictEqual(
      changed((copy) => {
        copy.probes.get('rim')?.readings.pop();
      }),
      ['probe rim'],
    );
  });

  it('notices a probe that is missing, and one that has moved in the order of the Map', () => {
    deepStrictEqual(
      changed((copy) => {
        copy.probes.delete('corner');
      }),
      ['names of probes', 'probe corner'],
    );
    deepStrictEqual(
      changed((copy) => {
        const centre = copy.probes.get('centre');
        copy.probes.delete('centre');
        if (centre) copy.probes.set('centre', centre);
      }),
      ['names of probes'],
    );
  });
});

describe('the verdict', () => {
  const good: Findings = {
    different: [],
    writtenBytes: 100,
    explainedBytes: 200,
    durableSteps: [10, 20],
    survivingStep: 30,
    resumedStep: 30,
  };

  it('is status 0 and `identical: yes` where all went well', () => {
    deepStrictEqual(verdictOn(good), { lines: ['identical: yes'], status: 0 });
  });

  it('is status 1 and `identical: no` where a resumed run differs', () => {
    const { lines, status } = verdictOn({ ...good, different: ['temperature', 'probe rim'] });
    strictEqual(status, 1);
    deepStrictEqual(lines, ['different: temperature, probe rim', 'identical: no']);
  });

  it('is status 1 where more was written than the changes explain', () => {
    const { lines, status } = verdictOn({ ...good, writtenBytes: 201 });
    strictEqual(status, 1);
    match(lines[0] ?? '', /not incremental/);
  });

  it('is status 1 where the store lost what had been reported durable, or nothing survived', () => {
    for (const survivingStep of [10, undefined]) {
      const { lines, status } = verdictOn({ ...good, survivingStep, resumedStep: survivingStep });
      strictEqual(status, 1);
      match(lines[0] ?? '', /a durable save was lost/);
    }
  });

  it('is status 1 where the run did not go on from the newest snapshot', () => {
    strictEqual(verdictOn({ ...good, resumedStep: 20 }).status, 1);
  });

  it('does not explain saves that write the conductivity map again', () => {
    const saves = Array.from({ length: 20 }, (_, index) => ({
      step: (index + 1) * 50,
      savedAt: 0,
      heldMs: 1,
    }));
    const iterations = Array.from({ length: 1000 }, (_, index) => ({
      step: index + 1,
      startedAt: 0,
      ms: 5,
    }));
    const life: Life = { saves, iterations };
    const explained = explainedBytes([life]);
    const full = saves.length * 40 * 2 ** 20;
    ok(explained < 0.4 * full, `${explained} of ${full}`);
    ok(explained > 40 * 2 ** 20 + 19 * 8 * 2 ** 20);
  });
});
