/** An owner that stands still, as under SIGSTOP or in a debugger: nothing is stolen from it, and reading goes on. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Snap } from '../../src/index.js';
import { snap as command } from '../cli/support.js';
import { budget } from '../support/budget.js';
import { at, type Stepped } from './programs/steps.js';
import { collect, ended, startProgram, storePath } from './support.js';

/** A signal is on its way for a moment. */
async function untilStopped(pid: number): Promise<void> {
  while (!/^\d+ \(.*\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** How many saves a child makes. */
const SAVES = 300;

for (let round = 1; round <= budget(1); round++) {
  test(`a stopped owner (${round}): others read, nobody writes, and it goes on as if nothing had been`, async (t) => {
    if (process.platform !== 'linux') return t.skip('whether a process is stopped is read from /proc');
    const path = storePath(t);
    const child = startProgram('stepper', [path, String(SAVES)]);
    t.after(() => child.kill('SIGKILL'));
    const end = ended(child);
    const pid = child.pid as number;
    let durable = 0;
    let tell: (() => void) | undefined;
    child.on('message', (message: { durable?: number }) => {
      durable = Math.max(durable, message.durable ?? 0);
      tell?.();
    });
    const untilDurable = async (step: number): Promise<void> => {
      while (durable < step) {
        await new Promise<void>((resolve) => {
          tell = resolve;
        });
      }
    };

    await untilDurable(1 + Math.floor(Math.random() * 50));
    child.kill('SIGSTOP');
    await untilStopped(pid);
    const promised = durable;
    for (const args of [['ls'], ['show', `step:${promised}`], ['stats']]) {
      const { status, stderr } = command(['--store', path, ...args]);
      assert.deepEqual([status, stderr], [0, ''], args.join(' '));
    }
    const { status, stderr } = command(['--store', path, 'tag', 'mine', 'latest']);
    assert.deepEqual([status, stderr.includes(` ${pid} `)], [11, true], stderr);
    await assert.rejects(Snap.open(path), { code: 'SNAP_LOCKED', pid });
    await assert.rejects(Snap.repair(path), { code: 'SNAP_LOCKED', pid });
    {
      await using reader = await Snap.open(path, { readOnly: true });
      const { step } = (await reader.restore()) as Stepped;
      assert.ok(step >= promised, `step ${promised} was durable, ${step} is the newest`);
      assert.deepEqual(await reader.restore({ step }), at(step));
      assert.deepEqual(await reader.restore({ step: promised }), at(promised));
      assert.equal((await reader.verify({ readData: true })).ok, true);
    }

    child.kill('SIGCONT');
    await untilDurable(Math.min(promised + 5, SAVES));
    assert.deepEqual(await end, { code: 0, signal: null, stdout: '', stderr: '' });
    await using again = await Snap.open(path);
    assert.deepEqual(await again.restore(), at(SAVES));
    assert.equal((await collect(again.list())).length, SAVES);
    assert.equal((await again.tags()).size, 0);
    assert.equal((await again.verify({ readData: true })).ok, true);
    t.diagnostic(`stopped when ${promised} of ${SAVES} saves were durable`);
  });
}
