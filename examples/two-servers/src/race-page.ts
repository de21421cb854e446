import type { Origins } from './addresses.js'
import { type Html, html } from './html.js'
import { page, type Town } from './page.js'
import type { Seen } from './sessions.js'

/** The race itself is `public/race.js`. */
export function racePage(town: Town, seen: Seen): string {
  const { fieldwise, expressSession } = town.addresses
  const body = html`
    <div class="hero">
      <h1>Many requests, one visitor</h1>
      <p>Your browser sends the same requests to both sides at the same moment, half of them to each of two servers.
        Every request adds one to <code>visits</code> in your session and is answered with “done”.
        Each one that a session has kept grows a flower.</p>
      <form id="race">
        <label>Requests to each side
          <select name="requests"><option>240</option><option selected>600</option><option>1200</option></select>
        </label>
        <button>Start the race</button>
      </form>
      <noscript><p><strong>The race needs JavaScript.</strong></p></noscript>
    </div>
    <p id="verdict" role="status"></p>
    <div class="lanes">
      ${lane('express-session', 'reads the whole session, changes it, writes the whole session', 'req.session.visits++', expressSession)}
      ${lane('Fieldwise', 'changes one field, and only if nobody else has changed it meanwhile', "await req.session.increment('visits')", fieldwise)}
    </div>
    <section class="panel" aria-labelledby="chart-title">
      <h2 id="chart-title">Kept against sent</h2>
      <ul class="legend">
        <li class="express-session">express-session</li>
        <li class="Fieldwise">Fieldwise</li>
        <li class="ideal">nothing lost</li>
      </ul>
      <svg id="chart" role="img" aria-label="No race was run yet"></svg>
    </section>
    <div class="why">
      ${story('What goes wrong', [
        html`Request A reads the session: <code>visits</code> is 7.`,
        html`Request B reads the session: <code>visits</code> is 7.`,
        html`A writes the session back with 8. It is answered “done”.`,
        html`B writes the session back with 8. It is answered “done”, and A’s work is gone. So would be a login or a cart.`,
      ])}
      ${story('What Fieldwise does', [
        html`Request A reads the field: <code>visits</code> is 7, in version 41.`,
        html`Request B reads the field: <code>visits</code> is 7, in version 41.`,
        html`A writes 8 if the version is still 41. It is: done.`,
        html`B writes 8 if the version is still 41. It is not: B reads 8, writes 9, done. No lock, no waiting.`,
      ])}
    </div>`
  return page({ site: 'www', town, title: 'Race', body, seen, path: '/race', script: 'race.js' })
}

function lane(name: string, does: string, code: string, { www, avatar }: Origins): Html {
  return html`<section class="panel lane ${name}" data-lane="${name}" data-servers="${www} ${avatar}" aria-label="${name}">
        <h2>${name}</h2>
        <p>${does}</p>
        <p><code>${code}</code></p>
        <canvas role="img" aria-label="Nothing was sent yet"></canvas>
        <dl>
          ${figure('sent', 'Sent')}
          ${figure('kept', 'Kept')}
          ${figure('lost', 'Lost')}
          ${figure('time', 'Time')}
        </dl>
      </section>`
}

function figure(name: string, label: string): Html {
  return html`<div class="${name}"><dt>${label}</dt><dd data-figure="${name}">–</dd></div>`
}

function story(title: string, steps: readonly Html[]): Html {
  return html`<section><h2>${title}</h2><ol>${steps.map((step) => html`<li>${step}</li>`)}</ol></section>`
}
