/**
 * Mutation testing of what nothing acknowledged may be lost by: breaks one thing at a time in a copy of the sources
 * and shows which test notices.
 *
 *   npm run mutants -- [--only NAME]... [--all] [--list]
 *
 * `--only` takes any part of a name. Of each mutant those test files run that are named for it, up to the first
 * failure; with `--all`, one that survives them meets every other test file too. A test that fails without any mutant
 * notices nothing. Ends with status 1 where a mutant survives.
 */

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mutants } from './list.js';
import type { Mutant } from './mutant.js';
import { Workshop } from './workshop.js';

/** What becomes of a mutant: the test that notices it, or what is to be done about it. */
interface Outcome {
  caught: boolean;
  told: string;
}

/** Whether a test file passes without any mutant: what fails anyway notices nothing. */
const sound = new Map<string, boolean>();

async function isSound(workshop: Workshop, file: string): Promise<boolean> {
  if (!sound.has(file)) sound.set(file, (await workshop.firstFailure(file)) === undefined);
  return sound.get(file) as boolean;
}

async function outcomeOf(workshop: Workshop, mutant: Mutant, files: Iterable<string>): Promise<Outcome> {
  const failing: string[] = [];
  let mend: () => void;
  try {
    mend = workshop.put(mutant);
  } catch (error) {
    return { caught: false, told: error instanceof Error ? error.message : String(error) };
  }
  try {
    for (const file of files) {
      const failure = await workshop.firstFailure(file);
      if (failure === undefined) continue;
      mend();
      if (await isSound(workshop, file)) return { caught: true, told: `${file}: ${failure}` };
      failing.push(file);
      mend = workshop.put(mutant);
    }
  } finally {
    mend();
  }
  const excuse = failing.length > 0 ? ` (${failing.join(', ')} fails without any mutant)` : '';
  return { caught: false, told: `**SURVIVED**${excuse}` };
}

async function run(chosen: readonly Mutant[], all: boolean): Promise<boolean> {
  const workshop = new Workshop(join(dirname(fileURLToPath(import.meta.url)), '../../..'));
  workshop.check(chosen);
  const rows: string[] = [];
  let caught = 0;
  for (const mutant of chosen) {
    const files = new Set([...mutant.tests, ...(all ? workshop.testFiles() : [])]);
    const outcome = await outcomeOf(workshop, mutant, files);
    if (outcome.caught) caught++;
    rows.push(`| ${mutant.name} | ${mutant.breaks} | ${outcome.told} |`);
    console.error(`${rows.length}/${chosen.length} ${mutant.name}: ${outcome.told}`);
  }
  console.log(['| mutant | breaks | caught by |', '| --- | --- | --- |', ...rows].join('\n'));
  console.log(`\n${caught} of ${chosen.length} caught`);
  return caught === chosen.length;
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    all: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});
const { only } = values;
const chosen = mutants.filter(({ name }) => !only || only.some((part) => name.includes(part)));
process.on('SIGINT', () => process.exit(130));
if (chosen.length === 0) throw new Error(`no mutant is called ${only?.join(' or ')}`);
if (values.list) for (const { name, file, breaks } of chosen) console.log(`${name} (${file}): ${breaks}`);
else if (!(await run(chosen, values.all))) process.exitCode = 1;
