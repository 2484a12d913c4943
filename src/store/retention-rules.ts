/**
 * The rules of a policy that count or measure: each looks at one run and says what it keeps, and why.
 *
 * Invariants
 *  - the newest is the one with the highest sequence, whatever the clock said
 *  - of what a rule keeps alone, it keeps all: planning again changes nothing
 *  - a larger number keeps at least the same
 *
 * Hours, days and weeks are those of UTC: they have no gaps or repeats, and mean the same on every machine.
 */

import { DAY, formatDuration, HOUR, WEEK } from '../base/units.js';
import type { Policy } from './retention-policy.js';

/** The last that a Date can hold. */
const LATEST_DATE_MS = 8.64e15;

/** What the rules look at. */
export interface Aged {
  readonly step: number | undefined;
  /** Milliseconds since 1970, as the clock had it. */
  readonly createdAt: number;
}

/** Calls `keep` with the position of each that it keeps of a run, which comes newest first and is not empty. */
export type Rule = (run: readonly Aged[], keep: (position: number, reason: string) => void) => void;

/** The rules of this policy, without tags and `maxBytes`. `now` in milliseconds since 1970. */
export function rulesOf(policy: Policy, now: number): Rule[] {
  const { last, every, within, hourly, daily, weekly } = policy;
  const rules: Rule[] = [];
  if (last) rules.push(newest(last));
  if (every) rules.push(everySteps(every));
  if (within) rules.push(notLongBefore(within, now));
  if (hourly) rules.push(newestOfEach(hourly, hourOf, (time) => `hourly ${hourText(time)}`));
  if (daily) rules.push(newestOfEach(daily, dayOf, (time) => `daily ${dayText(time)}`));
  if (weekly) rules.push(newestOfEach(weekly, weekOf, (time) => `weekly ${weekText(time)}`));
  return rules;
}

function newest(count: number): Rule {
  const reason = `last ${count}`;
  return (run, keep) => {
    for (let position = 0; position < Math.min(count, run.length); position++) keep(position, reason);
  };
}

function everySteps(steps: number): Rule {
  const reason = `every ${steps}`;
  return (run, keep) => {
    for (const [position, { step }] of run.entries()) {
      if (step !== undefined && step % steps === 0) keep(position, reason);
    }
  };
}

/**
 * From the first snapshot made at most `ms` before the newest on, by sequence.
 *
 * The newest counts as made now if its clock ran ahead. What lies between is kept whatever its clock said, and
 * so are those directly before whose clock ran ahead of the newest: nobody knows when they were made.
 */
function notLongBefore(ms: number, now: number): Rule {
  const reason = `within ${formatDuration(ms)}`;
  return (run, keep) => {
    const [{ createdAt }] = run as [Aged];
    const end = isDate(createdAt) ? Math.min(createdAt, now) : now;
    const isRecent = ({ createdAt: time }: Aged) => time <= end && time >= end - ms;
    let kept = 1 + Math.max(0, run.findLastIndex(isRecent));
    while (kept < run.length && !((run[kept] as Aged).createdAt <= end)) kept++;
    for (let position = 0; position < kept; position++) keep(position, reason);
  };
}

/** The newest of each of the last `count` hours, days or weeks that have one. */
function newestOfEach(
  count: number,
  spanOf: (time: number) => number,
  reason: (time: number) => string,
): Rule {
  return (run, keep) => {
    const seen = new Set<number>();
    for (const [position, { createdAt }] of run.entries()) {
      if (!isDate(createdAt) || seen.has(spanOf(createdAt))) continue;
      if (seen.size === count) return;
      seen.add(spanOf(createdAt));
      keep(position, reason(createdAt));
    }
  };
}

function hourOf(time: number): number {
  return Math.floor(time / HOUR);
}

function dayOf(time: number): number {
  return Math.floor(time / DAY);
}

/** Weeks begin on Mondays; 1970 began on a Thursday. */
function weekOf(time: number): number {
  return Math.floor((time + 3 * DAY) / WEEK);
}

/** `2026-11-20 13:00Z`. */
function hourText(time: number): string {
  const [hour = ''] = new Date(time).toISOString().split(':');
  return `${hour.replace('T', ' ')}:00Z`;
}

/** `2026-11-20`. */
function dayText(time: number): string {
  const [day = ''] = new Date(time).toISOString().split('T');
  return day;
}

/** `2026-W47`: the year is that of the week's Thursday (ISO 8601). */
function weekText(time: number): string {
  const thursday = weekOf(time) * WEEK;
  const year = new Date(thursday).getUTCFullYear();
  const week = 1 + Math.floor((thursday - Date.UTC(year, 0)) / WEEK);
  return `${year}-W${String(week).padStart(2, '0')}`;
}

/** Damage may leave any number where a time belongs; such a snapshot has no hour, day or week. */
function isDate(time: number): boolean {
  return Math.abs(time) <= LATEST_DATE_MS;
}
