import { checkCookieHosts } from '@fieldwise/http'
import { danger, type Finding } from './finding.js'

/** What keeps the session's cookie from one of these hosts, as browsers treat it. */
export async function cookieFindings(hosts: readonly string[], domain: string | undefined): Promise<Finding[]> {
  const problems = await checkCookieHosts(hosts, { domain })
  return problems.map(({ code, message }) => {
    // The last sentence says what to set.
    const end = message.lastIndexOf('. ')
    return danger(code, message.slice(0, end + 1), `${message.slice(end + 2)}.`)
  })
}
