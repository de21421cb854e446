import type { Sessions } from 'fieldwise'
import { expectTypeOf, test } from 'vitest'
import { type MergeFunction, type OldStore, Store } from './express-session.js'

interface Fields {
  visits: number
  cart: string[]
}

declare const sessions: Sessions<Fields>
declare const open: Sessions<Fields & { [name: string]: unknown }>

test('a merge function gets and gives the values of its field', () => {
  new Store(sessions, {
    merge: {
      visits: (base, mine, stored) => {
        expectTypeOf(base).toEqualTypeOf<number | undefined>()
        expectTypeOf(mine).toEqualTypeOf<number>()
        expectTypeOf(stored).toEqualTypeOf<number | undefined>()
        return mine
      },
      // @ts-expect-error a number instead of a list
      cart: (base = [], mine) => base.length + mine.length,
    },
  })
  // @ts-expect-error no such field
  new Store(sessions, { merge: { nobody: (_base, mine) => mine } })
  // @ts-expect-error no such option
  new Store(sessions, { prefix: 'sess:' })
})

test('the fields of a catchall have merge functions too, and leave those of declared fields their types', () => {
  new Store(open, {
    merge: {
      visits: (base = 0, mine, stored = 0) => stored + mine - base,
      'oauth2:accounts.example.com': (_base, mine) => mine,
    },
  })
  expectTypeOf<MergeFunction<number>>().parameters.toEqualTypeOf<[number | undefined, number, number | undefined]>()
})

test('a store can be the old store of another', () => {
  expectTypeOf<Store<Fields>>().toExtend<OldStore>()
})

test('an option that is undefined is none', () => {
  new Store(sessions, { merge: undefined, readThrough: undefined, creates: undefined })
  new Store(sessions, { merge: { visits: undefined } })
  // @ts-expect-error not among the ways
  new Store(sessions, { creates: 'all' })
})

test('without a callback a method gives a promise, and with one nothing', () => {
  const store = new Store(sessions)
  expectTypeOf(store.get('id')).resolves.toEqualTypeOf<Record<string, unknown> | null>()
  expectTypeOf(store.get<{ visits: number }>('id')).resolves.toEqualTypeOf<{ visits: number } | null>()
  expectTypeOf(store.set('id', {})).resolves.toBeVoid()
  expectTypeOf(store.touch('id', {})).resolves.toBeVoid()
  expectTypeOf(store.destroy('id')).resolves.toBeVoid()
  expectTypeOf(store.destroy('id', () => {})).toBeVoid()
})
