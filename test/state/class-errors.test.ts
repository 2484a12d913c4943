// biome-ignore-all lint/complexity/noStaticOnlyClass: what is tested of a class is often its statics
/** What somebody reads whose class is not registered, or not as it should be: the line to add. */

import { test } from 'node:test';
import { snapDecode, snapEncode, snapMigrate, snapVersion } from '../../src/state/index.js';
import { assertRefused, load, save } from './trips.js';

class Body {
  mass = 1;
}
class Dice {
  #seed = 1;
  roll(): number {
    return this.#seed++;
  }
}

test('a class that is not registered: where it is to be added, when saving and when restoring', () => {
  const line =
    /^state\.bodies\[1\] .*Body.*not registered: add it where .* Snap\.open\(directory, \{ classes: \[Body\] \}\)/;
  const state = { bodies: [0, new Body()] };
  assertRefused(() => save(state), 'SNAP_UNSUPPORTED', 'bodies[1]', line);
  assertRefused(() => save(state, [Dice]), 'SNAP_UNSUPPORTED', 'bodies[1]', line);
  assertRefused(() => load(save(state, [Body])), 'SNAP_UNSUPPORTED', 'bodies[1]', line);
});

test('one that has private fields, too, is told all that it needs at once', () => {
  const both =
    /classes: \[Dice\].*its private #seed cannot be read from outside, give Dice static \[Snap\.encode\]/;
  assertRefused(() => save({ dice: new Dice() }), 'SNAP_UNSUPPORTED', 'dice', both);
  class Kept extends Dice {
    static [snapEncode](): unknown {
      return 1;
    }
  }
  assertRefused(() => save({ kept: new Kept() }), 'SNAP_UNSUPPORTED', 'kept', /^(?!.*private).*\[Kept\]/);
});

test('one without a name is told to get one', () => {
  assertRefused(() => save([new (class {})()]), 'SNAP_UNSUPPORTED', '[0]', /give the class a name/);
});

test('another class of a registered name, as a module that was loaded twice gives, is told apart', () => {
  const twin = (() => {
    class Body {}
    return new Body();
  })();
  assertRefused(
    () => save({ twin }, [Body]),
    'SNAP_UNSUPPORTED',
    'twin',
    /another Body than the class of that name that is registered.*load its module only once/,
  );
});

test('what a newer version of the program saved is not asked to be migrated', () => {
  const future = (() => {
    class Body {
      static readonly [snapVersion] = 3;
      static [snapMigrate](data: unknown): unknown {
        return data;
      }
    }
    return Body;
  })();
  const saved = save({ body: new future() }, [future]);
  const says = /by version 3 of Body, which is now at version 0: restore it with a program of that version/;
  assertRefused(() => load(saved, [Body]), 'SNAP_UNSUPPORTED', 'body', says);
});

test('what [Snap.decode] returned instead of an instance is named', () => {
  class Base {
    static [snapEncode](): unknown {
      return 1;
    }
    static [snapDecode](): unknown {
      return new Base();
    }
  }
  class Heir extends Base {}
  const says = /returned an instance of Base, not an instance of Heir itself/;
  assertRefused(() => load(save(new Heir(), [Heir]), [Heir]), 'SNAP_UNSUPPORTED', '', says);
});
