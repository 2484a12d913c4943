/**
 * The owner's socket against whoever may be at its other end: people without permission, other stores' commands,
 * garbage, floods, and clients that stop in the middle of anything.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type TestContext, test } from 'node:test';
import { encodeMessage } from '../../src/format/message.js';
import type { ToWriter } from '../../src/writer/protocol.js';
import { Server, type ServerOptions } from '../../src/writer/server.js';
import { budget, replayable, seeds } from '../support/budget.js';
import { Random } from '../support/random.js';
import { RawClient, until } from '../support/raw-client.js';

const STORE = '00112233445566778899aabbccddeeff';
const BRIEF = { greeting: 20, inside: 20, clogged: 20, working: Number.POSITIVE_INFINITY, idle: 20 };

const GC = {
  policy: undefined,
  run: undefined,
  dryRun: true,
  explain: false,
  force: false,
  maxSeconds: undefined,
};

interface Serving {
  server: Server;
  /** What was received in the name of clients. */
  taken: ToWriter[];
}

async function serve(t: TestContext, options: Partial<ServerOptions> = {}): Promise<Serving> {
  const taken: ToWriter[] = [];
  const server = await Server.start({
    store: STORE,
    directory: `/${randomBytes(8).toString('hex')}`,
    damage: [],
    receive: (message) => taken.push(message),
    ...options,
  });
  t.after(() => server.close());
  return { server, taken };
}

/** Lets the first request of a client be answered as the writer thread would. */
async function answer({ server, taken }: Serving, result: unknown): Promise<void> {
  await until(() => taken.some(({ type }) => type === 'request'));
  const message = taken.splice(
    taken.findIndex(({ type }) => type === 'request'),
    1,
  )[0];
  if (message?.type !== 'request') throw new Error('no request');
  server.deliver({ type: 'reply', client: message.client, request: message.request, result });
}

test('socket and folder are their user alone', async (t) => {
  const { server } = await serve(t);
  assert.equal(statSync(server.path).mode & 0o777, 0o600);
  assert.equal(statSync(dirname(server.path)).mode & 0o777, 0o700);
  assert.ok(Buffer.byteLength(server.path) <= 103);
});

test('a folder that others may enter is closed to them first', async (t) => {
  const { server } = await serve(t);
  chmodSync(dirname(server.path), 0o755);
  await serve(t);
  assert.equal(statSync(dirname(server.path)).mode & 0o777, 0o700);
});

test('another user gets nothing, not even a connection', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can become another user');
  const { server, taken } = await serve(t);
  const script = `require('net').createConnection(${JSON.stringify(server.path)})
    .on('connect', () => console.log('connected')).on('error', ({ code }) => console.log(code))`;
  const { stdout } = spawnSync(process.execPath, ['-e', script], {
    uid: 65534,
    gid: 65534,
    encoding: 'utf8',
    cwd: '/',
  });
  assert.equal(stdout.trim(), 'EACCES');
  assert.deepEqual(taken, []);
});

test('the socket is gone when the owner closes, and a new owner replaces what a killed one left', async (t) => {
  const directory = '/somewhere/or/other';
  const first = await serve(t, { directory });
  // Without its closing: the name stays, as after SIGKILL.
  const second = await serve(t, { directory });
  assert.equal(second.server.path, first.server.path);
  const client = await RawClient.greeted(second.server.path, STORE);
  assert.equal(second.taken.length, 1);
  second.server.close();
  assert.equal(existsSync(second.server.path), false);
  await client.next('bye');
});

test('a client is attached, asks, is answered and detached, with a run of its own', async (t) => {
  const serving = await serve(t);
  const client = await RawClient.greeted(serving.server.path, STORE, 'heat');
  const other = await RawClient.greeted(serving.server.path, STORE, 'fine');
  assert.deepEqual(serving.taken.splice(0), [
    { type: 'attach', client: -1, run: 'heat', keep: undefined, program: undefined },
    { type: 'attach', client: -2, run: 'fine', keep: undefined, program: undefined },
  ]);
  client.request(7, 'tag', 'best', 'latest');
  await until(() => serving.taken.length > 0);
  assert.deepEqual(serving.taken, [
    { type: 'request', client: -1, request: 7, method: 'tag', args: ['best', 'latest'] },
  ]);
  await answer(serving, 'an id');
  assert.deepEqual(await client.next('reply'), { type: 'reply', request: 7, result: 'an id' });
  assert.deepEqual(other.received, []);
  client.socket.destroy();
  await until(() => serving.taken.length > 0);
  assert.deepEqual(serving.taken, [{ type: 'detach', client: -1 }]);
});

