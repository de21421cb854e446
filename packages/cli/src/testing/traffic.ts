import type { SessionEvent } from 'fieldwise'
import { vi } from 'vitest'
import { fieldEvent, flightEvent, operationEvent, sessionEvent, tell, writeEvent } from './events.js'

/**
 * Tells four minutes of a shop's traffic at once, each second at its own time of day, always the same. One of three servers is silent at the end.
 *
 * @param begin is called at the beginning of those four minutes
 */
export function tellFourMinutes(begin: () => void): void {
  const random = numbersFrom(7)
  const sessions = Array.from({ length: 16 }, (_, n) => sessionNumber(n, labels[Math.floor(random() * labels.length)] as string))
  const end = Date.now()
  const clock = vi.spyOn(Date, 'now').mockReturnValue(end - seconds * 1_000)
  try {
    begin()
    for (let second = seconds; second > 0; second--) {
      clock.mockReturnValue(end - second * 1_000)
      const calls = 30 + 22 * Math.sin(second / 17) + 12 * random()
      for (let call = 0; call < calls; call++)
        tellCall(sessions[Math.floor(random() ** 2 * sessions.length)] as SessionEvent, random, second)
    }
  } finally {
    clock.mockRestore()
  }
}

const seconds = 240
export const labels = ['k7m2', 'p04x', 'zt9c'] as const
const fields = ['visits', 'cart', 'username', 'preferences', 'flash', 'otp'] as const

function sessionNumber(n: number, server: string): SessionEvent {
  const part = (0x3a7f + n * 2_969).toString(16).slice(0, 4)
  return sessionEvent({ server, sid: `${part}${part.split('').reverse().join('')}-2222-4333-8444-555555555555~${server}` })
}

function tellCall(session: SessionEvent, random: () => number, second: number): void {
  const field = fields[Math.floor(random() ** 2 * fields.length)] as string
  const isSilent = session.server === labels[2] && second < 20
  const duration = isSilent ? 500 : 0.3 + random() ** 8 * 20
  tell('fieldwise:flight', flightEvent({ ...session, duration, answered: !isSilent }))
  tell('fieldwise:operation', operationEvent({ ...session, fields: [field], duration }))
  if (isSilent) return tell('fieldwise:unavailable', session)
  if (random() < 0.35) {
    const combined = random() < 0.15 ? 2 + Math.floor(random() * 5) : 1
    tell(
      'fieldwise:write',
      writeEvent({ ...session, field, bytes: Math.floor(30 + 900 * random() ** 3), deleted: random() < 0.08, combined }),
    )
  }
  if (random() < 0.05) tell('fieldwise:conflict', fieldEvent({ ...session, field }))
  if (random() < 0.0004) tell('fieldwise:lost', fieldEvent({ ...session, field }))
  if (random() < 0.0004) tell('fieldwise:forged', session)
  if (random() < 0.0006) tell('fieldwise:ended', session)
}

/** Numbers from 0 to below 1, the same for the same seed (Park and Miller). */
function numbersFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 0x7fff_ffff
    return state / 0x7fff_ffff
  }
}
