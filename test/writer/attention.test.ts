/** Naps and sleep of the writer thread, with a clock and an inbox that do as they are told. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attention } from '../../src/writer/attention.js';

class Fake {
  time = 0;
  rings = false;
  hasRecord = false;
  worked = 0;
  /** What is called after a nap. */
  looks: (() => void)[] = [];
  /** A record that comes at the very moment at which a bell is asked for. */
  comesLate = false;

  readonly attention = new Attention(
    {
      get hasRecord() {
        return fake().hasRecord;
      },
      wantBell: (wants) => {
        this.rings = wants;
        if (wants && this.comesLate) this.hasRecord = true;
      },
    },
    { now: () => this.time, later: (look) => void this.looks.push(look), work: () => this.work() },
  );

  constructor() {
    current = this;
  }

  /** As the thread does: takes what is there, then rests. */
  work(): void {
    this.worked++;
    this.attention.work();
    assert.equal(this.rings, false, 'who works needs no bell');
    if (this.hasRecord) this.attention.recordCame();
    this.hasRecord = false;
    this.comesLate = false;
    this.attention.rest();
  }

  /** A nap ends. */
  wake(): void {
    assert.equal(this.looks.length, 1, 'one nap at a time');
    this.time++;
    this.looks.shift()?.();
  }
}

let current: Fake;
const fake = () => current;

test('who has nothing to do asks for the bell', () => {
  const it = new Fake();
  it.attention.rest();
  assert.deepEqual([it.rings, it.looks.length, it.worked], [true, 0, 0]);
});

test('a record that comes between the last look and the asking is found', () => {
  const it = new Fake();
  it.comesLate = true;
  it.attention.rest();
  assert.equal(it.worked, 1);
});

test('after a record it looks by itself for a while, without a bell, and then sleeps', () => {
  const it = new Fake();
  it.hasRecord = true;
  it.work();
  assert.deepEqual([it.rings, it.looks.length], [false, 1]);
  it.hasRecord = true;
  it.wake();
  assert.equal(it.worked, 2, 'what came during the nap is taken');
  let naps = 0;
  for (; it.looks.length > 0; naps++) {
    assert.equal(it.rings, false);
    it.wake();
  }
  assert.ok(naps > 1 && naps < 100, `${naps} naps`);
  assert.deepEqual([it.rings, it.worked], [true, 2]);
});

test('a message that ends a nap leaves one nap, not two', () => {
  const it = new Fake();
  it.hasRecord = true;
  it.work();
  it.work();
  assert.equal(it.looks.length, 1);
  it.comesLate = true;
  while (it.looks.length > 0) it.wake();
  assert.equal(it.worked, 3);
});

test('a nap that ends while the thread works does nothing', () => {
  const it = new Fake();
  it.hasRecord = true;
  it.work();
  it.attention.work();
  it.hasRecord = true;
  it.wake();
  assert.equal(it.worked, 1);
  it.attention.rest();
  it.wake();
  assert.equal(it.worked, 2);
});
