/**
 * The `Cache-Control` for an answer that sets a cookie, made from the one that the app wrote: no shared cache may keep it
 * (RFC 9111, section 5.2.2.7), and whatever else the app said stays as it was.
 */
export function keepPrivate(cacheControl: string | undefined): string {
  const directives = splitDirectives(cacheControl ?? '')
  if (directives.some((directive) => isNamed(directive, 'private', 'no-store') && !directive.includes('=')))
    return directives.join(', ')
  return ['private', ...directives.filter((directive) => !isNamed(directive, 'public', 's-maxage'))].join(', ')
}

/** Splits at the commas outside of quoted strings. */
function splitDirectives(cacheControl: string): string[] {
  const found = cacheControl.match(/(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g) ?? []
  return found.map((directive) => directive.trim()).filter((directive) => directive !== '')
}

function isNamed(directive: string, ...names: string[]): boolean {
  return names.includes((directive.split('=', 1)[0] ?? '').trim().toLowerCase())
}
