import type { Store } from '../api/store.js'

/** How many `createSessions` use a store: the last one to close closes it. */
const users = new WeakMap<Store, number>()

export function retain(store: Store): void {
  users.set(store, (users.get(store) ?? 0) + 1)
}

/** True for the last one. */
export function release(store: Store): boolean {
  const left = (users.get(store) ?? 1) - 1
  users.set(store, left)
  return left === 0
}