test('a store or a version of the protocol that is not ours is refused', async (t) => {
  const { server, taken } = await serve(t);
  for (const [hello, reason] of [
    [{ type: 'hello', protocol: 1, store: STORE.replace('0', '1'), run: 'main' }, 'store'],
    [{ type: 'hello', protocol: 2, store: STORE, run: 'main' }, 'protocol'],
  ] as const) {
    const client = await RawClient.connect(server.path);
    client.send(hello);
    assert.deepEqual(await client.next('refused'), { type: 'refused', reason });
    await client.ended();
  }
  assert.deepEqual(taken, []);
});

test('what makes no sense ends its connection, and that alone', async (t) => {
  const { server, taken } = await serve(t);
  const bystander = await RawClient.greeted(server.path, STORE);
  const hello = { type: 'hello', protocol: 1, store: STORE, run: 'main' };
  const request = { type: 'request', request: 1, method: 'tags', args: [] };
  for (const messages of [
    [request],
    [null],
    [[]],
    ['hello'],
    [{}],
    [{ type: 'close' }],
    [{ ...hello, run: '../other' }],
    [{ ...hello, protocol: '1' }],
    [{ ...hello, store: undefined }],
    [hello, hello],
    [hello, { ...request, request: 0 }],
    [hello, { ...request, request: -1 }],
    [hello, { ...request, request: 1.5 }],
    [hello, { ...request, args: {} }],
    [hello, { ...request, method: 3 }],
    [hello, request, request],
    [hello, { type: 'attach', client: 1, run: 'x' }],
  ]) {
    const client = await RawClient.connect(server.path);
    for (const message of messages) client.send(message);
    await client.ended();
  }
  await until(() => taken.filter(({ type }) => type === 'detach').length === 8);
  assert.equal(
    taken.filter(({ type }) => type === 'attach').length,
    9,
    'each that greeted, and the bystander',
  );
  assert.equal(bystander.isClosed, false);
});

test('only what is served is received, with arguments that fit', async (t) => {
  const { server, taken } = await serve(t);
  const client = await RawClient.greeted(server.path, STORE);
  taken.splice(0);
  const refused: [method: string, args: unknown[], name: string][] = [
    ['open', ['latest'], 'SNAP_LOCKED'],
    ['region', ['00'.repeat(16), 0, {}], 'SNAP_LOCKED'],
    ['close', [], 'SNAP_LOCKED'],
    ['constructor', [], 'SNAP_LOCKED'],
    ['__proto__', [], 'SNAP_LOCKED'],
    ['toString', [], 'SNAP_LOCKED'],
    ['tag', [], 'TypeError'],
    ['tag', ['../x', 'latest'], 'TypeError'],
    ['tag', ['latest', 'latest'], 'TypeError'],
    ['tag', ['x'.repeat(200), 'latest'], 'TypeError'],
    ['tag', ['x', { step: 1.5 }], 'TypeError'],
    ['tag', ['x', { before: 'now' }], 'TypeError'],
    ['tag', ['x', { before: new Date(Number.NaN) }], 'TypeError'],
    ['tag', ['x', 'latest', 'more'], 'TypeError'],
    ['untag', [1], 'TypeError'],
    ['forget', [''], 'TypeError'],
    ['unforget', [{ step: 1 }], 'TypeError'],
    ['info', [null], 'TypeError'],
    ['info', ['latest', 3], 'TypeError'],
    ['list', [], 'TypeError'],
    ['list', [null], 'TypeError'],
    ['list', [{ run: 3 }], 'TypeError'],
    ['list', [{}, '3'], 'TypeError'],
    ['tags', [1], 'TypeError'],
    ['verify', [{ share: 2 }], 'TypeError'],
    ['verify', [{ share: Number.NaN }], 'TypeError'],
    ['verify', [{ share: 1, maxSeconds: 'ever' }], 'TypeError'],
    ['verify', [null], 'TypeError'],
    ['gc', [], 'TypeError'],
    ['gc', [{ ...GC, dryRun: 1 }], 'TypeError'],
    ['gc', [{ ...GC, force: undefined }], 'TypeError'],
    ['gc', [{ ...GC, run: '..' }], 'TypeError'],
    ['gc', [{ ...GC, policy: {} }], 'RangeError'],
    ['gc', [{ ...GC, policy: { last: 0 } }], 'RangeError'],
    ['gc', [{ ...GC, policy: { newest: 3 } }], 'TypeError'],
  ];
  for (const [index, [method, args, name]] of refused.entries()) {
    client.request(1 + index, method, ...args);
    const { error } = await client.next('reply');
    assert.equal(error?.code ?? error?.name, name, `${method} ${JSON.stringify(args)}: ${error?.message}`);
  }
  assert.equal(taken.length, 0);
  const accepted: [method: string, args: unknown[]][] = [
    ['tag', ['best', { step: 3 }]],
    ['tag', ['best', { before: new Date(0) }]],
    ['untag', ['a/b']],
    ['forget', ['latest']],
    ['unforget', ['0011']],
    ['info', ['latest', undefined]],
    ['list', [{ run: 'heat', forgotten: true }, 12]],
    ['list', [{ run: undefined, forgotten: undefined }, undefined]],
    ['tags', []],
    ['stats', []],
    ['verify', [{ share: 0.5, maxSeconds: undefined }]],
    ['gc', [GC]],
    ['gc', [{ ...GC, policy: { last: 3, tags: ['a*'] }, run: 'heat', maxSeconds: 3 }]],
    ['status', []],
    ['checkpoint', []],
  ];
  for (const [index, [method, args]] of accepted.entries()) client.request(100 + index, method, ...args);
  await until(() => taken.length === accepted.length);
  assert.deepEqual(
    taken.splice(0).map((message) => message.type === 'request' && [message.method, message.args]),
    accepted,
  );
  // What is handed on is what was checked, in the form in which the engine has it.
  client.request(200, 'gc', { ...GC, policy: { within: '1h', last: 0 }, more: true });
  client.request(201, 'list', { run: 'heat', more: true });
  await until(() => taken.length === 2);
  assert.deepEqual(
    taken.map((message) => message.type === 'request' && message.args),
    [[{ ...GC, policy: { within: 3_600_000 } }], [{ run: 'heat', forgotten: undefined }, undefined]],
  );
});

