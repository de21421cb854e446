import type { FieldwiseError } from 'fieldwise'
import type { Outbox } from '../../connection/outbox.js'
import { type Command, type Fate, ProtocolError, statsRefused } from '../../connection/protocol.js'
import { buildRequest, type MemjsClient, type Performed, type Reply } from './memjs-client.js'
import { explainStatus, headerLength, Opcode, readReply, Status } from './reply.js'

/** What is asked of the server outside of a session's flights. */
export interface Question {
  readonly opcode: number
  readonly key?: string
  readonly value?: string
  /** Called with the status of each reply. @throws {ProtocolError} when it is the end of this connection. */
  judge(status: number): void
}

/** Whom to tell what the replies were. */
export interface RepliesTaker {
  resolve(replies: Reply[], at: number): void
  reject(error: FieldwiseError): void
}

/** A command and its replies. */
export class BinaryCommand implements Command {
  calledAt = 0
  sentAt = 0
  settled = false
  complete = false
  readonly isDated = false
  deadline: number
  readonly #client: MemjsClient
  readonly #question: Question
  readonly #done: RepliesTaker
  readonly #replies: Reply[] = []
  #performed: Performed<number> | undefined
  #opaque = 0

  constructor(client: MemjsClient, question: Question, deadline: number, done: RepliesTaker) {
    this.#client = client
    this.#question = question
    this.deadline = deadline
    this.#done = done
  }

  encode(out: Outbox): void {
    const { opcode, key = '', value = '' } = this.#question
    this.#opaque = this.#client.nextOpaque()
    const bytes = buildRequest(opcode, key, none, value, this.#opaque)
    this.#performed = this.#client.perform<number>([bytes], this.#opaque, (error, at) => this.#finish(error, at))
    for (const part of this.#performed.parts) out.add(part)
  }

  /** Statistics come as one reply each and end with an empty one; everything else is one reply. */
  read(bytes: Buffer, start: number): number {
    const reply = readReply(bytes, start, this.#question.opcode, this.#opaque, largestCommandReply)
    if (typeof reply === 'number') return reply
    this.#question.judge(reply.header.status)
    this.#replies.push(reply)
    if (this.#replies.length > mostStats) throw new ProtocolError('sends statistics without end')
    this.complete = this.#question.opcode !== Opcode.stat || reply.header.totalBodyLength === 0
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
  if (status !== Status.ok) throw new ProtocolError(explainStatus(status))
}

export function tellsStats(status: number): void {
  if (status === Status.ok) return
  throw new ProtocolError(status === Status.authFailed ? explainStatus(status) : statsRefused)
}

export function succeedsIfKnown(status: number): void {
  if (status !== Status.unknownCommand) succeeds(status)
}

export function logsIn(status: number): void {
  if (status === Status.authFailed) throw new ProtocolError('refuses this username and password')
  succeeds(status)
}
