import type { ResponseHeaders } from './framework-port.js'

/** Keeps an answer that sets a cookie out of all shared caches, by whatever header the app speaks to them. */
export function keepOutOfSharedCaches(headers: ResponseHeaders): void {
  headers.set('Cache-Control', keepPrivate(headers.get('Cache-Control')))
  for (const name of [...headers.names()]) {
    const refusal = refusals[name.toLowerCase()]
    if (refusal !== undefined) headers.set(name, refusal)
    // RFC 9213: a CDN that finds a header of its own obeys that and not Cache-Control.
    else if (/-cache-control$/i.test(name)) headers.set(name, keepPrivate(headers.get(name)))
  }
}

/** Headers with words of their own, and what says in them that nothing is to be kept. */
const refusals: Readonly<Record<string, string>> = {
  'edge-control': 'no-store',
  'surrogate-control': 'no-store',
  'x-accel-expires': '0',
  'x-litespeed-cache-control': 'no-cache',
}

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
