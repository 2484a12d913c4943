/**
 * A store that another process owns: every command works all the same, while that process computes and never yields.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ASK_OWNER } from '../../src/api/options.js';
import { RemoteOwner } from '../../src/api/remote-owner.js';
import { encodeMessage, FrameReader } from '../../src/format/message.js';
import { Snap } from '../../src/index.js';
import { type Listener, listen } from '../../src/io/socket.js';
import { budget } from '../support/budget.js';
import { RawClient, until } from '../support/raw-client.js';
import { suspend } from '../support/suspend.js';
import { collect, ended, ownerHere, runProgram, startProgram, storePath } from './support.js';

type Way = 'compute' | 'hold' | 'save' | 'checkpoint';

interface Live {
  path: string;
  child: ChildProcess;
  /** Lets the program end by itself; returns how it ended. */
  stop(): Promise<{ code: number | null; stderr: string }>;
}

/** A program that owns a store with three snapshots, tagged step-0 to step-2, and computes. */
async function live(
  t: { after(clean: () => unknown): void },
  way: Way,
  path = storePath(t),
  env: NodeJS.ProcessEnv = {},
): Promise<Live> {
  const child = startProgram('computing', [path, way], env);
  const end = ended(child, 300_000);
  t.after(() => {
    child.kill('SIGKILL');
    return end;
  });
  await Promise.race([once(child, 'message'), end.then(({ stderr }) => Promise.reject(new Error(stderr)))]);
  await until(() => socketOf(path) !== undefined);
  return {
    path,
    child,
    stop() {
      writeFileSync(`${path}.stop`, '');
      return end;
    },
  };
}

let holding: Promise<Live> | undefined;
const cleanUp: (() => unknown)[] = [];

/** One such program that holds its thread, for all tests that leave it as it is but for names. */
function shared(): Promise<Live> {
  if (holding) return holding;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
  cleanUp.push(() => rmSync(folder, { recursive: true }));
  holding = live({ after: (clean) => cleanUp.unshift(clean) }, 'hold', join(folder, 'store'));
  return holding;
}

after(async () => {
  for (const clean of cleanUp) await clean();
});

/** Opens a store as the command does. */
function ask(path: string): Promise<Snap> {
  return Snap.open(path, { create: false, run: 'live', [ASK_OWNER]: true });
}

interface OwnerJson {
  pid?: number;
  socket?: string;
}

/** What `owner.json` says; nothing while it is being replaced. */
function ownerOf(path: string): OwnerJson {
  try {
    return JSON.parse(readFileSync(join(path, 'owner.json'), 'utf8')) as OwnerJson;
  } catch {
    return {};
  }
}

function socketOf(path: string): string | undefined {
  return ownerOf(path).socket;
}

function storeOf(path: string): string {
  return (JSON.parse(readFileSync(join(path, 'holdfast.json'), 'utf8')) as { uuid: string }).uuid;
}

async function steps(snap: Snap): Promise<(number | undefined)[]> {
  return (await collect(snap.list())).map(({ step }) => step);
}

for (const way of ['compute', 'save'] as const) {
  test(`all that changes names is done beside a program that never yields (${way})`, async (t) => {
    const { path, stop } = await live(t, way);
    {
      await using snap = await ask(path);
      const { id } = await snap.info('step-1');
      assert.equal(await snap.tag('best', 'step-1'), id);
      assert.equal((await snap.tags()).get('best'), id);
      await snap.untag('step-0');
      assert.equal((await snap.tags()).has('step-0'), false);
      await assert.rejects(snap.untag('step-0'), { code: 'SNAP_NOT_FOUND' });
      assert.equal(await snap.forget('best'), id);
      await assert.rejects(snap.info('best'), { code: 'SNAP_NOT_FOUND' });
      assert.equal(await snap.unforget(id), id);
      assert.equal((await snap.info({ step: 1 })).id, id);
      assert.equal((await snap.gc()).dropped, 0);
      await snap.forget({ step: 0 });
      assert.equal((await snap.gc()).dropped, 1);
    }
    const { code, stderr } = await stop();
    assert.deepEqual([code, stderr], [0, '']);
    await using snap = await Snap.open(path, { run: 'live' });
    assert.deepEqual((await snap.info('best')).step, 1);
    assert.deepEqual((await steps(snap)).slice(-2), [2, 1]);
  });
}

