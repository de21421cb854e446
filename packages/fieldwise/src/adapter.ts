export { keepFor, storedJson } from './lib/facade.js'
export type { IssuedToken, SessionHost, TokenChange } from './lib/host.js'
export { canCreateUnder, createUnder, resumeFor, tokenUnder, valueOfJson } from './lib/sessions.js'
export { isSid, parseToken } from './lib/token.js'
