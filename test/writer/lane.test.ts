/** Messages and records of one lane come in the order they were sent, however they are taken; and a bell is never missed. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel, Worker } from 'node:worker_threads';
import fc from 'fast-check';
import type { SnapshotId } from '../../src/base/ids.js';
import { type Bell, Inbox, newLane, Outbox } from '../../src/writer/lane.js';
import type { FromWriter, SaveJob, ToWriter } from '../../src/writer/protocol.js';
import { fromWriterRecords, RecordMemory, toWriterRecords } from '../../src/writer/records.js';
import { budget } from '../support/budget.js';

const GUARD = { timeout: 60_000 };

/** Objects as programs make them. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(model, { noNullPrototype: true });
const number = fc.nat();
const millis = fc.double({ noNaN: true, noDefaultInfinity: true });
const id = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString('hex') as SnapshotId);
const job: fc.Arbitrary<SaveJob> = record({
  ticket: number,
  id,
  slot: number,
  skeletonBytes: number,
  follows: fc.constant(undefined),
  changed: fc.constant([]),
  measure: fc.constant([]),
  step: fc.option(fc.maxSafeInteger(), { nil: undefined }),
  tags: fc.constant([]),
  meta: fc.constant(''),
  stallMs: millis,
  createdAt: fc.maxSafeInteger(),
  savedAt: millis,
});
const save = record({ type: fc.constant('save' as const), client: number, job, hold: fc.boolean() });
const told = fc.oneof(
  record({ type: fc.constant('released' as const), client: number, slot: number }),
  record({
    type: fc.constant('durable' as const),
    client: number,
    ticket: number,
    written: record({
      parent: fc.option(id, { nil: undefined }),
      createdAt: fc.maxSafeInteger(),
      logicalBytes: number,
      changedBytes: number,
      storedBytes: number,
      durableMs: millis,
    }),
    shares: fc.constant<number[]>([]),
  }),
);

test('law: what a record was made of comes out of it', () => {
  const place = new RecordMemory(new SharedArrayBuffer(256), 0);
  fc.assert(
    fc.property(save, told, fc.nat({ max: 1 }), (toWriter, fromWriter, at) => {
      place.at = at;
      assert.ok(toWriterRecords.encode(toWriter, place));
      assert.deepEqual(toWriterRecords.decode(place), toWriter);
      assert.ok(fromWriterRecords.encode(fromWriter, place));
      assert.deepEqual(fromWriterRecords.decode(place), fromWriter);
    }),
    { numRuns: budget(300) },
  );
});

test('what has more to say than a record holds is none', () => {
  const place = new RecordMemory(new SharedArrayBuffer(128), 0);
  const [plain] = fc.sample(save, { numRuns: 1, seed: 1 });
  assert.ok(plain);
  for (const more of [
    { tags: ['best'] },
    { meta: '{}' },
    { changed: [undefined] },
    { measure: [0] },
  ] satisfies Partial<SaveJob>[]) {
    assert.equal(toWriterRecords.encode({ ...plain, job: { ...plain.job, ...more } }, place), false);
  }
  assert.equal(toWriterRecords.encode({ type: 'release', client: 1 }, place), false);
  const [durable] = fc.sample(
    told.filter(({ type }) => type === 'durable'),
    { numRuns: 1, seed: 1 },
  );
  assert.equal(fromWriterRecords.encode({ ...durable, shares: [0.5] } as FromWriter, place), false);
});

/** Numbered messages: as records those that are even. */
const numbered = (slot: number): FromWriter =>
  slot % 2 === 0
    ? { type: 'released', client: 1, slot }
    : { type: 'progress', client: 1, request: slot, progress: 0 };
const numberOf = (message: FromWriter | Bell): number[] =>
  message.type === 'released' ? [message.slot] : message.type === 'progress' ? [message.request] : [];

test('law: records and messages are taken in the order they were sent, each once', GUARD, async () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ send: fc.constantFrom(1, 2, 3, 200), records: fc.boolean() }) },
    { weight: 1, arbitrary: fc.constantFrom('drain' as const, 'turn' as const, 'bell' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const memory = newLane();
      const { port1, port2 } = new MessageChannel();
      const outbox = new Outbox(memory, port1, fromWriterRecords);
      const taken: number[] = [];
      const inbox = new Inbox(memory, port2, fromWriterRecords, (message) =>
        taken.push(...numberOf(message)),
      );
      port2.on('message', (message: FromWriter | Bell) => inbox.arrived(message));
      let sent = 0;
      for (const what of steps) {
        if (what === 'drain') inbox.drain();
        else if (what === 'bell') inbox.wantBell(true);
        else if (what === 'turn') await new Promise(setImmediate);
        else {
          for (let count = 0; count < what.send; count++)
            outbox.put(numbered(what.records ? 2 * sent++ : 2 * sent++ + 1));
        }
      }
      inbox.drain();
      port2.close();
      assert.deepEqual(
        taken.map((value) => value >> 1),
        Array.from({ length: sent }, (_, index) => index),
      );
    }),
    { numRuns: budget(150) },
  );
});

