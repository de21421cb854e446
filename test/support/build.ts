import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * Builds what has changed, once for each run: programs that tests start as processes of their own use the built packages.
 * Type errors do not stop a run, since `tsc` builds all the same; the `types` check reports them.
 */
export default function build(): void {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
  const env = { ...process.env, PATH: `node_modules/.bin:${process.env.PATH}` }
  const { status, stdout, stderr } = spawnSync(scripts.build, { shell: true, encoding: 'utf8', env })
  if (status !== 0) console.warn(`The build has errors:\n${stdout}${stderr}`)
}
