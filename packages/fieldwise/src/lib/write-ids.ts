import type { Runtime } from './runtime.js'

/** Bytes of a write id: four drawn once for each process and four that count from a random start. */
export const writeIdLength = 8
/** Bytes of a birth, the mark of the `add` that made an item. */
export const birthLength = 4

/**
 * Makes the ids by which a process recognises its own writes after an answer was lost. Two ids of one process never meet within
 * 2^32 writes; the first half tells the processes apart, so that a value needs to carry only the last id of each.
 */
export class WriteIds {
  readonly #runtime: Runtime
  readonly #process: Buffer
  #count: number

  constructor(runtime: Runtime) {
    this.#runtime = runtime
    this.#process = runtime.bytes(4)
    this.#count = runtime.bytes(4).readUInt32BE()
  }

  next(): Buffer {
    const id = Buffer.allocUnsafe(writeIdLength)
    this.#process.copy(id)
    this.#count = (this.#count + 1) >>> 0
    id.writeUInt32BE(this.#count, 4)
    return id
  }

  /** A fresh mark for an `add`; one that is sent again draws a new one (R2). */
  birth(): Buffer {
    return this.#runtime.bytes(birthLength)
  }
}

/** Whether both ids were made by one process. */
export function sameProcess(one: Buffer, other: Buffer): boolean {
  return one.readUInt32BE() === other.readUInt32BE()
}
