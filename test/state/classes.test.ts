// biome-ignore-all lint/complexity/noStaticOnlyClass: what is tested of a class is often its statics
/** Registered classes: by their fields, through encode and decode, from version to version. */

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import {
  ClassRegistry,
  snapDecode,
  snapEncode,
  snapMigrate,
  snapName,
  snapVersion,
} from '../../src/state/index.js';
import { assertSame } from './same.js';
import { assertRefused, load, roundTrip, save } from './trips.js';

class Particle {
  x = 1;
  v = new Float64Array(3);
  parent: unknown;
  constructor() {
    constructed++;
  }
  get energy(): number {
    return 42;
  }
}
let constructed = 0;

/** A generator whose state is private. */
class Rng {
  #state: Uint32Array;
  constructor(seed: number) {
    this.#state = Uint32Array.of(seed, 1, 2, 3);
  }
  next(): number {
    const first = this.#state[0] as number;
    this.#state[0] = Math.imul(first, 1664525) + 1013904223;
    return first;
  }
  static [snapEncode](rng: Rng): unknown {
    return { state: rng.#state };
  }
  static [snapDecode](data: { state: Uint32Array }): Rng {
    const rng = new Rng(0);
    rng.#state = data.state;
    return rng;
  }
}

test('the symbols are those anyone can name', () => {
  assert.deepEqual(
    [snapEncode, snapDecode, snapVersion, snapMigrate, snapName],
    ['encode', 'decode', 'version', 'migrate', 'name'].map((name) => Symbol.for(`holdfast.${name}`)),
  );
});

test('an instance comes back with its prototype and fields, and its constructor does not run', () => {
  const particle = new Particle();
  particle.parent = particle;
  constructed = 0;
  const restored = roundTrip({ particle, list: [particle] }, [Particle]);
  assertSame(restored, { particle, list: [particle] });
  assert.equal(constructed, 0);
  assert.ok(restored.particle instanceof Particle && restored.particle.energy === 42);
});

test('setters and read-only accessors of a class do not stand in the way of fields of their name', () => {
  class Odd {}
  Object.defineProperty(Odd.prototype, 'a', { set: () => assert.fail('a setter ran') });
  Object.defineProperty(Odd.prototype, 'b', { get: () => 1 });
  const odd = Object.defineProperty(new Odd(), 'a', {
    value: 1,
    enumerable: true,
    writable: true,
    configurable: true,
  });
  Object.defineProperty(odd, 'b', { value: 2, enumerable: true, writable: true, configurable: true });
  assertSame(roundTrip([odd, odd], [Odd]), [odd, odd]);
});

test('subclasses: only what is registered, each by itself', () => {
  class Charged extends Particle {
    q = -1;
  }
  assertSame(roundTrip(new Charged(), [Charged]), new Charged());
  assertRefused(
    () => save(new Charged(), [Particle]),
    'SNAP_UNSUPPORTED',
    '',
    /instance of Charged.*classes: \[Charged\]/,
  );
});

test('registered subclasses of built-ins are kept as what they are', () => {
  class Table extends Map<string, unknown> {
    note = 'x';
  }
  class Names extends Set<string> {}
  class Series extends Array<number> {
    unit = 'm';
  }
  class Failure extends TypeError {
    code = 7;
  }
  class Samples extends Float32Array {
    rate = 44_100;
  }
  class Moment extends Date {}
  class Pattern extends RegExp {}
  class Text extends String {}
  class Count extends Number {}
  class Packet extends Uint8Array {}
  const classes = [Table, Names, Series, Failure, Samples, Moment, Pattern, Text, Count, Packet];
  const series = new Series();
  series.push(1, 2);
  series.length = 5;
  const state = [
    new Table([['a', 1]]),
    new Names(['b']),
    series,
    new Failure('no', { cause: 1 }),
    new Samples(1000).fill(2),
    new Moment(5),
    new Pattern('a', 'g'),
    new Text('abc'),
    new Count(-0),
    new Packet(3),
  ];
  assertSame(roundTrip(state, classes), state);
  for (const [i, cls] of classes.entries())
    assert.ok(roundTrip(state, classes)[i] instanceof (cls as unknown as typeof Object));
});

test('private state goes through encode and decode, and stays one object', () => {
  const rng = new Rng(5);
  rng.next();
  const state = { rng, again: [rng], map: new Map([[rng, 1]]), set: new Set([rng]) };
  const restored = roundTrip(state, [Rng]);
  assert.equal(restored.rng, restored.again[0]);
  assert.ok(restored.map.has(restored.rng) && restored.set.has(restored.rng));
  assert.deepEqual([restored.rng.next(), restored.rng.next()], [rng.next(), rng.next()]);
});

test('encoded data may share objects with the state, and hold other encoded instances', () => {
  class Holder {
    inside: unknown[] = [];
    static [snapEncode](holder: Holder): unknown {
      return holder.inside;
    }
    static [snapDecode](inside: unknown[]): Holder {
      assert.ok(
        inside.every((item) => item !== undefined),
        'data is complete',
      );
      return Object.assign(new Holder(), { inside });
    }
  }
  const shared = { u: new Float64Array(500) };
  const inner = Object.assign(new Holder(), { inside: [shared, new Rng(3)] });
  const outer = Object.assign(new Holder(), { inside: [inner, shared, inner] });
  const restored = roundTrip({ outer, shared, inner }, [Holder, Rng]);
  assert.equal(restored.outer.inside[0], restored.inner);
  assert.equal(restored.outer.inside[2], restored.inner);
  assert.equal(restored.outer.inside[1], restored.shared);
  assert.equal(restored.inner.inside[0], restored.shared);
});

test('an object that encloses an encoded instance may be in its data; the instance itself may not', () => {
  class Child {
    owner: unknown;
    static [snapEncode](child: Child): unknown {
      return { owner: child.owner };
    }
    static [snapDecode](data: { owner: unknown }): Child {
      return Object.assign(new Child(), data);
    }
  }
  const child = new Child();
  const owner = { child };
  child.owner = owner;
  const restored = roundTrip(owner, [Child]);
  assert.equal(restored.child.owner, restored);
  child.owner = { deep: [child] };
  assertRefused(
    () => save({ child }, [Child]),
    'SNAP_UNSUPPORTED',
    'child.owner.deep[0]',
    /whose encoded data it is part of/,
  );
  child.owner = child;
  assertRefused(() => save({ child }, [Child]), 'SNAP_UNSUPPORTED', 'child.owner', /does not exist yet/);
});

test('10^5 encoded instances inside each other', () => {
  class Link {
    next: Link | undefined;
    static [snapEncode](link: Link): unknown {
      return { next: link.next };
    }
    static [snapDecode](data: { next: Link | undefined }): Link {
      return Object.assign(new Link(), data);
    }
  }
  let chain: Link | undefined;
  for (let i = 0; i < 100_000; i++) chain = Object.assign(new Link(), { next: chain });
  let length = 0;
  for (let link = roundTrip(chain, [Link]); link !== undefined; link = link.next) length++;
  assert.equal(length, 100_000);
});

test('an encode that never ends in plain data is refused', { timeout: 120_000 }, () => {
  class Endless {
    static [snapEncode](): unknown {
      return new Endless();
    }
    static [snapDecode](): Endless {
      return new Endless();
    }
  }
  assert.throws(() => save(new Endless(), [Endless]), {
    code: 'SNAP_UNSUPPORTED',
    message: /ever more encoded instances/,
  });
});

test('what a hook throws is the cause, under the path of the instance', () => {
  const cause = new Error('no');
  class Bad {
    static fail = true;
    static [snapEncode](): unknown {
      if (Bad.fail) throw cause;
      return 1;
    }
    static [snapDecode](): Bad {
      throw cause;
    }
  }
  assert.throws(() => save({ a: [new Bad()] }, [Bad]), { code: 'SNAP_UNSUPPORTED', path: 'a[0]', cause });
  Bad.fail = false;
  const saved = save({ a: [new Bad()] }, [Bad]);
  assert.throws(() => load(saved, [Bad]), { code: 'SNAP_UNSUPPORTED', path: 'a[0]', cause });
});

test('a decode that returns something else is refused', () => {
  for (const wrong of [undefined, null, 1, {}, new Particle()]) {
    class Odd {
      static [snapEncode](): unknown {
        return 1;
      }
      static [snapDecode](): unknown {
        return wrong;
      }
    }
    const saved = save({ a: new Odd() }, [Odd]);
    assertRefused(
      () => load(saved, [Odd]),
      'SNAP_UNSUPPORTED',
      'a',
      /is a Odd whose \[Snap\.decode\] returned .*, not an instance of Odd itself/,
    );
  }
});

test('an encode that returns a promise is refused like any promise', () => {
  class Later {
    static async [snapEncode](): Promise<unknown> {
      return 1;
    }
    static [snapDecode](): Later {
      return new Later();
    }
  }
  assertRefused(() => save({ a: new Later() }, [Later]), 'SNAP_UNSUPPORTED', 'a', /is a promise/);
});

test('a class with private fields needs encode and decode, and is told so', () => {
  class Plain {
    // A '#' in text is no field: #aabbcc
    color = '#aabbcc';
    other = `#${1 + 1}`;
    text = `
      #template = 1;
      /* " */`;
    /*
      #comment = 1; */
    quoted = ';#string;';
    static #count = 0;
    static count(): number {
      return Plain.#count;
    }
  }
  assertSame(roundTrip(new Plain(), [Plain]), new Plain());
  class Hidden {
    #secret = 1;
    reveal(): number {
      return this.#secret;
    }
  }
  class Heir extends Hidden {
    open = 2;
  }
  class Method {
    #help(): number {
      return 1;
    }
    run(): number {
      return this.#help();
    }
  }
  for (const hidden of [new Hidden(), new Heir(), new Method()]) {
    const says = /its private #(secret|help) cannot be read from outside.*\[Snap\.encode\]/;
    assertRefused(() => save({ a: hidden }, [hidden.constructor]), 'SNAP_UNSUPPORTED', 'a', says);
  }
});

