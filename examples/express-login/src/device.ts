const browsers = { 'Edg/': 'Edge', 'Firefox/': 'Firefox', 'Chrome/': 'Chrome', 'Safari/': 'Safari' }
const systems = { Android: 'Android', iPhone: 'iPhone', iPad: 'iPad', Windows: 'Windows', 'Mac OS X': 'Mac', Linux: 'Linux' }

/** A name that a user recognizes: `Firefox on Windows`. A browser says of itself what it likes, so this is good for nothing else. */
export function nameOfDevice(userAgent = ''): string {
  const [browser, system] = [nameIn(userAgent, browsers), nameIn(userAgent, systems)]
  return `${browser ?? 'A browser'} on ${system ?? 'some device'}`
}

/** The first that fits: Edge calls itself Chrome too, and Chrome calls itself Safari. */
function nameIn(userAgent: string, names: Readonly<Record<string, string>>): string | undefined {
  return Object.entries(names).find(([mark]) => userAgent.includes(mark))?.[1]
}
