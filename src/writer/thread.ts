/**
 * The writer thread: owns the store, does one thing after another, and answers other processes too.
 *
 * Messages are handled in the order they came, whoever sent them. Saves that are waiting when one is encoded join its
 * commit, so that they share one sync. Whatever goes wrong with a save is told to its caller; nothing ends this thread
 * but a close.
 */

import { type MessagePort, workerData } from 'node:worker_threads';
import type { Manifest } from '../format/manifest.js';
import type { Io } from '../io/io.js';
import { lowerThreadPriority, sharedMilliseconds } from '../io/machine.js';
import { realIo } from '../io/real.js';
import { type OpenProgress, Store } from '../store/store.js';
import { Attention } from './attention.js';
import { Background, jobs, TELL_MS } from './background.js';
import { Beside } from './beside.js';
import { Client } from './client.js';
import { infoOf } from './finding.js';
import type { GcReport } from './gc-job.js';
import { Keeper } from './keeper.js';
import { type Bell, Inbox, Outbox } from './lane.js';
import { copyLent } from './lent.js';
import { toPlainError } from './plain-error.js';
import { type FromWriter, type SaveJob, type ToWriter, Word } from './protocol.js';
import { fromWriterRecords, toWriterRecords } from './records.js';
import { requests } from './requests.js';
import { memoryIn } from './restore-requests.js';
import { releaseBase, type SaverHooks, save } from './saver.js';
import { upToDate } from './up-to-date.js';

/** What the owner starts the thread with. */
export interface ThreadData {
  port: MessagePort;
  lanes: { toWriter: SharedArrayBuffer; fromWriter: SharedArrayBuffer };
  /** The shared words. */
  words: Int32Array;
  directory: string;
  create: boolean;
  readOnly: boolean;
  compression: { level: number } | false;
  internals: Internals;
  served?: boolean;
}

/** What tests may change. */
export interface Internals {
  /** URL of a module whose export `io` stands in for the real disk, clock and randomness. */
  ioModule?: string;
  /** Packs are sealed from this size on, so that a test sees many of them. */
  packBytes?: number;
  /** Heap of the writer thread, so that a test can exhaust it. */
  heapMiB?: number;
  /** Regions are tracked from this size on, so that a test of tracking needs few bytes. */
  smallestTracked?: number;
  /** Shortest time between two collections that a `keep` causes, so that a test of days takes seconds. */
  keepPauseMs?: number;
}

/** Lower priority than the loop's: its slow-down on full cores fell from 34-48 % to 0-10 %. */
const NICENESS = 10;
/**
 * A commit waits for the next save only while it is young, so that small saves share a sync and large ones do not
 * put off each other's: without the limit a loop that saved 8 MiB all the time was up to nine saves behind.
 */
const GROUP_MS = 10;
/** How long a retention policy may hold up closing. */
const LAST_GC_SECONDS = 2;
/** How long encoding goes on before others are let in. */
const SLICE_MS = 10;
interface Encoded {
  client: Client;
  job: SaveJob;
  manifest: Manifest;
  shares: (number | undefined)[];
}

/** What is handled in its turn. */
type Queued = Exclude<ToWriter, { type: 'lent' }>;

const { port, lanes, words, internals, served = true, ...options } = workerData as ThreadData;
const CLOSED = 1;
const DIED = 2;

const clients = new Map<number, Client>();
const queue: Queued[] = [];
/** Saves that are being encoded or made durable. */
let writing: readonly SaveMessage[] = [];
/** Durations known only after a commit, noted with the next. */
let timings: { id: Manifest['id']; durableMs: number }[] = [];
let running = false;
/** When the event loop, through which the socket is heard, last turned. */
let turnedAt = 0;
const outbox = new Outbox(lanes.fromWriter, port, fromWriterRecords);
const inbox = new Inbox(lanes.toWriter, port, toWriterRecords, (message, isRecord) => {
  if (isRecord) attention.recordCame();
  if (message.type !== 'bell') accept(message);
});

/** Does what has come, once the store is open. */
let work = (): void => {};

const attention = new Attention(inbox, {
  now: () => performance.now(),
  later: (look, ms) => setTimeout(look, ms),
  work: () => work(),
});

const beside = new Beside(words, {
  post,
  runs: () => [...new Set([...clients.values()].flatMap(({ id, run }) => (id > 0 ? run : [])))],
  waiting() {
    inbox.drain();
    return [...writing, ...queue.filter((message) => message.type === 'save')].map(({ job }) => job);
  },
});

function post(message: FromWriter, transfer: ArrayBuffer[] = []): void {
  if (!beside.takes(message)) outbox.post(message, transfer);
}

const hooks: SaverHooks = {
  released: (client, slot) => outbox.put({ type: 'released', client: client.id, slot }),
  breathe() {
    if (performance.now() - turnedAt < SLICE_MS) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        turnedAt = performance.now();
        resolve();
      });
    });
  },
};