test('a class that extends what no snapshot can hold needs encode and decode', () => {
  class Cache extends WeakMap<object, unknown> {}
  class Task extends Promise<void> {}
  class Arena extends ArrayBuffer {}
  for (const [cls, make] of [
    [Cache, () => new Cache()],
    [Task, () => new Task(() => {})],
    [Arena, () => new Arena(8)],
  ] as const) {
    assertRefused(
      () => save([make()], [cls]),
      'SNAP_UNSUPPORTED',
      '[0]',
      /it extends (WeakMap|Promise|ArrayBuffer)/,
    );
  }
});

test('an unknown class is named on restore, with the line to add', () => {
  const saved = save({ p: [new Particle()] }, [Particle]);
  assertRefused(
    () => load(saved),
    'SNAP_UNSUPPORTED',
    'p[0]',
    /instance of Particle.*\{ classes: \[Particle\] \}/,
  );
  const encoded = save({ rng: new Rng(1) }, [Rng]);
  assertRefused(() => load(encoded), 'SNAP_UNSUPPORTED', 'rng', /classes: \[Rng\]/);
});

test('a class may go by another name than its own', () => {
  const first = (() => {
    class a {
      static [snapName] = 'Solver';
      x = 1;
    }
    return a;
  })();
  const second = (() => {
    class b {
      static [snapName] = 'Solver';
      x = 1;
    }
    return b;
  })();
  const restored = load(save(new first(), [first]), [second]);
  assert.ok(restored instanceof second);
  class Heir extends first {}
  assert.ok(roundTrip(new Heir(), [Heir, first]) instanceof Heir, 'the name is not inherited');
});

