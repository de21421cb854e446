import { type Demo, startDemo } from './demo.js'
import { help, readOptions } from './options.js'
import { raceInTerminal } from './terminal-race.js'

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2), process.env)
  if (options.help) return console.log(help)
  const stopped = untilStopped()
  const demo = await startDemo(options)
  try {
    await Promise.race([stopped, demo.failure(), options.once ? race(demo) : welcome(demo)])
  } finally {
    await demo.stop()
  }
}

/** The exit code is 0 only when the race was run to its end and nothing was lost. */
async function race(demo: Demo): Promise<void> {
  process.exitCode = 1
  const { lost, failed } = await raceInTerminal(demo)
  if (lost === 0 && failed === 0) process.exitCode = 0
}

/** Says where to look, and never ends by itself. */
function welcome({ addresses, storeName }: Demo): Promise<never> {
  console.log(`
  Two web servers, one session.

    shop     ${addresses.fieldwise.www}/
    avatar   ${addresses.fieldwise.avatar}/
    race     ${addresses.fieldwise.www}/race

    store    ${storeName}

  Ctrl-C ends them.
`)
  return new Promise(() => {})
}

/** npm passes a signal on that the terminal has sent already, so each may come twice. */
function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => resolve())
  })
}
