/** The keys that FIELDWISE_KEYS holds, the one that seals first. They have no place on a command line, which others can read. */
export function sealingFrom(env: Readonly<Record<string, string | undefined>>): { keys: string[] } | undefined {
  const keys = (env.FIELDWISE_KEYS ?? '').split(/[\s,]+/).filter((key) => key !== '')
  return keys.length === 0 ? undefined : { keys }
}