test('misuse of the registry is a TypeError that says what is wrong', () => {
  const other = (() => {
    class Particle {}
    return Particle;
  })();
  const wrong: [unknown[], RegExp][] = [
    [[Particle, other], /two classes of the name Particle/],
    [[Map], /Map is built in/],
    [[Object], /Object is built in/],
    [[Error], /built in/],
    [[Float64Array], /built in/],
    [[Promise], /built in/],
    [[Intl.DateTimeFormat], /built in/],
    [[() => 1], /not a class/],
    [[Particle.bind(null)], /not a class/],
    [[{}], /must hold classes.*not a plain object/],
    [[null], /must hold classes.*not null/],
    [[new Particle()], /must hold classes.*not an instance of Particle/],
    [Particle as never, /classes takes a list, as in \{ classes: \[Particle\] \}, not a function/],
    [{ Particle } as never, /classes takes a list.*not a plain object/],
    [[new Proxy(Particle, {})], /must hold classes/],
    [[class {}], /needs a name/],
    [
      [
        class X {
          static [snapName] = 5;
        },
      ],
      /needs a name/,
    ],
    [
      [
        class X {
          static [snapVersion] = 1.5;
        },
      ],
      /X\[Snap\.version\] must be a whole number/,
    ],
    [
      [
        class X {
          static [snapVersion] = -1;
        },
      ],
      /whole number/,
    ],
    [
      [
        class X {
          static [snapVersion] = '1';
        },
      ],
      /whole number/,
    ],
    [
      [
        class X {
          static [snapEncode] = 1;
        },
      ],
      /X\[Snap\.encode\] must be a static method/,
    ],
    [
      [
        class X {
          [snapEncode]() {}
          [snapDecode]() {}
        },
      ],
      /\[Snap\.encode\] of X is a member of its instances: make it static/,
    ],
    [
      [
        class X {
          static [snapEncode]() {}
        },
      ],
      /X has static \[Snap\.encode\] but no static \[Snap\.decode\]/,
    ],
    [
      [
        class X {
          static [snapDecode]() {}
        },
      ],
      /\[Snap\.decode\] but no static \[Snap\.encode\]/,
    ],
  ];
  for (const [classes, message] of wrong) {
    assert.throws(
      () => new ClassRegistry(classes as (() => void)[]),
      (error: Error) => error instanceof TypeError && message.test(error.message),
    );
  }
  assert.doesNotThrow(() => new ClassRegistry([Particle, Particle, Rng]));
});

