import type { AddCommand } from './command.js'
import { addDoctor } from './commands/doctor.js'
import { addInspect } from './commands/inspect.js'
import { addInspector } from './commands/inspector.js'
import { addKey } from './commands/key.js'
import { addRace } from './commands/race.js'
import { addRevoke } from './commands/revoke.js'

/** Every command, in the order in which the help shows them. */
export const commands: readonly AddCommand[] = [addDoctor, addInspect, addInspector, addRace, addKey, addRevoke]
