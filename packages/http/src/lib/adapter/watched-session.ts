import { BadArgumentError, type FieldwiseError } from 'fieldwise'
import { isStoreFailure, withHttpStatus } from './store-failure.js'

/** What the session of a request reports to the adapter around it. */
export interface Watcher {
  headersSent(): boolean
  called(method: string): void
  failed(error: FieldwiseError): void
  writeNotAwaited(method: string): void
}

/**
 * The same session, whose failures carry an HTTP status, and whose writes are reported if the response leaves before they are done. Calls and
 * properties of express-session's `req.session` would do nothing here, so they are refused by an error that names what to use instead.
 */
export function watchSession<S extends object>(session: S, watcher: Watcher): S {
  return new Proxy(session, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (member === undefined) return strangersMember(name)
      if (typeof member !== 'function') return member
      const method = String(name)
      return (...given: unknown[]) => {
        const callback = callbackIn(method, given)
        if (callback !== undefined) return refuseCallback(method, callback)
        watcher.called(method)
        const result: unknown = member.apply(target, given)
        return result instanceof Promise ? watch(result, method, watcher) : result
      }
    },
    deleteProperty(_target, name) {
      throw new TypeError(`A session has no property '${String(name)}' to delete: await session.delete('${String(name)}')`)
    },
  })
}

/** Not an async function: it would stand first in the stack of an error. */
function watch(result: Promise<unknown>, method: string, watcher: Watcher): Promise<unknown> {
  const late = watcher.headersSent()
  const report = () => {
    if (!late && writes.has(method) && watcher.headersSent()) watcher.writeNotAwaited(method)
  }
  return result.then(
    (value) => {
      report()
      return value
    },
    (error) => {
      report()
      if (isStoreFailure(error)) watcher.failed(error)
      throw withHttpStatus(error)
    },
  )
}

/** The methods that change what is stored. */
export const writes: ReadonlySet<string> = new Set(['set', 'update', 'increment', 'take', 'delete', 'regenerate', 'destroy'])

/** What express-session's `req.session` has and this one does not need. */
const strangers: ReadonlyMap<string | symbol, string> = new Map([
  ['save', 'what was awaited is stored, so there is nothing to save'],
  ['reload', 'each get() reads the store'],
  ['touch', 'each use keeps it alive'],
  ['resetMaxAge', 'each use keeps it alive'],
])

function strangersMember(name: string | symbol): unknown {
  if (name === 'cookie') {
    throw new TypeError(
      "session.cookie does not exist: set its attributes with the adapter's cookie option, and keep it with `regenerate({ persist: true })`",
    )
  }
  const instead = strangers.get(name)
  if (instead === undefined) return undefined
  const method = String(name)
  return (...given: unknown[]) => {
    const error = new BadArgumentError(`session.${method}() does not exist: ${instead}${forPassport}`)
    const callback = callbackIn(method, given)
    if (callback === undefined) throw error
    return refuse(error, callback)
  }
}

type NodeCallback = (error: unknown) => void

/** A callback among the arguments. The function of an `update` is none, nor is one that is passed as a value. */
function callbackIn(method: string, given: readonly unknown[]): NodeCallback | undefined {
  const isNone = (at: number) => at === 1 && typeof given[0] === 'string' && (method === 'update' || method === 'set')
  return given.find((each, at): each is NodeCallback => typeof each === 'function' && !isNone(at))
}

function refuseCallback(method: string, callback: NodeCallback): Promise<never> {
  return refuse(new BadArgumentError(`session.${method}() takes no callback: await it${forPassport}`), callback)
}

/** A caller that waits for a callback does not look at the promise, so the callback is called, and the rejection counts as handled. */
function refuse(error: BadArgumentError, callback: NodeCallback): Promise<never> {
  process.nextTick(callback, error)
  const refused = Promise.reject(error)
  refused.catch(() => {})
  return refused
}

const forPassport = '. For the login sessions of passport, use passportSession() of @fieldwise/http/passport'