/** Stands for a request where the thread itself began a job. */
const NOBODY = 0;

const background = new Background({
  progress({ client, request }, progress) {
    if (request !== NOBODY) post({ type: 'progress', client, request, progress });
  },
  done({ client, request }, result) {
    if (request === NOBODY) kept(client, result as GcReport);
    else post({ type: 'reply', client, request, result });
  },
  failed({ client, request }, error) {
    if (request === NOBODY) notKept(client, error);
    else post({ type: 'reply', client, request, error: toPlainError(error) });
  },
  pinned: () => new Set([...clients.values()].flatMap((client) => client.pinned)),
});

/** Applies the retention policies that are due. */
function keep(store: Store, last = false): void {
  for (const { id, keeper } of clients.values()) {
    const request = keeper?.due(performance.now(), last);
    if (request)
      background.begin(store, id, NOBODY, 'gc', [
        last ? { ...request, maxSeconds: LAST_GC_SECONDS } : request,
      ]);
  }
}

function kept(client: number, report: GcReport): void {
  clients.get(client)?.keeper?.done(performance.now(), report);
  post({ type: 'kept', client, report });
}

function notKept(client: number, error: unknown): void {
  clients.get(client)?.keeper?.done(performance.now(), { seconds: 0, kept: 0 });
  const { message } = toPlainError(error);
  post({
    type: 'warning',
    warning: { kind: 'gc', message: `old snapshots could not be removed: ${message}` },
  });
}

/** Puts a message in the queue. What is lent does not wait there: whoever lent it may be waiting. */
function accept(message: ToWriter): void {
  if (message.type !== 'lent') {
    queue.push(message);
    return;
  }
  const { client, ticket } = message;
  const buffers = copyLent(message);
  post(
    { type: 'returned', client, ticket, buffers },
    buffers.flatMap((buffer) => buffer ?? []),
  );
}

async function run(store: Store): Promise<void> {
  if (running) return;
  running = true;
  turnedAt = performance.now();
  attention.work();
  for (inbox.drain(); queue.length > 0 || !background.isIdle; inbox.drain()) {
    // A loop that saves all the time would leave no turn for the socket.
    const pause = hooks.breathe();
    if (pause) await pause;
    const message = background.isDue ? undefined : queue.shift();
    if (!message) {
      await background.slice();
      await new Promise(setImmediate);
    } else if (message.type === 'close') return close(store);
    else if (message.type === 'save') await saveGroup(store, message);
    else if (message.type === 'request') await answer(store, message);
    else if (message.type === 'stop') stop(message.client, message.request);
    else configure(message);
  }
  running = false;
  attention.rest();
}

type Configuration = Exclude<Queued, { type: 'save' | 'request' | 'stop' | 'close' }>;

function configure(message: Configuration): void {
  if (message.type === 'attach') {
    const { client: id, run: name, keep: policy, program } = message;
    const keeper = policy && new Keeper(policy, name, performance.now(), internals.keepPauseMs);
    clients.set(id, new Client(id, name, program, keeper));
    return;
  }
  const client = clientOf(message.client);
  if (message.type === 'detach') clients.delete(message.client);
  else if (message.type === 'segments') client.setSegments(message.slot, message.segments);
  else if (message.type === 'layout') client.setLayout(message.slot, message.layout);
  else if (message.type === 'lineage') setLineage(client, message.snapshot);
  else if (message.type === 'release') releaseBase(client, hooks);
  else throw new Error('holdfast: internal invariant broken: an unknown message');
}

/** The next save continues another snapshot: what the last one left is of no use to it. */
function setLineage(client: Client, snapshot: Manifest['id']): void {
  if (client.lineage === snapshot) return;
  releaseBase(client, hooks);
  client.durableLineage = snapshot;
  client.reset();
}

function clientOf(id: number): Client {
  const client = clients.get(id);
  if (!client) throw new Error(`holdfast: internal invariant broken: no client ${id}`);
  return client;
}

type SaveMessage = Extract<ToWriter, { type: 'save' }>;

/** Encodes a save and those waiting behind it, then makes them durable together. */
async function saveGroup(store: Store, first: SaveMessage): Promise<void> {
  const members: SaveMessage[] = [];
  writing = members;
  const encoded: Encoded[] = [];
  const began = performance.now();
  try {
    for (let next: SaveMessage | undefined = first; next; next = nextSave(began)) {
      members.push(next);
      encoded.push(await encode(store, next));
    }
    for (const { id, durableMs } of timings) store.putTiming(id, durableMs);
    await store.commit();
  } catch (error) {
    await fail(store, members, encoded.length, error);
    return;
  } finally {
    writing = [];
  }
  timings = [];
  for (const { client, job, manifest, shares } of encoded) {
    client.durableLineage = manifest.id;
    const durableMs = sharedMilliseconds() - job.savedAt;
    timings.push({ id: manifest.id, durableMs });
    const summary = store.byId(manifest.id);
    if (!summary) throw new Error('holdfast: internal invariant broken: a committed snapshot is not indexed');
    beside.saved(job, { ...infoOf(summary, manifest, job.tags), durableMs });
    const { parent, createdAt, logicalBytes, changedBytes, storedBytes } = manifest;
    const written = { parent, createdAt, logicalBytes, changedBytes, storedBytes, durableMs };
    outbox.put({ type: 'durable', client: client.id, ticket: job.ticket, written, shares });
    client.keeper?.saved();
  }
  keep(store);
}

