import type { AddCommand } from './command.js'
import { addDoctor } from './commands/doctor.js'
import { addKey } from './commands/key.js'

/** Every command, in the order in which the help shows them. */
export const commands: readonly AddCommand[] = [addDoctor, addKey]
