import type { StoreAnswer } from 'fieldwise/store-contract'
import { conflict, missing, stored } from '../../connection/flight-command.js'
import { ForeignLine, readForeign } from '../../connection/protocol.js'
import { refusedWrite, unsent, type Write } from '../../connection/refusal.js'

/** Whether a write goes by the classic commands; `evicts` is whether the server makes room by evicting (not `-M`). */
export function isClassic({ value }: Write, evicts: boolean): boolean {
  return !evicts || value.length > alwaysFits
}

/**
 * A server that evicts refuses an item for lack of memory only while all items of its size class are being written. A class has a page of
 * 1 MB at least, which holds more than a hundred of this size. (Of 32 that arrived together: none refused up to 16 KB, 2 of 30 KB.)
 */
const alwaysFits = 8_192

/**
 * A write by the classic commands (protocol.txt, "Storage commands"), up to its value. Out of memory, `ms` deletes the item that was to be
 * replaced, in every mode; these leave it as it is (W11).
 */
export function classicText(request: Write, key: string, exptime: number, cas: number | string | undefined): string {
  const command = request.op === 'add' ? 'add' : cas === undefined ? 'replace' : 'cas'
  const condition = cas === undefined ? '' : ` ${cas}`
  return `${command} ${key} 0 ${exptime} ${request.value.length}${condition}\r\n`
}

/** What is said to a classic write, and where that line ends. */
export interface WriteVerdict {
  readonly answer: StoreAnswer
  readonly end: number
}

/** Reads the line that begins at `start`; gives minus the number of bytes needed while it is not all there. @throws {ForeignLine} */
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