test('a bell rings once for each time it is wanted', () => {
  const memory = newLane();
  const posted: unknown[] = [];
  const port = { postMessage: (message: unknown) => void posted.push(message) };
  const outbox = new Outbox(memory, port, fromWriterRecords);
  const { port2 } = new MessageChannel();
  const inbox = new Inbox(memory, port2, fromWriterRecords, () => {});
  outbox.hurry();
  outbox.put(numbered(0));
  assert.equal(posted.length, 0);
  assert.ok(inbox.hasRecord);
  inbox.wantBell(true);
  outbox.put(numbered(2));
  outbox.put(numbered(4));
  assert.deepEqual(posted, [{ type: 'bell' }]);
  outbox.hurry();
  assert.equal(posted.length, 2);
  inbox.drainRecords();
  outbox.hurry();
  assert.equal(posted.length, 2, 'nobody waits for what was taken');
  port2.close();
});

test('a record rings for whoever fell asleep while it was being put', (t) => {
  const memory = newLane();
  const posted: unknown[] = [];
  const port = { postMessage: (message: unknown) => void posted.push(message) };
  const outbox = new Outbox(memory, port, fromWriterRecords);
  const { port2 } = new MessageChannel();
  const inbox = new Inbox(memory, port2, fromWriterRecords, () => {});
  const { store } = Atomics;
  t.mock.method(Atomics, 'store', (...args: [Int32Array, number, number]) => {
    t.mock.restoreAll();
    inbox.wantBell(true);
    assert.equal(inbox.hasRecord, false, 'it looks once more, and sees nothing');
    return store(...args);
  });
  outbox.put(numbered(0));
  assert.deepEqual(posted, [{ type: 'bell' }]);
  port2.close();
});

/** Falls asleep again and again, as the writer thread does, and tells how many records it has taken. */
const SLEEPER = `
import { workerData } from 'node:worker_threads';
const { Inbox } = await import(workerData.lane);
const { toWriterRecords } = await import(workerData.records);
const { memory, port, count } = workerData;
const inbox = new Inbox(memory, port, toWriterRecords, (message) => {
  if (message.type !== 'save') return;
  Atomics.add(count, 0, 1);
  Atomics.notify(count, 0);
});
const sleep = () => {
  do {
    inbox.wantBell(false);
    inbox.drain();
    inbox.wantBell(true);
  } while (inbox.hasRecord);
};
port.on('message', (message) => {
  inbox.arrived(message);
  sleep();
});
sleep();
Atomics.store(count, 1, 1);
Atomics.notify(count, 1);
`;

test('whoever falls asleep is woken by the record that comes meanwhile', GUARD, async (t) => {
  const memory = newLane();
  const count = new Int32Array(new SharedArrayBuffer(8));
  const { port1, port2 } = new MessageChannel();
  const lane = new URL('../../src/writer/lane.js', import.meta.url).href;
  const records = new URL('../../src/writer/records.js', import.meta.url).href;
  const source = new URL(`data:text/javascript,${encodeURIComponent(SLEEPER)}`);
  const worker = new Worker(source, {
    workerData: { memory, port: port2, count, lane, records },
    transferList: [port2],
  });
  t.after(() => worker.terminate());
  while (Atomics.load(count, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const outbox = new Outbox<ToWriter>(memory, port1, toWriterRecords);
  const [message] = fc.sample(save, { numRuns: 1, seed: 2 });
  assert.ok(message);
  for (let sent = 1; sent <= budget(3000); sent++) {
    outbox.put(message);
    // Nothing else wakes it: this thread does not turn its event loop.
    for (let seen = Atomics.load(count, 0); seen < sent; seen = Atomics.load(count, 0)) {
      assert.notEqual(Atomics.wait(count, 0, seen, 20_000), 'timed-out', `record ${sent} was not seen`);
    }
    for (let spin = 0; spin < (sent * 7919) % 3000; spin++) Atomics.load(count, 1);
  }
  port1.close();
});
