/** What is said where nothing was proved: each way in which a program may end without it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StepInfo } from '../../../src/api/prove/line.js';
import type { Word } from '../../../src/api/prove/plan.js';
import type { RunEnd } from '../../../src/api/prove/program-run.js';
import { notReached, notTwice } from '../../../src/api/prove/unproven.js';

const task = {
  store: '/data/checkpoints',
  from: { id: 'e3d7', run: 'heat', step: 100 } as StepInfo,
  program: { command: 'node', args: ['heat.js'], cwd: undefined, name: 'node heat.js' },
};
const opened: Word = { said: 'opened', runs: ['heat'] };

function end(word: Word | undefined, status: number | undefined, signal?: NodeJS.Signals): RunEnd {
  return { word, end: { status, signal }, lastWords: 'Error: no' };
}

const cases: [end: RunEnd, says: string][] = [
  [end(undefined, 0), 'node heat.js ended in order without opening the store /data/checkpoints'],
  [
    end(undefined, 1),
    'node heat.js ended with status 1 without opening the store /data/checkpoints; the last it said: Error: no',
  ],
  [end(opened, 0), 'node heat.js ended in order before it was saved at step 200'],
  [
    end(opened, undefined, 'SIGSEGV'),
    'node heat.js ended by SIGSEGV before it was saved at step 200; the last it said: Error: no',
  ],
  [
    end({ said: 'opened', runs: ['fine', 'wide'] }, 0),
    'node heat.js ended in order and opened run fine, wide only, where the snapshot is of run heat',
  ],
];

for (const [how, says] of cases) {
  test(says, () => {
    const error = notReached(how, task, 200, []);
    assert.deepEqual([error.code, error.message], ['SNAP_PROGRAM', says]);
  });
}

test('a program that was saved at other steps is told how to be saved at the same', () => {
  const error = notReached(end({ said: 'passed', step: 250, missed: 200 }, undefined), task, 200, [150]);
  assert.match(
    error.message,
    /was saved at step 250 and not at step 200, where the run was: let it save by steps/,
  );
  assert.match(error.message, /\(it agreed at step 150\)/);
});

test('a run that has not gone on: how far the program has to get, and where it was saved', () => {
  const { message } = notTwice(end(opened, 0), task, 50, [200, 150]);
  assert.match(message, /before it was saved twice, each 50 steps further \(it was at steps 150, 200\); /);
  assert.match(
    message,
    /not gone on from step 100, so the program has to get to step 200; an earlier snapshot/,
  );
});
