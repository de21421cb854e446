import { beforeEach, describe, expect, test } from 'vitest'
import { turn } from '../../../../../test/support/virtual-time.js'
import { RunningClock } from './running-clock.js'

/** A process whose time, timers and sockets the test moves. */
class Clockwork {
  now = 0
  readonly alarms = new Set<{ at: number; ring: () => void; isKept: boolean }>()
  readonly polls: (() => void)[] = []

  monotonic = () => this.now
  after = (milliseconds: number, ring: () => void) => {
    const alarm = { at: this.now + milliseconds, ring, isKept: false }
    this.alarms.add(alarm)
    return { keepAlive: () => Object.assign(alarm, { isKept: true }), cancel: () => this.alarms.delete(alarm) }
  }
  afterPoll = (ring: () => void) => void this.polls.push(ring)

  /** The event loop turns freely: every timer goes off in time. */
  async run(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.now = Math.max(this.now, next.at)
      await this.turnOnce()
    }
    this.now = end
  }

  /** The event loop does not turn. */
  stall(milliseconds: number): void {
    this.now += milliseconds
  }

  /** Timers that are due, the sockets, and what waits for those. */
  async turnOnce(): Promise<void> {
    this.ringDue()
    await this.poll()
  }

  ringDue(): void {
    for (const alarm of this.alarms) {
      if (alarm.at > this.now) continue
      this.alarms.delete(alarm)
      alarm.ring()
    }
  }

  async poll(): Promise<void> {
    for (const ring of this.polls.splice(0)) ring()
    await turn()
  }

  #next(end: number) {
    return [...this.alarms].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0]
  }
}

let process: Clockwork
let clock: RunningClock
beforeEach(() => {
  process = new Clockwork()
  clock = new RunningClock(process)
})

/** Whether a waiting is over. */
function watch(waiting: Promise<void>): { isOver: boolean } {
  const watched = { isOver: false }
  void waiting.then(() => {
    watched.isOver = true
  })
  return watched
}

describe('the running clock', () => {
  test('goes with the monotonic clock as long as the event loop turns', async () => {
    const waiting = watch(clock.sleep(500, true))
    for (let at = 1; at <= 499; at += 83) {
      await process.run(at - process.now)
      expect(clock.now()).toBe(at)
    }
    expect(waiting.isOver).toBe(false)
    await process.run(500 - process.now)
    expect(waiting.isOver).toBe(true)
  })

  test.each([600, 5_000, 3_600_000])(
    'does not charge a stall of %i ms, save for what is left until the next beat',
    async (length) => {
      const waiting = watch(clock.sleep(500, true))
      await process.run(100)
      process.stall(length)
      await process.turnOnce()
      expect(waiting.isOver).toBe(false)
      expect(clock.now()).toBeLessThanOrEqual(150)
      await process.run(349)
      expect(waiting.isOver).toBe(false)
      await process.run(51)
      expect(waiting.isOver).toBe(true)
    },
  )

  test('stands still for who reads it before the beat that comes late: right after the stall, by a call that was made before it', () => {
    const made = clock.now()
    process.stall(600)
    expect(clock.now() - made).toBeLessThanOrEqual(50)
  })

  test('never goes back, and reaches a deadline within its time of running however often the process stalls', async () => {
    const waiting = watch(clock.sleep(500, true))
    let ran = 0
    for (let last = clock.now(); !waiting.isOver; last = clock.now()) {
      await process.run(20)
      process.stall(700)
      await process.turnOnce()
      ran += 20
      expect(clock.now()).toBeGreaterThanOrEqual(last)
    }
    expect(ran).toBeLessThanOrEqual(500)
  })

  test('counts turns of the event loop that are long, but no stall, in full', async () => {
    const waiting = watch(clock.sleep(500, true))
    while (process.now < 480) {
      process.stall(24)
      await process.turnOnce()
      expect(clock.now()).toBe(process.now)
    }
    expect(waiting.isOver).toBe(false)
    process.stall(24)
    await process.turnOnce()
    expect(waiting.isOver).toBe(true)
  })

  test('wakes nobody before the sockets were read after the deadline', async () => {
    const waiting = watch(clock.sleep(20, true))
    process.stall(5_000)
    process.ringDue()
    await turn()
    expect(waiting.isOver).toBe(false)
    await process.poll()
    expect(waiting.isOver).toBe(true)
  })

  test('wakes each in time, in whatever order they come', async () => {
    const lengths = [70, 30.5, 50, 5, 90]
    const waiting = lengths.map((length) => watch(clock.sleep(length, true)))
    const over: number[][] = []
    for (let at = 10; at <= 100; at += 30) {
      await process.run(at - process.now)
      over.push(lengths.filter((_, index) => waiting[index]?.isOver))
    }
    expect(over).toEqual([[5], [30.5, 5], [70, 30.5, 50, 5], lengths])
  })

  test('beats only while somebody waits, or has just looked', async () => {
    expect(process.alarms.size).toBe(0)
    clock.now()
    expect(process.alarms.size).toBe(1)
    await process.run(100)
    expect(process.alarms.size).toBe(0)
    void clock.sleep(60, true)
    await process.run(100)
    expect(process.alarms.size).toBe(0)
  })

  test('keeps the process alive for who waits to go on, and not for who waits to give up', async () => {
    void clock.sleep(100, true)
    expect([...process.alarms].map(({ isKept }) => isKept)).toEqual([false])
    const pause = clock.sleep(60, false)
    await process.run(30)
    expect([...process.alarms].map(({ isKept }) => isKept)).toEqual([true])
    await process.run(30)
    await pause
    expect([...process.alarms].map(({ isKept }) => isKept)).toEqual([false])
  })
})
