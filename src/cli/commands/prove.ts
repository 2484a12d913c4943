/**
 * `snap prove`: begins a program again from a snapshot, and says whether it computes what the run computed.
 *
 * What the program prints goes to stderr. Status 1 means that the states differ, and nothing else.
 */

import type { Command } from 'commander';
import type { Proof, ProofRun } from '../../index.js';
import { parseLimit, parseRef, RUN_OF_REF, TOLERANCE } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { COMPARING, epilogue } from '../help.js';
import { reading } from '../open-store.js';
import { describeProof, proofJson, remarksOn } from '../prove-text.js';
import { REF_HELP, resolveRef } from '../refs.js';
import { undecided } from '../undecided.js';
import { printable } from '../words.js';

interface Options {
  run?: string;
  steps?: number;
  tolerance?: number;
  limit?: number;
}

/** Differing values that are listed where nobody says how many. */
const FOR_PEOPLE = 10;
const FOR_PROGRAMS = 1000;

const EXAMPLES = [
  'snap prove latest -- node heat.js              from the newest, twice the usual interval',
  'snap prove step:100 -- node heat.js --fine     to the next snapshot that the run has',
  'snap prove best --steps 5000 -- npm start      all that it has within 5000 steps',
];

export function addProve(program: Command, perform: Perform): void {
  program
    .command('prove')
    .usage('[options] <REF> -- <PROGRAM> [ARGS...]')
    .description(
      'Begins PROGRAM again from a snapshot, in a process of its own, and compares what it computes with the run that ' +
        'went on: what is not in the state, and should be, shows as the first difference. Where the run has not gone on, ' +
        'PROGRAM is compared with itself: run on, and begun again half-way. The store is only read, beside a live run ' +
        'too: in that process a scratch store stands in for it. Everything else that PROGRAM does, it does.',
    )
    .summary('prove that a program goes on from a snapshot as it would have')
    .argument('<REF>', REF_HELP, parseRef)
    .argument('<PROGRAM...>', 'how the program is started, behind --')
    .option('--steps <K>', 'go on for so many steps', parseLimit)
    .option(...TOLERANCE)
    .option(
      '--limit <N>',
      `list at most so many values (default ${FOR_PEOPLE}, with --json ${FOR_PROGRAMS})`,
      parseLimit,
    )
    .option(...RUN_OF_REF)
    .addHelpText(
      'after',
      epilogue(EXAMPLES, COMPARING, { 0: 'done: nothing differs', 1: 'something differs' }),
    )
    .action((ref: string, command: string[], options: Options) =>
      perform((context) => undecided(context, () => prove(context, ref, command, options))),
    );
}

async function prove(
  context: Context,
  ref: string,
  [program = '', ...args]: string[],
  { run, steps, tolerance, limit }: Options,
): Promise<ExitStatus> {
  const { output, json, signal } = context;
  return reading(context, async (snap) => {
    const { id } = await resolveRef(snap, ref, run);
    const proof: Proof = await snap.prove({
      ref: id,
      program,
      args,
      steps,
      tolerance,
      limit: limit ?? (json ? FOR_PROGRAMS : FOR_PEOPLE),
      cwd: context.currentFolder(),
      signal,
      onRun: ({ from, to }: ProofRun) => {
        const words = printable([program, ...args].join(' '));
        output.talk(`snap: ${words}: from step ${from} to step ${to}, in a scratch store`);
      },
      onOutput: (bytes) => output.passOn(bytes),
    });
    if (json) output.json({ store: snap.directory, command: [program, ...args], ...proofJson(proof) });
    else output.data(describeProof(proof, output.style));
    for (const remark of remarksOn(proof)) output.talk(remark);
    return proof.same ? ExitStatus.done : ExitStatus.failed;
  });
}
