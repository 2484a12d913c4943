/**
 * Which requests another process may make, and what their arguments must be.
 *
 * Invariant: what is let through here is what `Snap` itself would have let through, so that no handler has to know who
 * asks. Requests for the bytes of regions are not among them: whoever wants those reads the packs.
 */

import { checkRun, checkTag } from '../base/names.js';
import { parsePolicy } from '../store/retention-policy.js';
import type { GcRequest } from './gc-job.js';
import { checkRef } from './refs.js';
import type { VerifyRequest } from './verify-job.js';

/** Returns the arguments as they are to be handed on; throws a TypeError or RangeError for what does not fit. */
type Check = (...args: unknown[]) => unknown[];

const checks: Record<string, Check> = {
  info(ref, run, ...rest) {
    checkRef(ref);
    check(isOptional('string', run), 'run');
    return only([ref, run], rest);
  },
  list(filter, below, ...rest) {
    const { run, forgotten } = fields(filter);
    check(isOptional('string', run) && isOptional('boolean', forgotten), 'filter');
    check(isOptional('number', below), 'below');
    return only([{ run, forgotten }, below], rest);
  },
  tags: nothing,
  stats: nothing,
  tag(name, ref, ...rest) {
    checkTag(name);
    checkRef(ref);
    return only([name, ref], rest);
  },
  untag(name, ...rest) {
    check(typeof name === 'string', 'name');
    return only([name], rest);
  },
  forget(ref, ...rest) {
    checkRef(ref);
    return only([ref], rest);
  },
  unforget(id, ...rest) {
    check(typeof id === 'string', 'id');
    return only([id], rest);
  },
  verify(request, ...rest) {
    const { share, maxSeconds } = fields(request);
    check(typeof share === 'number' && share >= 0 && share <= 1, 'share');
    check(isOptional('number', maxSeconds), 'maxSeconds');
    return only([{ share, maxSeconds } satisfies Loose<VerifyRequest>], rest);
  },
  gc(request, ...rest) {
    const { policy, run, dryRun, explain, force, maxSeconds } = fields(request);
    if (run !== undefined) checkRun(run);
    for (const [name, choice] of Object.entries({ dryRun, explain, force })) {
      check(typeof choice === 'boolean', name);
    }
    check(isOptional('number', maxSeconds), 'maxSeconds');
    const checked = policy === undefined ? undefined : parsePolicy(policy);
    return only(
      [{ policy: checked, run, dryRun, explain, force, maxSeconds } satisfies Loose<GcRequest>],
      rest,
    );
  },
  status: nothing,
  checkpoint: nothing,
};

/** Every field of a request, checked one by one. */
type Loose<T> = Record<keyof T, unknown>;

/** The arguments to hand on, or undefined where there is no such request. */
export function served(method: string, args: readonly unknown[]): unknown[] | undefined {
  return Object.hasOwn(checks, method) ? checks[method]?.(...args) : undefined;
}

function nothing(...args: unknown[]): unknown[] {
  return only([], args);
}

function only(args: unknown[], rest: readonly unknown[]): unknown[] {
  check(rest.length === 0, 'something more');
  return args;
}

function fields(value: unknown): Record<string, unknown> {
  check(typeof value === 'object' && value !== null, 'no object');
  return value as Record<string, unknown>;
}

function isOptional(type: 'string' | 'number' | 'boolean', value: unknown): boolean {
  return value === undefined || typeof value === type;
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new TypeError(`a request to the owner has an argument that does not fit: ${what}`);
}
