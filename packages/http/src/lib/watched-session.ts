import { withHttpStatus } from './store-failure.js'

/** What the session of a request reports to the adapter around it. */
export interface Watcher {
  headersSent(): boolean
  writeNotAwaited(method: string): void
}

/** The same session, whose failures carry an HTTP status, and whose writes are reported if the response leaves before they are done. */
export function watchSession<S extends object>(session: S, watcher: Watcher): S {
  return new Proxy(session, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return (...given: unknown[]) => {
        const result: unknown = Reflect.apply(member, target, given)
        return result instanceof Promise ? watch(result, String(name), watcher) : result
      }
    },
  })
}

async function watch(result: Promise<unknown>, method: string, watcher: Watcher): Promise<unknown> {
  const late = watcher.headersSent()
  try {
    return await result
  } catch (error) {
    throw withHttpStatus(error)
  } finally {
    if (!late && writes.has(method) && watcher.headersSent()) watcher.writeNotAwaited(method)
  }
}

const writes: ReadonlySet<string> = new Set(['set', 'update', 'increment', 'take', 'delete', 'regenerate', 'destroy'])
