import { createSessions } from 'fieldwise'
import { z } from 'zod'
import { measure, type Sample } from '../lib/meter.js'
import { serve } from '../lib/remote.js'
import { patientRetry, patientStore } from '../lib/store.js'
import type { Extent } from './extent.js'

let read: ((turn: number) => Promise<unknown>) | undefined

const api = {
  async fill({ servers, sessions: count, fields }: Extent): Promise<void> {
    const names = Array.from({ length: fields }, (_, index) => `field${index}`)
    const schema = z.object(Object.fromEntries(names.map((name) => [name, z.string()])))
    const sessions = createSessions({ schema, store: patientStore(servers, 'meta'), retry: patientRetry })
    const values = Object.fromEntries(names.map((name) => [name, 'a text of some forty characters, no more.']))
    const tokens: string[] = []
    const create = async () => {
      while (tokens.length < count) tokens.push((await sessions.create(values)).token as string)
    }
    await Promise.all(Array.from({ length: Math.min(128, count) }, create))
    read = () => expectText(sessions.resume(tokens[Math.floor(Math.random() * count)]).get('field0'))
  },
  async measure({ milliseconds }: { milliseconds: number }): Promise<Sample> {
    if (read === undefined) throw new Error('fill it first')
    return measure(64, milliseconds, read)
  },
}

export type GrowthApi = typeof api

serve(api)

async function expectText(reading: Promise<string | undefined>): Promise<void> {
  if ((await reading) === undefined) throw new Error('the session is not there')
}