/** Version 1 had width and height; version 2 has one size. */
class BoxV1 {
  static [snapName] = 'Box';
  static [snapVersion] = 1;
  width = 3;
  height = 4;
  self: unknown = this;
}
class Box {
  static [snapVersion] = 2;
  static [snapName] = 'Box';
  size = [0, 0];
  self: unknown;
  static [snapMigrate](data: { width: number; height: number; self: unknown }, from: number): unknown {
    assert.equal(from, 1);
    assert.equal(Object.getPrototypeOf(data), Object.prototype);
    return { size: [data.width, data.height], self: data.self };
  }
}

test('fields of an older version are migrated', () => {
  const restored = load(save({ box: new BoxV1(), list: [] }, [BoxV1]), [Box]) as { box: Box };
  assert.ok(restored.box instanceof Box);
  assert.deepEqual(
    [restored.box.size, Object.keys(restored.box)],
    [
      [3, 4],
      ['size', 'self'],
    ],
  );
  assert.equal(restored.box.self, restored.box, 'cycles hold through migration');
});

test('encoded data of another version is migrated before decode', () => {
  const make = (version: number) =>
    class Seeded {
      static [snapVersion] = version;
      seed: unknown;
      static [snapEncode](): unknown {
        return version;
      }
      static [snapDecode](data: unknown): unknown {
        return Object.assign(new this(), { seed: data });
      }
      static [snapMigrate](data: unknown, from: number): unknown {
        return `${data} from ${from} to ${version}`;
      }
    };
  const [old, current, next] = [make(1), make(2), make(3)];
  const saved = save(new current(), [current]);
  assert.equal((load(saved, [next]) as { seed: string }).seed, '2 from 2 to 3');
  assert.equal((load(saved, [old]) as { seed: string }).seed, '2 from 2 to 1');
  assert.equal((load(saved, [current]) as { seed: number }).seed, 2);
});

