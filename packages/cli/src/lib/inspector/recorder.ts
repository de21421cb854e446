import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { FieldwiseEvents, SessionEvent, WriteEvent } from 'fieldwise'
import type { Frame, WriteSeen } from './frame.js'
import { Lanes } from './lanes.js'
import { type Count, noCounts, Seconds } from './seconds.js'
import { ServersSeen, type Traffic } from './servers-seen.js'
import { SessionsSeen } from './sessions-seen.js'

/** How much is remembered. What comes on top makes the oldest go, so that a process can be watched for weeks. */
const limits = { seconds: 300, sessions: 1_000, sessionsShown: 50, latest: 30 } as const

type Listeners = { [K in keyof FieldwiseEvents]?: (event: FieldwiseEvents[K]) => void }

/** Remembers what the channels of this process tell, from when it was made until it is closed. */
export class Recorder {
  readonly since: number
  readonly sessions = new SessionsSeen(limits.sessions)
  readonly #clock: { now(): number }
  readonly #totals = noCounts()
  readonly #seconds: Seconds
  readonly #lanes = new Lanes(limits.seconds)
  readonly #servers = new ServersSeen()
  #latest: WriteSeen[] = []
  readonly #stops: (() => void)[]

  constructor(clock: { now(): number }) {
    this.#clock = clock
    this.since = clock.now()
    this.#seconds = new Seconds(this.since, limits.seconds)
    this.#stops = listen(this.#listeners())
  }

  /** Everything but what a watcher has been sent already: what happened in whole seconds up to `since`. */
  frame(since: number): Omit<Frame, 'source' | 'fleet'> {
    const at = this.#clock.now()
    return {
      at,
      totals: { ...this.#totals, sessions: this.sessions.count },
      seconds: this.#seconds.after(since, at),
      lanes: this.#lanes.after(since, at),
      latest: this.#latest.toReversed(),
      sessions: this.sessions.latest(limits.sessionsShown),
    }
  }

  servers(): Map<string, Traffic> {
    return this.#servers.all()
  }

  close(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  #listeners(): Listeners {
    const { sessions } = this
    const now = () => this.#clock.now()
    return {
      'fieldwise:operation': (event) => {
        this.#count('operations')
        if (event.operation.startsWith('user.')) this.#count('userCalls')
        this.#seconds.addDuration(now(), event.duration)
        sessions.operation(event, now())
      },
      'fieldwise:flight': (event) => this.#servers.flight(event),
      'fieldwise:write': (event) => this.#wrote(event, now()),
      'fieldwise:conflict': (event) => {
        this.#count('conflicts')
        sessions.conflict(event, now())
      },
      'fieldwise:created': (event) => void sessions.became('live', event, now()),
      'fieldwise:ended': (event) => {
        if (sessions.became('ended', event, now())) this.#count('ended')
      },
      'fieldwise:lost': (event) => {
        if (sessions.became('lost', event, now())) this.#count('lost')
      },
      'fieldwise:forged': (event) => {
        this.#count('forged')
        sessions.forged(event, now())
      },
      'fieldwise:unknown': () => this.#count('unknown'),
      'fieldwise:unavailable': (event: SessionEvent) => {
        this.#count('unavailable')
        this.#servers.unavailable(event)
      },
    }
  }

  #wrote(event: WriteEvent, now: number): void {
    this.#count('writes')
    this.#count('combined', event.combined - 1)
    this.#lanes.add(now, event)
    this.sessions.wrote(event, now)
    if (event.sid === undefined) return
    const { sid, field, bytes, deleted, combined } = event
    this.#latest.push({ at: now, sid, field, bytes, deleted, combined })
    if (this.#latest.length > limits.latest) this.#latest = this.#latest.slice(-limits.latest)
  }

  #count(count: Count, amount = 1): void {
    this.#totals[count] += amount
    this.#seconds.add(this.#clock.now(), count, amount)
  }
}

function listen(listeners: Listeners): (() => void)[] {
  return Object.entries(listeners).map(([name, listener]) => {
    const onMessage = (message: unknown) => (listener as (event: unknown) => void)(message)
    subscribe(name, onMessage)
    return () => void unsubscribe(name, onMessage)
  })
}
