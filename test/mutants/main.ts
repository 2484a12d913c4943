/**
 * Mutation testing of what nothing acknowledged may be lost by: breaks one thing at a time in a copy of the sources
 * and shows which test notices.
 *
 *   npm run mutants -- [--only NAME]... [--all] [--list]
 *
 * `--only` takes any part of a name. Of each mutant those test files run that are named for it, up to the first
 * failure; with `--all`, one that survives them meets every other test file too. Ends with status 1 where one
 * survives, and before anything else where a test fails without any mutant.
 */

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mutants } from './list.js';
import type { Mutant } from './mutant.js';
import { Workshop } from './workshop.js';

async function firstToNotice(
  workshop: Workshop,
  mutant: Mutant,
  files: Iterable<string>,
): Promise<string | undefined> {
  const mend = workshop.put(mutant);
  try {
    for (const file of files) {
      const failure = await workshop.firstFailure(file);
      if (failure !== undefined) return `${file}: ${failure}`;
    }
    return undefined;
  } finally {
    mend();
  }
}

async function run(chosen: readonly Mutant[], all: boolean): Promise<boolean> {
  const workshop = new Workshop(join(dirname(fileURLToPath(import.meta.url)), '../../..'));
  workshop.check(chosen);
  const named = new Set(chosen.flatMap(({ tests }) => tests));
  for (const file of all ? workshop.testFiles() : named) {
    const failure = await workshop.firstFailure(file);
    if (failure !== undefined) throw new Error(`${file} fails without any mutant: ${failure}`);
  }
  const rows: string[] = [];
  let survivors = 0;
  for (const [done, mutant] of chosen.entries()) {
    const files = new Set([...mutant.tests, ...(all ? workshop.testFiles() : [])]);
    const noticed = await firstToNotice(workshop, mutant, files);
    if (noticed === undefined) survivors++;
    console.error(`${done + 1}/${chosen.length} ${mutant.name}: ${noticed ?? 'SURVIVED'}`);
    rows.push(`| ${mutant.name} | ${mutant.breaks} | ${noticed ?? '**SURVIVED**'} |`);
  }
  console.log(['| mutant | breaks | caught by |', '| --- | --- | --- |', ...rows].join('\n'));
  console.log(`\n${chosen.length - survivors} of ${chosen.length} caught`);
  return survivors === 0;
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
