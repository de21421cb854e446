import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Express } from 'express'

/** Resolves with the port. */
export async function listen(app: Express): Promise<number> {
  const server = app.listen(0, '127.0.0.1')
  // Connections wait until it is their candidate's turn again.
  Object.assign(server, { headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0 })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Seconds of processor time that this process has used so far. */
export function cpu(_: null): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000_000
}
