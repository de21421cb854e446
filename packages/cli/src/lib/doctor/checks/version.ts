import { type Check, danger, warning } from '../finding.js'

export const checkVersion: Check = ({ version }) => {
  if (isBefore(version, [1, 4, 33])) {
    return danger(
      'version',
      `memcached ${version} runs code that is sent to it (CVE-2016-8704, 8705, 8706).`,
      'Update memcached to 1.6.18 or later.',
    )
  }
  if (!isBefore(version, [1, 6, 0])) return undefined
  return warning(
    'version',
    `memcached ${version} is older than 1.6 and gets no more fixes. Fieldwise is tested with 1.6.`,
    'Update memcached to 1.6.18 or later.',
  )
}

/** False for what is not a version: a server with a name of its own for it is not judged by it. */
function isBefore(version: string, other: readonly number[]): boolean {
  const parts = /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number)
  if (parts === undefined) return false
  const differing = other.findIndex((part, index) => part !== parts[index])
  return differing !== -1 && (parts[differing] as number) < (other[differing] as number)
}