test('garbage, cut and oversized frames end the connection they came by', async (t) => {
  const { server, taken } = await serve(t);
  const samples = [
    encodeMessage({ type: 'hello', protocol: 1, store: STORE, run: 'main' }, 1 << 20),
    encodeMessage({ type: 'request', request: 1, method: 'tag', args: ['x', 'latest'] }, 1 << 20),
    encodeMessage({ type: 'stop', request: 1 }, 1 << 20),
    encodeMessage({ type: 'request', request: 2, method: 'tag', args: ['x'.repeat(100_000)] }, 1 << 20),
  ];
  for (const seed of seeds(1)) {
    await replayable(seed, 'garbage on the socket', async () => {
      const random = new Random(seed);
      for (let round = 0; round < budget(60); round++) {
        const client = await RawClient.connect(server.path);
        const greets = random.chance(0.7);
        const parts = Array.from({ length: random.between(1, 4) }, () =>
          random.chance(0.5) ? random.pick(samples) : random.bytes(random.below(2000)),
        );
        const stream = Buffer.concat(greets ? [samples[0] as Buffer, ...parts] : parts);
        if (stream.length > 0 && random.chance(0.6)) {
          const at = random.below(stream.length);
          stream[at] = (stream[at] as number) ^ (1 << random.below(8));
        }
        client.socket.write(stream.subarray(0, random.between(0, stream.length)));
        client.socket.end();
        await client.ended();
      }
    });
  }
  // Nothing but what is served got through, and every client that came has gone.
  await until(() => count(taken, 'attach') === count(taken, 'detach'));
  for (const message of taken) {
    assert.ok(['attach', 'detach', 'request', 'stop'].includes(message.type), message.type);
    if (message.type === 'request')
      assert.deepEqual([message.method, message.args], ['tag', ['x', 'latest']]);
  }
  const after = await RawClient.greeted(server.path, STORE);
  assert.equal(after.isClosed, false);
});

function count(taken: readonly ToWriter[], type: ToWriter['type']): number {
  return taken.filter((message) => message.type === type).length;
}

test('clients that stop in the middle are let go: before greeting, within a message, idle', async (t) => {
  const serving = await serve(t, { patience: BRIEF, tickMs: 10 });
  const { server, taken } = serving;
  const silent = await RawClient.connect(server.path);
  const within = await RawClient.greeted(server.path, STORE);
  within.socket.write(Buffer.from([40, 0, 0, 0, 0x7b]));
  // A byte now and then is no progress.
  const drip = setInterval(() => within.socket.write(' '), 10);
  t.after(() => clearInterval(drip));
  await silent.ended();
  await within.ended();
  const idle = await RawClient.greeted(server.path, STORE);
  await idle.next('bye');
  await idle.ended();
  await until(() => count(taken, 'attach') === count(taken, 'detach'));
});

