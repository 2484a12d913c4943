/** The store against a Map: whatever is done in whatever order, and whenever it is cut short. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { budget } from '../support/budget.js';
import { pointOf } from '../support/crash-points.js';
import { CRASHES, type Crash } from '../support/disk-crash.js';
import { type Action, RUNS } from '../support/program.js';
import { Session } from '../support/session.js';
import { diskAfter } from '../support/simulated-disk.js';

const OPTIONS = { packBytes: 2500, stagingBytes: 400, chunkBytes: 64, compression: { level: 1 } } as const;

/** The store under test: another process after every crash. */
interface Real {
  session: Session;
  processes: number;
}

/** What the model needs to know is kept by the session. */
type Abstract = Record<string, never>;

class Perform implements fc.AsyncCommand<Abstract, Real> {
  constructor(readonly action: Action) {}

  check(): boolean {
    return true;
  }

  async run(_model: Abstract, { session }: Real): Promise<void> {
    assert.ok(await session.perform(this.action), String(session.failures.at(-1)));
  }

  toString(): string {
    return JSON.stringify(this.action);
  }
}

/** Cuts an action short before its nth operation that changes the disk, or right after it. */
class CutShort implements fc.AsyncCommand<Abstract, Real> {
  constructor(
    readonly action: Action,
    readonly nth: number,
    readonly crash: Crash,
    readonly seed: number,
  ) {}

  check(): boolean {
    return true;
  }

  async run(_model: Abstract, real: Real): Promise<void> {
    const { session } = real;
    let point: ReturnType<typeof pointOf> | undefined;
    let changes = 0;
    session.disk.beforeChange = () => {
      if (++changes === this.nth) point = pointOf(session, 'cut short');
    };
    await session.perform(this.action);
    const { image, model } = point ?? pointOf(session, 'after the action');
    const found = diskAfter(image, this.crash, this.seed);
    real.session = await Session.begin({ ...OPTIONS, seed: 5000 + ++real.processes, image: found, model });
  }

  toString(): string {
    return `crash(${this.crash}, ${this.seed}) before change ${this.nth} of ${JSON.stringify(this.action)}`;
  }
}

const fraction = fc.integer({ min: 0, max: 99 }).map((value) => value / 100);
const saves = fc.record(
  {
    do: fc.constant('save' as const),
    run: fc.constantFrom(...RUNS),
    edit: fc.nat(),
    tag: fc.constantFrom('best', 'good/one'),
    restoring: fraction,
  },
  { requiredKeys: ['do', 'run', 'edit'] },
);
const actions: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: saves as fc.Arbitrary<Action> },
  fc.record({
    do: fc.constantFrom('tag' as const, 'untag' as const),
    name: fc.constantFrom('best', 'good/one'),
    pick: fraction,
  }),
  fc.record({
    do: fc.constantFrom('forget' as const, 'unforget' as const, 'restore' as const),
    pick: fraction,
  }),
  fc.constantFrom<Action>(
    { do: 'reopen' },
    { do: 'beside' },
    { do: 'evacuate', pick: 0.4 },
    { do: 'gc' },
    { do: 'gc', last: 2 },
    { do: 'abandon', run: 'alpha', edit: 1 },
  ),
);
const commands = fc.commands(
  [
    actions.map((action) => new Perform(action)),
    fc
      .tuple(actions, fc.integer({ min: 1, max: 12 }), fc.constantFrom(...CRASHES), fc.nat())
      .map((parts) => new CutShort(...parts)),
  ],
  { maxCommands: 14 },
);

test('a store does what a Map would, through any crashes', async () => {
  await fc.assert(
    fc.asyncProperty(commands, fc.nat({ max: 1000 }), async (sequence, seed) => {
      const real = { session: await Session.begin({ ...OPTIONS, seed }), processes: 0 };
      await fc.asyncModelRun(() => ({ model: {}, real }), sequence);
      await real.session.settle();
      await real.session.close();
    }),
    { numRuns: budget(120), includeErrorInReport: true },
  );
});
