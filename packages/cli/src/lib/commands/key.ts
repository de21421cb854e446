import { randomBytes } from 'node:crypto'
import type { AddCommand } from '../command.js'

/** `fieldwise key`: a key for `sealing.keys`. */
export const addKey: AddCommand = (program, { terminal }) => {
  program
    .command('key')
    .description('make a key for sealing.keys')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
    .action(({ json }: { json?: boolean }) => {
      const key = randomBytes(32).toString('base64url')
      terminal.write(json ? `${JSON.stringify({ key })}\n` : `${key}\n`)
    })
}

const help = `
Examples:
  $ fieldwise key
  $ export SESSION_KEY="$(fieldwise key)"
`
