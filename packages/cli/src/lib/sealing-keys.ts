/** The keys in FIELDWISE_KEYS; the first one seals. They are not taken from the command line, which other users of the machine can read. */
export function sealingFrom(env: Readonly<Record<string, string | undefined>>): { keys: string[] } | undefined {
  const keys = (env.FIELDWISE_KEYS ?? '').split(/[\s,]+/).filter((key) => key !== '')
  return keys.length === 0 ? undefined : { keys }
}
