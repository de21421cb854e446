import type { Environment } from '../environment/environment.js'

/**
 * Names a write, so that its process recognises it after a lost answer: which process wrote, and which of its writes it was. Both are signed
 * numbers of 32 bits, which V8 keeps without an object of their own.
 */
export interface WriteId {
  readonly process: number
  readonly count: number
}

/** Marks the `add` that made an item: a signed number of 32 bits. */
export type Birth = number

/** Bytes of a write id: four drawn once for each process and four that count from a random start. */
export const writeIdLength = 8
export const birthLength = 4

/**
 * Makes the ids of one process's writes. Two of them never meet within 2^32 writes; the first half tells the processes apart, so that a
 * value needs to carry only the last id of each.
 */
export class WriteIds {
  readonly #environment: Environment
  readonly #process: number
  #count: number

  constructor(environment: Environment) {
    this.#environment = environment
    this.#process = environment.bytes(4).readInt32BE()
    this.#count = environment.bytes(4).readInt32BE()
  }

  next(): WriteId {
    this.#count = (this.#count + 1) | 0
    return { process: this.#process, count: this.#count }
  }

  /** A fresh mark for an `add`; one that is sent again draws a new one (R2). */
  birth(): Birth {
    return this.#environment.bytes(birthLength).readInt32BE()
  }
}

/** Whether both ids were made by one process. */
export function sameProcess(one: WriteId, other: WriteId): boolean {
  return one.process === other.process
}

export function sameWrite(one: WriteId, other: WriteId): boolean {
  return one.process === other.process && one.count === other.count
}

export function readWriteId(bytes: Buffer, at: number): WriteId {
  return { process: bytes.readInt32BE(at), count: bytes.readInt32BE(at + 4) }
}

/** In hexadecimal, as it is stored. */
export function writeIdText(id: WriteId): string {
  const bytes = Buffer.alloc(writeIdLength)
  putWriteId(id, bytes, 0)
  return bytes.toString('hex')
}

/** Writes an id into `bytes` at `at`. Returns where it ends. */
export function putWriteId(id: WriteId, bytes: Buffer, at: number): number {
  return bytes.writeInt32BE(id.count, bytes.writeInt32BE(id.process, at))
}