/** The save that is next in the queue, if the open commit may take it in. */
function nextSave(began: number): SaveMessage | undefined {
  if (performance.now() - began > GROUP_MS) return undefined;
  inbox.drain();
  while (queue[0] && (queue[0].type === 'segments' || queue[0].type === 'layout')) {
    configure(queue.shift() as Configuration);
  }
  const next = queue[0];
  if (next?.type !== 'save') return undefined;
  queue.shift();
  return next;
}

async function encode(store: Store, { client: id, job, hold }: SaveMessage): Promise<Encoded> {
  const client = clientOf(id);
  const saved = await save(store, client, job, hooks);
  if (!hold) releaseBase(client, hooks);
  return { client, job, ...saved };
}

/** Undoes a commit that failed, tells every save in it, and gives their slots back. */
async function fail(
  store: Store,
  members: readonly SaveMessage[],
  encoded: number,
  error: unknown,
): Promise<void> {
  await store.rollback();
  beside.failed(members.length, error);
  const plain = toPlainError(error);
  for (const [position, { client: id, job }] of members.entries()) {
    const client = clientOf(id);
    releaseBase(client, hooks);
    client.reset();
    // A save that got through its encoding gave its slot back, or held it as the base released above.
    if (position >= encoded) hooks.released(client, job.slot);
    post({ type: 'failed', client: id, ticket: job.ticket, error: plain });
  }
}

type RequestMessage = Extract<ToWriter, { type: 'request' }>;

async function answer(store: Store, message: RequestMessage): Promise<void> {
  const { client, request, method, args } = message;
  if (beside.answers(message)) return;
  if (method in jobs) return background.begin(store, client, request, method, args);
  const handler = requests[method as keyof typeof requests] as (...all: unknown[]) => Promise<unknown>;
  try {
    const result = await upToDate(store, method, () => handler(store, clientOf(client), ...args));
    post({ type: 'reply', client, request, result }, memoryIn(result));
  } catch (error) {
    post({ type: 'reply', client, request, error: toPlainError(error) });
  }
}

function stop(client: number, request: number): void {
  background.stop(client, request);
  beside.stop(client, request);
}

async function close(store: Store): Promise<void> {
  let failure: unknown;
  beside.close();
  background.stopAll();
  keep(store, true);
  while (!background.isIdle) await background.slice();
  try {
    if (timings.length > 0 && !store.readOnly) {
      store.begin();
      for (const { id, durableMs } of timings) store.putTiming(id, durableMs);
      await store.commit();
    }
  } catch {
    // Timings are for people; a disk that is full must not keep the store from closing.
  }
  try {
    await store.close();
  } catch (error) {
    failure = error;
  }
  post(failure ? { type: 'closed', error: toPlainError(failure) } : { type: 'closed' });
  ended(CLOSED);
  port.close();
}

/** Wakes a process that waits for this thread at its end. The first reason given stands. */
function ended(how: typeof CLOSED | typeof DIED): void {
  Atomics.compareExchange(words, Word.closed, 0, how);
  Atomics.notify(words, Word.closed);
}

let openingToldAt = Number.NEGATIVE_INFINITY;

function tellOpening(progress: OpenProgress): void {
  const time = performance.now();
  if (time - openingToldAt < TELL_MS) return;
  openingToldAt = time;
  post({ type: 'opening', progress });
}

async function main(): Promise<void> {
  lowerThreadPriority(NICENESS);
  let store: Store;
  try {
    store = await Store.open({
      ...options,
      io: internals.ioModule ? ((await import(internals.ioModule)) as { io: Io }).io : realIo,
      ...(internals.packBytes !== undefined && { packBytes: internals.packBytes }),
      onWarning: (warning) => post({ type: 'warning', warning }),
      onProgress: tellOpening,
    });
  } catch (error) {
    post({ type: 'failed-to-open', error: toPlainError(error) });
    ended(CLOSED);
    port.close();
    return;
  }
  post({ type: 'opened' });
  work = () => void run(store);
  const receive = (message: ToWriter) => {
    accept(message);
    work();
  };
  port.on('message', (message: ToWriter | Bell) => {
    inbox.arrived(message);
    work();
  });
  attention.rest();
  if (!store.readOnly && served) await beside.open(store, receive);
}

process.on('exit', () => ended(DIED));
void main();
