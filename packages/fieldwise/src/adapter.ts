export type { IssuedToken, SessionHost, TokenChange } from './lib/host.js'
export { resumeFor } from './lib/sessions.js'
export { isSid, parseToken } from './lib/token.js'
