/**
 * The program that a replay runs for each of its intervals: the steps of a reference, from one snapshot to the next.
 *
 *   node runner.js MODULE NAME VERSION
 *
 * NAME and VERSION are those of the program that made the snapshot: what it computes is to be computed in its name.
 */

import { pathToFileURL } from 'node:url';
import type { LoopOptions } from '../loop/options.js';
import type { ClassLike } from '../options.js';
import { PROVE_VARIABLE, readPlan } from '../prove/plan.js';
import { Snap } from '../snap.js';

type Step = NonNullable<LoopOptions<object>['step']>;

/** What a reference exports. */
interface Reference {
  step: Step;
  init?: () => object;
  classes?: Iterable<ClassLike>;
}

async function load(path: string): Promise<Reference> {
  const reference = (await import(pathToFileURL(path).href)) as Partial<Reference>;
  const { step } = reference;
  if (typeof step === 'function') return { ...reference, step };
  throw new TypeError(`${path} exports no function step; it takes one as snap.loop does: step(state, loop)`);
}

function noneThere(): never {
  throw new Error('holdfast: internal invariant broken: a replay without its snapshot');
}

const [, , path = '', name = '', version = ''] = process.argv;
const { step, init, classes } = await load(path);
const plan = readPlan(process.env[PROVE_VARIABLE]);
if (!plan || !Array.isArray(plan.marks)) throw new Error('this program is run by Snap.replay');
const { store: directory, run, marks } = plan;
const program = { name, version };
const snap = await Snap.open(directory, { run, create: false, classes, compression: false, program });
await snap.loop({
  init: init ?? noneThere,
  into: init !== undefined,
  step,
  steps: marks.at(-1),
  signals: { stop: [] },
});