test('a class may change from fields to encode, and back, by a migration', () => {
  class Fields {
    static [snapName] = 'Shifting';
    a = 5;
  }
  class Encoded {
    static [snapName] = 'Shifting';
    static [snapVersion] = 1;
    value = 0;
    static [snapEncode](it: Encoded): unknown {
      return it.value;
    }
    static [snapDecode](value: number): Encoded {
      return Object.assign(new Encoded(), { value });
    }
    static [snapMigrate](data: { a: number }): unknown {
      return data.a;
    }
  }
  class Back {
    static [snapName] = 'Shifting';
    static [snapVersion] = 2;
    b = 0;
    static [snapMigrate](data: number): unknown {
      return { b: data };
    }
  }
  const encoded = load(save([new Fields()], [Fields]), [Encoded]) as Encoded[];
  assert.equal(encoded[0]?.value, 5);
  const back = load(save(encoded, [Encoded]), [Back]) as Back[];
  assertSame(back, [Object.assign(new Back(), { b: 5 })]);
});

test('versions that differ without a migration are refused', () => {
  class BoxWithout {
    static [snapName] = 'Box';
  }
  const saved = save({ a: new BoxV1() }, [BoxV1]);
  assertRefused(
    () => load(saved, [BoxWithout]),
    'SNAP_UNSUPPORTED',
    'a',
    /saved by version 1 of Box, which is now at version 0: restore it with a program of that version/,
  );
});

test('a class whose nature changed is refused with what to do', () => {
  const as = (cls: object): object => Object.defineProperty(cls, snapName, { value: 'Same' });
  class Fields {
    a = 1;
  }
  class Hooked {
    static [snapEncode](): unknown {
      return 1;
    }
    static [snapDecode](): Hooked {
      return new Hooked();
    }
  }
  class AsMap extends Map {}
  class AsSet extends Set {}
  class MapAgain extends Map {
    static [snapVersion] = 1;
  }
  const cases: [object, object, RegExp][] = [
    [Fields, Hooked, /saved by its fields, and Same now has \[Snap\.decode\].*\[Snap\.migrate\]/],
    [Hooked, Fields, /saved through \[Snap\.encode\], and Same now has no \[Snap\.decode\]/],
    [AsMap, AsSet, /saved as a Map, and Same is now a Set/],
    [Fields, AsMap, /saved as an ordinary object, and Same is now a Map/],
    [AsMap, MapAgain, /subclass of a built-in cannot be migrated/],
  ];
  for (const [was, now, says] of cases) {
    const state = { a: Reflect.construct(as(was) as () => void, []) };
    assertRefused(() => load(save(state, [was]), [as(now)]), 'SNAP_UNSUPPORTED', 'a', says);
  }
});

test('a migration that returns no fields is refused', () => {
  class Wrong {
    static [snapName] = 'Box';
    static [snapVersion] = 5;
    static [snapMigrate](): unknown {
      return 3;
    }
  }
  assertRefused(
    () => load(save([new BoxV1()], [BoxV1]), [Wrong]),
    'SNAP_UNSUPPORTED',
    '[0]',
    /\[Snap\.migrate\] returned no object/,
  );
});
