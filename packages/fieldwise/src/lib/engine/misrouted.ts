/**
 * Warns once, in development, that a token names a server that is not in the store's list. In production anybody could trigger the warning by
 * making up such a token, so there only the event `fieldwise:misrouted` is published.
 */
export function warnOfMisrouted(label: string | undefined): void {
  if (isSaid || process.env.NODE_ENV === 'production') return
  isSaid = true
  const named = label === undefined ? 'names no server' : `names the server '${label}', which is not among those of this store`
  process.emitWarning(
    `A token ${named}, so its session is not found here. A server's label is made from its address as it is written, so '127.0.0.1:11211' and ` +
      "'localhost:11211' are two: write the same list in all processes, or give servers names, as in memcachedStore({ a: '127.0.0.1:11211' })",
    { type: 'FieldwiseWarning', code: 'FIELDWISE_MISROUTED' },
  )
}

let isSaid = false
