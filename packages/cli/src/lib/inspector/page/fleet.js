/** @import { Frame, FleetFrame, Health, ServerSeen } from '../frame.js' */
import { byId, keep, make, write } from './dom.js'
import { bytes, count, counted, longTime, percent } from './format.js'

/** @type {Record<Health, string>} */
const words = { answers: 'answers', silent: 'silent', unknown: 'not known' }

/** The servers, what each holds of the whole, and how it is. @param {Frame} frame */
export function showFleet({ fleet }) {
  showReadiness(fleet)
  showMap(fleet)
  keep(byId('servers'), fleet.servers, {
    key: ({ label }) => label,
    make: makeServer,
    update: (element, server) => updateServer(element, server, fleet),
  })
}

/** @param {FleetFrame} fleet */
function showReadiness({ readiness, servers }) {
  const element = byId('readiness')
  if (readiness !== null) write(element, `Readiness check: ${readiness.says}`)
  else write(element, servers.length === 0 ? 'No server has been talked to yet.' : counted(servers.length, 'server'))
  element.classList.toggle('bad', readiness !== null && !readiness.ready)
}

/** One bar for the fleet. The list below says the same in words. @param {FleetFrame} fleet */
function showMap({ servers, sharesOf }) {
  const map = byId('map')
  map.hidden = servers.every(({ share }) => share === 0)
  if (map.firstElementChild === null)
    map.append(make('p', { class: 'unit' }), make('div', { class: 'map', 'aria-hidden': 'true' }))
  const [title, bar] = [...map.children]
  write(/** @type {Element} */ (title), `Share of ${sharesOf === 'items' ? 'all items stored' : 'the living sessions seen'}`)
  keep(/** @type {Element} */ (bar), servers, {
    key: ({ label }) => label,
    make: ({ label }) => make('div', {}, make('span', {}, label)),
    update(element, { share, health }) {
      element.style.flexGrow = String(share)
      element.dataset.health = health
      element.hidden = share === 0
    },
  })
}

/** @param {ServerSeen} server */
function makeServer({ label, address }) {
  return make(
    'li',
    { class: 'card server', 'data-server': label },
    make('h3', {}, label, ...(address === undefined ? [] : [make('span', { class: 'unit' }, ` ${address}`)])),
    make(
      'p',
      { class: 'health' },
      make('span', { class: 'sign', 'aria-hidden': 'true' }),
      make('strong', { class: 'word' }),
      make('span', { class: 'says' }),
    ),
    make('dl', { class: 'facts' }),
  )
}

/** @param {HTMLElement} element @param {ServerSeen} server @param {FleetFrame} fleet */
function updateServer(element, server, fleet) {
  const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (element.querySelector(name))
  element.dataset.health = server.health
  write(part('.word'), words[server.health])
  write(part('.says'), server.says)
  keep(part('.facts'), factsOf(server, fleet), {
    key: ([name]) => name,
    make: ([name]) => make('div', {}, make('dt', {}, name), make('dd')),
    update: (fact, [, value]) => write(fact.lastElementChild, value),
  })
}

/** @param {ServerSeen} server @param {FleetFrame} fleet @returns {[name: string, value: string][]} */
function factsOf({ share, sessions, flights, stats }, { sharesOf }) {
  const isTalkedTo = sharesOf === 'sessions'
  return [
    .../** @type {[string, string][]} */ (isTalkedTo || stats !== undefined ? [['Share', percent(share)]] : []),
    .../** @type {[string, string][]} */ (
      isTalkedTo
        ? [
            ['Sessions', count(sessions)],
            ['Round trips', count(flights)],
          ]
        : []
    ),
    .../** @type {[string, string][]} */ (
      stats === undefined
        ? []
        : [
            ['Commands a second', stats.commandsPerSecond === null ? '–' : count(Math.round(stats.commandsPerSecond))],
            ['Items', count(stats.items)],
            ['Memory', `${bytes(stats.memory)} of ${bytes(stats.memoryLimit)}`],
            ['Evictions', count(stats.evictions)],
            ['Connections', count(stats.connections)],
            ['Up for', longTime(stats.uptime)],
            ['memcached', stats.version],
          ]
    ),
  ]
}