test('what is answered through the socket is what a reader of the packs sees', async () => {
  const { path } = await shared();
  await using asking = await ask(path);
  await using reading = await Snap.open(path, { readOnly: true, run: 'live' });
  assert.deepEqual(await collect(asking.list()), await collect(reading.list()));
  assert.deepEqual(await asking.info('step-2'), await reading.info('step-2'));
  assert.deepEqual(await asking.tags(), await reading.tags());
  const { indexBytes: _, ...stats } = await asking.stats();
  const { indexBytes: __, ...expected } = await reading.stats();
  assert.deepEqual(stats, expected);
  const report = await asking.verify({ readData: true });
  assert.deepEqual([report.ok, report.complete, report.snapshots], [true, true, 3]);
  // Only the owner knows what is in use.
  const plan = async (snap: Snap) =>
    (await snap.gc({ last: 1, tags: 'step-0' }, { dryRun: true })).snapshots.map(
      ({ reasons: _, ...rest }) => rest,
    );
  assert.deepEqual(await plan(asking), await plan(reading));
});

test('a list of snapshots with much meta comes in pages of a size that a message can have', async (t) => {
  const path = storePath(t);
  await using snap = await Snap.open(path);
  const meta = 'm'.repeat(1_000_000);
  for (let step = 0; step < 12; step++) await snap.save(step, { step, meta });
  await snap.flush();
  await until(() => socketOf(path) !== undefined);
  const client = await RawClient.greeted(socketOf(path) as string, storeOf(path));
  client.request(1, 'list', {});
  const { infos, below } = (await client.next('reply')).result as { infos: unknown[]; below: number };
  assert.ok(infos.length < 6 && below > 0);
  assert.deepEqual(await steps(snap), [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
});

test('saving and the bytes of states are not for others', async () => {
  const { path } = await shared();
  await using snap = await ask(path);
  await assert.rejects(snap.save({ n: 1 }), TypeError);
  await assert.rejects(snap.prepare({ n: 1 }), TypeError);
  await assert.rejects(snap.restore(), { code: 'SNAP_LOCKED', message: /process \d+ owns this store/ });
  assert.deepEqual(await steps(snap), [2, 1, 0], 'it goes on');
});

test('two that ask at once, with many requests under way each', async () => {
  const { path } = await shared();
  await using a = await ask(path);
  await using b = await ask(path);
  const names = Array.from({ length: 20 }, (_, index) => `n-${index}`);
  await Promise.all(
    names.flatMap((name) => [
      a.tag(`${name}-a`, 'step-0'),
      b.tag(`${name}-b`, 'step-1'),
      b.tag(name, 'step-2'),
    ]),
  );
  const tags = await a.tags();
  assert.equal([...tags.keys()].filter((name) => name.startsWith('n-')).length, 3 * names.length);
  assert.deepEqual(tags, await b.tags());
});

test('commands that come all at once, with no program beside: each is done, as owner or by asking one', async (t) => {
  const path = storePath(t);
  {
    await using snap = await Snap.open(path);
    await snap.save({ n: 1 });
  }
  const rounds = budget(4);
  const names = ['a', 'b', 'c'];
  const ends = await Promise.all(names.map((name) => runProgram('asker', [path, name, String(rounds)])));
  for (const { code, stderr } of ends) assert.deepEqual([code, stderr], [0, '']);
  await using snap = await Snap.open(path);
  assert.equal((await snap.tags()).size, names.length * rounds);
  const report = await snap.verify({ readData: true });
  assert.equal(report.ok, true);
});

test('an owner that closes: who asked it becomes the owner, and nothing is lost', async (t) => {
  const { path, stop } = await live(t, 'hold');
  await using snap = await ask(path);
  await snap.tag('before', 'latest');
  const [end] = await Promise.all([stop(), snap.tag('meanwhile', 'latest')]);
  assert.equal(end.code, 0);
  await snap.tag('after', 'latest');
  assert.deepEqual([...(await snap.tags()).keys()].sort(), [
    'after',
    'before',
    'meanwhile',
    'step-0',
    'step-1',
    'step-2',
  ]);
  assert.equal(ownerOf(path).pid, process.pid);
});

test('an owner that is killed with a request: that is told, and the next request is done all the same', async (t) => {
  const { path, child } = await live(t, 'hold');
  await using snap = await ask(path);
  await suspend(child);
  const tagging = snap.tag('x', 'latest');
  const told = assert.rejects(tagging, {
    code: 'SNAP_BROKEN',
    pid: child.pid,
    message: /tag may be done or not/,
  });
  await sleep(50);
  child.kill('SIGKILL');
  await told;
  await snap.tag('x', 'step-0');
  assert.ok((await snap.tags()).has('x'));
});

test('an owner that is stopped: nobody takes its store, writing says so and reading goes on', async (t) => {
  const { path, child, stop } = await live(t, 'hold');
  await suspend(child);
  await assert.rejects(ask(path), {
    code: 'SNAP_LOCKED',
    pid: child.pid,
    message: new RegExp(`process ${child.pid} owns this store and does not answer`),
  });
  {
    await using reader = await Snap.open(path, { readOnly: true, run: 'live' });
    assert.deepEqual(await steps(reader), [2, 1, 0]);
    assert.equal(((await reader.restore('step-1')) as { step: number }).step, 1);
  }
  child.kill('SIGCONT');
  {
    await using snap = await ask(path);
    await snap.tag('again', 'latest');
  }
  assert.equal((await stop()).code, 0);
});

test('an owner that is stopped with a request: that ends too, when signs of life stay away', async (t) => {
  const { path, child } = await live(t, 'hold');
  await using snap = await ask(path);
  assert.equal((await snap.tags()).size, 3);
  await suspend(child);
  t.mock.timers.enable({ apis: ['setInterval'] });
  const tagging = snap.tag('x', 'latest');
  let ended = false;
  const told = assert
    .rejects(tagging, { code: 'SNAP_LOCKED', pid: child.pid, message: /answers no more: tag may be done/ })
    .finally(() => {
      ended = true;
    });
  await sleep(20);
  t.mock.timers.tick(15_000);
  await sleep(20);
  assert.equal(ended, false, 'fifteen may be missing');
  t.mock.timers.tick(1000);
  await told;
  t.mock.timers.reset();
  child.kill('SIGCONT');
});

test('an opening that waits for a stopped owner can be aborted', async (t) => {
  const { path, child } = await live(t, 'hold');
  await suspend(child);
  const signal = AbortSignal.timeout(50);
  const opening = Snap.open(path, { create: false, [ASK_OWNER]: true, signal });
  await assert.rejects(opening, { name: 'AbortError' });
});

test('what a killed owner left behind is replaced by the next one, and gone when that closes', async (t) => {
  const { path, child } = await live(t, 'hold');
  const socket = socketOf(path) as string;
  const snap = await ask(path);
  await snap.tag('before', 'latest');
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(existsSync(socket));
  await snap.tag('after', 'latest');
  await until(() => ownerOf(path).pid === process.pid && socketOf(path) !== undefined);
  assert.equal(socketOf(path), socket);
  const client = await RawClient.greeted(socket, storeOf(path));
  await snap.close();
  await client.next('bye');
  assert.equal(existsSync(socket), false);
  assert.equal(existsSync(join(path, 'owner.json')), false);
});

test('a store whose path is too long for a socket is asked all the same', async (t) => {
  const path = join(storePath(t), 'd'.repeat(120), 'e'.repeat(120), 'store');
  const { child } = await live(t, 'hold', mkdirAbove(path));
  assert.ok(Buffer.byteLength(socketOf(path) as string) <= 107);
  await using snap = await ask(path);
  await snap.tag('far', 'latest');
  await using reader = await Snap.open(path, { readOnly: true });
  assert.ok((await reader.tags()).has('far'));
  assert.equal(child.exitCode, null);
});

function mkdirAbove(path: string): string {
  mkdirSync(join(path, '..'), { recursive: true });
  return path;
}

test('the owner of another store is not asked, whatever owner.json says', async (t) => {
  const { path, child } = await live(t, 'hold');
  const other = storePath(t);
  await using mine = await Snap.open(other);
  await mine.save({ n: 1 }, { tag: 'mine', durable: true });
  await until(() => socketOf(other) !== undefined);
  const file = join(path, 'owner.json');
  const owner = ownerOf(path);
  writeFileSync(file, JSON.stringify({ ...owner, socket: socketOf(other) }));
  await assert.rejects(ask(path), { code: 'SNAP_LOCKED', pid: child.pid });
  assert.deepEqual([...(await mine.tags()).keys()], ['mine']);
});

/** Something that listens, and whose path `owner.json` of a store gives as the owner's. */
async function impostor(
  t: TestContext,
  say: (socket: Socket, hello: { store: string }) => void,
  path?: string,
): Promise<{ directory: string; asked: unknown[] }> {
  const directory = storePath(t);
  await using snap = await Snap.open(directory);
  await snap.close();
  const asked: unknown[] = [];
  const hear = (socket: Socket) => {
    const reader = new FrameReader(1 << 20);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      for (const message of reader.push(bytes)) {
        asked.push(message);
        say(socket, message as { store: string });
      }
    });
  };
  const name = randomBytes(8).toString('hex');
  const listener = path ? createServer(hear).listen(path) : await listen(name, 9, hear);
  t.after(() => listener.close());
  const owner = {
    pid: process.pid,
    host: hostname(),
    since: '',
    socket: path ?? (listener as Listener).path,
  };
  writeFileSync(join(directory, 'owner.json'), JSON.stringify(owner));
  return { directory, asked };
}

