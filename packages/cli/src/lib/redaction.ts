/**
 * Takes out of a message what must not be printed: the secret of a token (43 characters of base64url after a dot), and the value that
 * was written behind an option, which may be a password under a misspelt name.
 */
export function redacted(text: string): string {
  return text.replace(/\.[\w-]{43}(?![\w-])/g, '.<secret>').replace(/(--[A-Za-z][\w-]*)=[^'\n]*/g, '$1=<value>')
}
