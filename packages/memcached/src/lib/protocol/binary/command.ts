import type { FieldwiseError } from 'fieldwise'
import type { Outbox } from '../../connection/outbox.js'
import { type Exchange, type Fate, statsRefused, WireError } from '../../connection/protocol.js'
import { buildRequest, type MemjsClient, type Performed, type Reply } from './memjs-client.js'
import { explainStatus, headerLength, Opcode, readReply, Status } from './reply.js'

/** A command that is no part of a session. */
export interface Command {
  readonly opcode: number
  readonly key?: string
  readonly value?: string
  /** Called with the status of each reply. @throws {WireError} when it is the end of this connection. */
  judge(status: number): void
}

/** Whom to tell what the replies were. */
export interface CommandDone {
  resolve(replies: Reply[], at: number): void
  reject(error: FieldwiseError): void
}

/** A command and its replies. */
export class BinaryCommand implements Exchange {
  calledAt = 0
  sentAt = 0
  settled = false
  complete = false
  readonly isDated = false
  deadline: number
  readonly #client: MemjsClient
  readonly #command: Command
  readonly #done: CommandDone
  readonly #replies: Reply[] = []
  #performed: Performed<number> | undefined
  #opaque = 0

  constructor(client: MemjsClient, command: Command, deadline: number, done: CommandDone) {
    this.#client = client
    this.#command = command
    this.deadline = deadline
    this.#done = done
  }

  encode(out: Outbox): void {
    const { opcode, key = '', value = '' } = this.#command
    this.#opaque = this.#client.nextOpaque()
    const bytes = buildRequest(opcode, key, none, value, this.#opaque)
    this.#performed = this.#client.perform<number>([bytes], this.#opaque, (error, at) => this.#finish(error, at))
    for (const part of this.#performed.parts) out.add(part)
  }

  /** Statistics come as one reply each and end with an empty one; everything else is one reply. */
  read(bytes: Buffer, start: number): number {
    const reply = readReply(bytes, start, this.#command.opcode, this.#opaque, largestCommandReply)
    if (typeof reply === 'number') return reply
    this.#command.judge(reply.header.status)
    this.#replies.push(reply)
    if (this.#replies.length > mostStats) throw new WireError('sends statistics without end')
    this.complete = this.#command.opcode !== Opcode.stat || reply.header.totalBodyLength === 0
    return start + headerLength + reply.header.totalBodyLength
  }

  settle(at: number): void {
    if (!this.settled) this.#performed?.respond(at)
  }

  fail(_fate: Fate, error: FieldwiseError): void {
    if (this.settled) return
    if (this.#performed === undefined) this.#finish(error, Number.NaN)
    else this.#performed.reject(error)
  }

  #finish(error: FieldwiseError | null, at: number): void {
    this.settled = true
    if (error === null) this.#done.resolve(this.#replies, at)
    else this.#done.reject(error)
  }
}

const none = Buffer.alloc(0)
const largestCommandReply = 4_096
const mostStats = 4_096

export function succeeds(status: number): void {
  if (status !== Status.ok) throw new WireError(explainStatus(status))
}

export function tellsStats(status: number): void {
  if (status === Status.ok) return
  throw new WireError(status === Status.authFailed ? explainStatus(status) : statsRefused)
}

export function succeedsIfKnown(status: number): void {
  if (status !== Status.unknownCommand) succeeds(status)
}

export function logsIn(status: number): void {
  if (status === Status.authFailed) throw new WireError('refuses this username and password')
  succeeds(status)
}