const frame = (message: unknown) => encodeMessage(message, 1 << 20);

test('a socket that is none of ours is not spoken to', async (t) => {
  const path = join(storePath(t), '..', 'agent.sock');
  const { directory, asked } = await impostor(t, () => {}, path);
  assert.equal(await RemoteOwner.find(directory, 'main'), undefined);
  await sleep(20);
  assert.deepEqual(asked, []);
  writeFileSync(join(directory, 'owner.json'), '{"pid": 1, "host": "h", "since": "", "socket": 3}');
  assert.equal(await RemoteOwner.find(directory, 'main'), undefined);
});

test('one who is not the owner of this store, or speaks otherwise, is not asked', async (t) => {
  const other = await impostor(t, (socket) =>
    socket.write(frame({ type: 'welcome', protocol: 1, store: 'f'.repeat(32), pid: 7 })),
  );
  assert.equal(await RemoteOwner.find(other.directory, 'main'), undefined);
  const garbage = await impostor(t, (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
  assert.equal(await RemoteOwner.find(garbage.directory, 'main'), undefined);
  const refusing = await impostor(t, (socket) =>
    socket.write(frame({ type: 'refused', reason: 'protocol' })),
  );
  await assert.rejects(RemoteOwner.find(refusing.directory, 'main'), {
    code: 'SNAP_LOCKED',
    pid: process.pid,
    message: /another version of holdfast/,
  });
});

test('an owner that says what makes no sense is left, and what it was asked is told to be open', async (t) => {
  for (const nonsense of [frame({ type: 'sing' }), frame(null), Buffer.from('nonsense')]) {
    const { directory } = await impostor(t, (socket, { store }) => {
      socket.write(store ? frame({ type: 'welcome', protocol: 1, store, pid: 7 }) : nonsense);
    });
    const owner = await RemoteOwner.find(directory, 'main');
    await assert.rejects(owner?.request('tags', []) as Promise<unknown>, { code: 'SNAP_BROKEN', pid: 7 });
  }
});

test('a queue that is never empty shuts neither the socket nor long work out', async (t) => {
  const path = storePath(t);
  await using snap = await Snap.open(path);
  const { id } = await snap.save({ n: 1 }, { durable: true });
  await until(() => socketOf(path) !== undefined);
  const client = await RawClient.greeted(socketOf(path) as string, storeOf(path));
  const { owner, client: here } = await ownerHere(path);
  let done = false;
  // Answering takes longer than asking, because a manifest is read: so the queue only grows while it is filled.
  const flood = async () => {
    done = false;
    const requests = Array.from({ length: 5000 }, () => owner.request(here, 'info', [id]));
    await Promise.all(requests);
    done = true;
  };
  let flooding = flood();
  client.request(1, 'checkpoint');
  while (owner.checkpoints === 0) owner.poll();
  owner.poll();
  for (let turn = 0; turn < 20; turn++) await null;
  assert.equal(done, false, 'the socket was heard before the queue was empty');
  await flooding;
  const verified = snap.verify({ readData: true });
  flooding = flood();
  await verified;
  assert.equal(done, false, 'it was verified before the queue was empty');
  await flooding;
  await owner.detach(here);
});

test('a client that goes away while its store is verified has that stopped', async (t) => {
  const path = storePath(t);
  await using snap = await Snap.open(path);
  const noise = new Uint8Array(64 << 20);
  for (let at = 0; at < noise.length; at += 65_536) crypto.getRandomValues(noise.subarray(at, at + 65_536));
  await snap.save({ noise }, { durable: true });
  await until(() => socketOf(path) !== undefined);
  const client = await RawClient.greeted(socketOf(path) as string, storeOf(path));
  client.request(1, 'verify', { share: 1 });
  client.socket.end();
  // Where it came to is noted only by one that ended early.
  await until(() => existsSync(join(path, 'verified.json')));
});

test('aborting what was asked stops it in the owner', async () => {
  const { path } = await shared();
  const owner = (await RemoteOwner.find(path, 'live')) as RemoteOwner;
  const abort = new AbortController();
  const asked = owner.checkpoint(abort.signal);
  await sleep(20);
  abort.abort();
  assert.equal(await asked, undefined);
  await owner.close();
});

test('many commands one after another leave no descriptor behind', async (t) => {
  const { path, child } = await shared();
  const descriptors = `/proc/${child.pid}/fd`;
  if (!existsSync(descriptors)) return t.skip('no /proc to count descriptors in');
  const command = async () => {
    await using snap = await ask(path);
    assert.ok((await snap.tags()).has('step-0'));
  };
  for (let round = 0; round < 10; round++) await command();
  const before = readdirSync(descriptors).length;
  for (let round = 0; round < budget(100); round++) await command();
  // The last one may still be on its way out.
  await until(() => readdirSync(descriptors).length <= before + 1);
});

test('a process ends by itself although somebody is connected and waits', async (t) => {
  for (const way of ['nothing', 'exit']) {
    const path = storePath(t);
    const child = startProgram('ending-late', [path, way]);
    const end = ended(child);
    await once(child, 'message');
    await until(() => socketOf(path) !== undefined);
    const client = await RawClient.greeted(socketOf(path) as string, storeOf(path));
    client.request(1, 'checkpoint');
    child.send('end');
    const { code, signal, stderr } = await end;
    assert.deepEqual([code, signal, stderr], [0, null, '']);
    await client.next('bye');
  }
});

test('a reader serves nobody', async (t) => {
  const path = storePath(t);
  {
    await using snap = await Snap.open(path);
    await snap.save({ n: 1 });
  }
  await using reader = await Snap.open(path, { readOnly: true });
  await reader.restore();
  assert.equal(existsSync(join(path, 'owner.json')), false);
});

test('where no socket can be made the run goes on, with a warning', async (t) => {
  const path = storePath(t);
  const child = startProgram('computing', [path, 'save'], { TMPDIR: '/nonexistent' });
  const end = ended(child);
  await once(child, 'message');
  await assert.rejects(ask(path), { code: 'SNAP_LOCKED', pid: child.pid });
  writeFileSync(`${path}.stop`, '');
  const { code, stderr } = await end;
  assert.equal(code, 0, stderr);
  assert.match(stderr, /no socket can be made .*nonexistent/);
});

test('a run tells how it is doing, at once even where it saves all the time', async (t) => {
  const { path, child } = await live(t, 'save');
  const owner = (await RemoteOwner.find(path, 'live')) as RemoteOwner;
  const first = await owner.status();
  await until(() => existsSync(path));
  let later = await owner.status();
  while (later && first && later.saves < first.saves + 3) {
    await sleep(10);
    later = await owner.status();
  }
  assert.ok(first && later);
  assert.deepEqual([later.pid, later.runs.sort(), later.failedSaves], [child.pid, ['aside', 'live'], 0]);
  assert.deepEqual([later.since, later.lastError], [first.since, undefined]);
  assert.ok(later.savesPerMinute >= 3 && later.savesPerMinute <= 60 * later.saves);
  assert.ok(later.storedBytes > first.storedBytes);
  assert.ok(later.lagMs >= 0 && (later.waiting > 0 || later.lagMs === 0));
  assert.equal(later.last?.run, 'live');
  assert.ok((later.last?.stallMs ?? -1) >= 0 && (later.last?.durableMs ?? -1) >= 0);
  await owner.close();
});

test('a loop that looks for it is asked for a save, which is durable when that is answered', async (t) => {
  const { path, stop } = await live(t, 'checkpoint');
  const owner = (await RemoteOwner.find(path, 'live')) as RemoteOwner;
  const [a, b] = await Promise.all([owner.checkpoint(), owner.checkpoint()]);
  assert.ok(a && b && a.step !== undefined && a.step > 2);
  const c = await owner.checkpoint();
  assert.ok(c && (c.step as number) > (a.step as number));
  await using reader = await Snap.open(path, { readOnly: true });
  assert.equal(((await reader.restore(c.id)) as { step: number }).step, c.step);
  const unanswered = owner.checkpoint();
  await stop();
  await unanswered;
  await owner.close();
});

test('permissions of the socket of a store', async () => {
  const { path } = await shared();
  const socket = socketOf(path) as string;
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  assert.equal(statSync(join(socket, '..')).mode & 0o777, 0o700);
});
