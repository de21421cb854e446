import type { Addresses } from '../lib/addresses.js'
import { measure, type Sample } from '../lib/meter.js'
import { serve } from '../lib/remote.js'
import type { Holder } from './holder.js'
import { type HolderName, holders } from './holders.js'

const opened = new Map<number, Holder>()

const api = {
  async open({ name, addresses, bytes }: { name: HolderName; addresses: Addresses; bytes: number }): Promise<void> {
    opened.set(bytes, await holders[name](addresses, bytes))
  },
  async measure({ bytes, kind, milliseconds }: { bytes: number; kind: 'read' | 'write'; milliseconds: number }): Promise<Sample> {
    const holder = opened.get(bytes)
    if (holder === undefined) throw new Error('open it first')
    return measure(1, milliseconds, () => holder[kind]())
  },
}

export type SizeApi = typeof api

serve(api)
