import { isSid, parseToken } from 'fieldwise/adapter'
import { CommandError } from './command.js'
import { exitCode } from './exit-code.js'

export const sessionHelp = "the session's id or token; '-' reads it from standard input, where no process list shows it"

/** A sid or a token, as it was written or piped. @throws {CommandError} without repeating it: it may be a token with a slip. */
export async function readSession(argument: string, input: AsyncIterable<unknown>): Promise<{ sid: string; text: string }> {
  const text = argument === '-' ? (await everything(input)).trim() : argument
  const sid = parseToken(text)?.sid ?? text
  if (!isSid(sid)) throw new CommandError('This is neither a session id nor a token', { code: exitCode.usage })
  if (sid.includes('~')) return { sid, text }
  throw new CommandError('The id names no memcached server: the session is in a memory store', { code: exitCode.usage })
}

async function everything(input: AsyncIterable<unknown>): Promise<string> {
  let text = ''
  for await (const chunk of input) text += String(chunk)
  return text
}
