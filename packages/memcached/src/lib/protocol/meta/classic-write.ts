import type { StoreAnswer } from 'fieldwise/store-contract'
import { conflict, missing, stored } from '../../connection/flight-command.js'
import { ForeignLine, readForeign } from '../../connection/protocol.js'
import { refusedWrite, unsent, type Write } from '../../connection/refusal.js'

/** Whether a write is made by the classic commands (W11). `evicts`: the server makes room by evicting, unlike `memcached -M`. */
export function isClassic({ value }: Write, evicts: boolean): boolean {
  return !evicts || value.length > alwaysFits
}

/**
 * In bytes. A server that evicts refuses an item for lack of memory only while all items of its size class are being written. A class has at
 * least one page of 1 MB, which holds more than a hundred items of this size. Of 32 that arrived together, none was refused up to 16 KB, and 2
 * of 30 KB.
 */
const alwaysFits = 8_192

/**
 * A write by the classic commands (protocol.txt, "Storage commands"), up to its value. When memory is short, they leave the old item as it
 * is, where `ms` deletes it in every mode (W11).
 */
export function classicText(request: Write, key: string, exptime: number, cas: number | string | undefined): string {
  const command = request.op === 'add' ? 'add' : cas === undefined ? 'replace' : 'cas'
  const condition = cas === undefined ? '' : ` ${cas}`
  return `${command} ${key} 0 ${exptime} ${request.value.length}${condition}\r\n`
}

/** The answer to a classic write, and where its line ends. */
export interface WriteVerdict {
  readonly answer: StoreAnswer
  readonly end: number
}

/** Reads the line that begins at `start`. Returns minus the number of bytes needed while it is not all there. @throws {ForeignLine} */
export function readVerdict(request: Write, bytes: Buffer, start: number): WriteVerdict | number {
  const end = bytes.indexOf('\r\n', start, 'latin1')
  if (end < 0 || end - start > longestVerdict) return readForeign(bytes, start)
  const line = bytes.toString('latin1', start, end)
  const answer = verdicts[request.op][line] ?? refusal(request, line)
  if (answer === undefined) throw new ForeignLine(line)
  return { answer, end: end + 2 }
}

const longestVerdict = 100

const verdicts: Readonly<Record<Write['op'], Readonly<Record<string, StoreAnswer>>>> = {
  add: { STORED: stored, NOT_STORED: conflict },
  replace: { STORED: stored, NOT_STORED: missing, NOT_FOUND: missing, EXISTS: conflict },
}

function refusal(request: Write, line: string): StoreAnswer | undefined {
  const error = refusedWrite(request, line)
  return error && unsent(error)
}