test('a client that waits for an answer is not let go, and hears that the owner is alive', async (t) => {
  const serving = await serve(t, { patience: BRIEF, tickMs: 10 });
  const client = await RawClient.greeted(serving.server.path, STORE);
  client.request(1, 'verify', { share: 1 });
  for (let signs = 0; signs < 30; signs++) await client.next('alive');
  await answer(serving, 'done');
  assert.equal((await client.next('reply')).result, 'done');
});

test('a client that does not take its answers is let go; progress does not pile up for it', async (t) => {
  const { server, taken } = await serve(t, { patience: BRIEF, tickMs: 10 });
  const client = await RawClient.greeted(server.path, STORE);
  client.socket.pause();
  client.request(1, 'verify', { share: 1 });
  await until(() => count(taken, 'request') === 1);
  const before = process.memoryUsage().rss;
  const progress = { text: 'x'.repeat(10_000) };
  for (let round = 0; round < 20_000; round++) {
    server.deliver({ type: 'progress', client: -1, request: 1, progress });
  }
  assert.ok(process.memoryUsage().rss - before < 100e6, '200 MB were not kept for it');
  await until(() => count(taken, 'detach') === 1);
  assert.deepEqual(
    taken.slice(-2).map(({ type }) => type),
    ['stop', 'detach'],
  );
});

test('a client that goes away has its long requests stopped, and what comes for it is dropped', async (t) => {
  const { server, taken } = await serve(t);
  const client = await RawClient.greeted(server.path, STORE);
  client.request(5, 'verify', { share: 1 });
  await until(() => count(taken, 'request') === 1);
  client.socket.destroy();
  await until(() => count(taken, 'detach') === 1);
  assert.deepEqual(taken.slice(2), [
    { type: 'stop', client: -1, request: 5 },
    { type: 'detach', client: -1 },
  ]);
  server.deliver({ type: 'reply', client: -1, request: 5, result: 'late' });
});

test('a stop is passed on for what is under way, and for nothing else', async (t) => {
  const { server, taken } = await serve(t);
  const client = await RawClient.greeted(server.path, STORE);
  client.send({ type: 'stop', request: 1 });
  client.request(1, 'verify', { share: 1 });
  client.send({ type: 'stop', request: 1 });
  await until(() => count(taken, 'stop') === 1);
  assert.deepEqual(
    taken.map(({ type }) => type),
    ['attach', 'request', 'stop'],
  );
});

test('connections and requests at once are bounded', async (t) => {
  const { server, taken } = await serve(t);
  const clients = [];
  for (let index = 0; index < 64; index++) clients.push(await RawClient.greeted(server.path, STORE));
  const beyond = await RawClient.connect(server.path);
  beyond.send({ type: 'hello', protocol: 1, store: STORE, run: 'main' });
  await beyond.ended();
  assert.deepEqual(beyond.received, []);
  const [first, second] = clients as [RawClient, RawClient];
  for (let request = 1; request <= 70; request++) first.request(request, 'tags');
  for (let refused = 0; refused < 6; refused++) {
    assert.equal((await first.next('reply')).error?.code, 'SNAP_BUSY');
  }
  assert.equal(count(taken, 'request'), 64);
  second.socket.destroy();
  await until(() => count(taken, 'detach') === 1);
  await RawClient.greeted(server.path, STORE);
});

test('an answer that cannot be sent is an error to its client and no more', async (t) => {
  const serving = await serve(t);
  const client = await RawClient.greeted(serving.server.path, STORE);
  client.request(1, 'tags');
  await answer(serving, { bytes: Buffer.alloc(3) });
  const { error } = await client.next('reply');
  assert.match(error?.message ?? '', /cannot hold a Buffer/);
});

test('warnings reach every client, and what is wrong with the store those that come later too', async (t) => {
  const damage = [{ kind: 'damage', message: 'pack 1', pack: 1 }];
  const { server } = await serve(t, { damage });
  const clients = [await RawClient.greeted(server.path, STORE), await RawClient.greeted(server.path, STORE)];
  const warning = { kind: 'damage', message: 'pack 3', pack: 3 };
  server.warn(warning);
  for (const client of clients) {
    assert.deepEqual((await client.next('warning')).warning, damage[0]);
    assert.deepEqual((await client.next('warning')).warning, warning);
  }
});
