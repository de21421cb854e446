import type { Origins } from './addresses.js'
import type { Demo } from './demo.js'
import { table } from './table.js'
import { Visitor } from './visitor.js'

/** What became of one side's requests. */
interface Outcome {
  readonly sent: number
  /** Answered with 2xx: the server said that it was done. */
  readonly acknowledged: number
  /** What the store holds of them in the end. */
  readonly kept: number
  readonly seconds: number
}

const connections = 32
const requests = 3_200

/** Runs one side after the other, so that neither slows the other down, and prints what became of their requests. */
export async function raceInTerminal({ addresses, storeName }: Demo): Promise<{ lost: number; failed: number }> {
  console.log(
    `One visitor with ${connections} connections to two servers, ${count(requests)} requests. Each adds one to "visits".`,
  )
  console.log(`Store: ${storeName}\n`)
  const page = addresses.fieldwise.www
  const theirs = await race(addresses.expressSession, page)
  const ours = await race(addresses.fieldwise, page)
  console.log(table(['', 'sent', 'kept', 'lost', 'time', 'requests/s'], [row('express-session', theirs), row('Fieldwise', ours)]))
  const lost = ours.acknowledged - ours.kept
  const failed = ours.sent - ours.acknowledged
  if (failed > 0) console.log(`\n${count(failed)} more requests of Fieldwise were answered with an error`)
  console.log(`\nfieldwise lost ${lost} of ${ours.acknowledged}`)
  return { lost, failed }
}

async function race({ www, avatar }: Origins, page: string): Promise<Outcome> {
  const visitor = new Visitor(page, connections / 2)
  const before = (await visitor.count(www)) ?? 0
  const started = performance.now()
  const acknowledged = (await Promise.all([www, avatar].flatMap((server) => fire(visitor, server)))).reduce(
    (sum, part) => sum + part,
  )
  const seconds = (performance.now() - started) / 1_000
  const kept = (await visitor.visits(www)) - before
  visitor.leave()
  return { sent: requests, acknowledged, kept, seconds }
}

/** One loop for each connection; each says how many of its requests were acknowledged. */
function fire(visitor: Visitor, server: string): Promise<number>[] {
  return Array.from({ length: connections / 2 }, async () => {
    let acknowledged = 0
    for (let sent = 0; sent < requests / connections; sent++) {
      const answer = await visitor.count(server).catch(() => undefined)
      if (answer !== undefined) acknowledged++
    }
    return acknowledged
  })
}

function row(name: string, { acknowledged, kept, seconds }: Outcome): string[] {
  const figures = [acknowledged, kept, acknowledged - kept, Math.round(acknowledged / seconds)].map(count)
  return [name, ...figures.slice(0, 3), `${seconds.toFixed(2)} s`, figures[3] as string]
}

function count(figure: number): string {
  return figure.toLocaleString('en')
}
