import { type Examination, figure } from '../examination.js'
import { type Check, warning } from '../finding.js'
import { count } from '../units.js'

const nearlyAll = 0.8

/** A process keeps one connection to each server open. */
export const checkConnections: Check = (examination) => {
  const { general } = examination
  const limit = connectionLimit(examination)
  const used = figure(general, 'curr_connections')
  const refused = (figure(general, 'rejected_connections') ?? 0) + (figure(general, 'listen_disabled_num') ?? 0)
  const now = limit === undefined ? '' : `, now ${count(limit)}`
  const remedy = `Raise the limit (memcached -c${now}; the service's limit of open files must allow it), or let fewer processes connect.`
  if (limit !== undefined && used !== undefined && used >= nearlyAll * limit) {
    const message = `${count(used)} of ${count(limit)} connections are in use. At the limit, web servers are refused.`
    return warning('connections', message, remedy)
  }
  if (refused === 0) return undefined
  const message = `Since its start it has refused connections ${count(refused)} times because it was at its limit.`
  return warning('connections-refused', message, remedy)
}

/** Undefined where it is not told. */
export function connectionLimit({ general, settings }: Pick<Examination, 'general' | 'settings'>): number | undefined {
  return figure(general, 'max_connections') ?? figure(settings, 'maxconns')
}
