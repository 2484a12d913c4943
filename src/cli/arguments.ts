/** What options and arguments take, checked before anything is opened. */

import { InvalidArgumentError } from 'commander';
import { checkRun, checkTag } from '../base/names.js';
import { checkTolerance, TOLERANCE_RULE } from '../base/tolerance.js';

export const RUN_OPTION = ['--run <NAME>', 'only this run', parseRun] as const;
export const RUN_OF_REF = ['--run <NAME>', 'the run that latest and step:N mean', parseRun] as const;

export const TOLERANCE = [
  '--tolerance <T>',
  `numbers a and b are the same where ${TOLERANCE_RULE}`,
  parseTolerance,
] as const;

export function parseRun(text: string): string {
  return checked(text, checkRun);
}

export function parseTag(text: string): string {
  return checked(text, checkTag);
}

export function parseRef(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('a snapshot is named by at least one character');
}

/** For several: commander hands each what the ones before made. */
export function parseRefs(text: string, previous: readonly string[] = []): string[] {
  return [...previous, parseRef(text)];
}

/** Paths inside of a state; each is looked up in the snapshot. */
export function parsePaths(text: string, previous: readonly string[] = []): string[] {
  return [...previous, text];
}

export function parseFolder(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('It takes the name of a folder.');
}

export function parseLimit(text: string): number {
  const limit = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(limit) && limit > 0) return limit;
  throw new InvalidArgumentError('It takes a whole number from 1.');
}

export function parseTolerance(text: string): number {
  try {
    return checkTolerance(text.trim() === '' ? Number.NaN : Number(text));
  } catch {
    throw new InvalidArgumentError('It takes a number from 0 to below 1, as in 1e-12.');
  }
}

/** `5%` as 0.05. */
export function parseShare(text: string): number {
  const percentage = Number(/^(\d+(?:\.\d+)?)%$/.exec(text)?.[1]);
  if (percentage > 0 && percentage <= 100) return percentage / 100;
  throw new InvalidArgumentError('It takes a percentage above 0%, at most 100%, as in 5%.');
}

export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && seconds > 0) return seconds;
  throw new InvalidArgumentError('It takes a number of seconds above 0.');
}

function checked(text: string, check: (text: unknown) => void): string {
  try {
    check(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
