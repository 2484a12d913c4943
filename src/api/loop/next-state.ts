/** What may be the state of a loop. A step that returns something may mean it as the next state, or may not know it. */

/** @throws TypeError where it is no object */
export function checkState<S extends object>(state: unknown, what: string): S {
  if (typeof state === 'object' && state !== null) return state as S;
  throw new TypeError(`${what} ${nameOf(state)}; the state of a loop is an object`);
}

/**
 * `(state) => state.x++` returns a number and `(state) => state.log.push(x)` too, `(state) => state.seen.add(x)` the Set
 * inside the state: none of them is meant as the next state.
 *
 * @throws TypeError where what was returned is no object, of another kind than the state, or a part of it
 */
export function checkNext<S extends object>(returned: unknown, state: S, step: number): S {
  const isSameKind = typeof returned === 'object' && returned !== null && kindOf(returned) === kindOf(state);
  if (isSameKind && !isPartOf(returned, state)) return returned as S;
  const what = isSameKind ? 'a part of the state' : nameOf(returned);
  const where = isSameKind ? '' : ` where the state is ${nameOf(state)}`;
  throw new TypeError(
    `step ${step} returned ${what}${where}; a step changes the state in place and returns nothing, or returns the next state`,
  );
}

function isPartOf(part: object, state: object): boolean {
  if (ArrayBuffer.isView(state)) return false;
  for (const name in state) if (state[name as keyof typeof state] === part) return true;
  return false;
}

function kindOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  const kind = kindOf(value);
  return kind === 'Object' ? 'a plain object or an instance of a class' : `of kind ${kind}`;
}
