import type { Addresses, Site } from './addresses.js'
import { catalogue } from './goods.js'
import { type Html, html } from './html.js'
import type { Seen } from './sessions.js'

/** What every page knows of the demo. */
export interface Town {
  readonly addresses: Addresses
  readonly storeName: string
}

interface Page {
  readonly site: Site
  readonly town: Town
  readonly title: string
  readonly body: Html
  /** The visitor; without it the page offers neither login nor logout. */
  readonly seen?: Seen
  /** The path of this page where the navigation leads to it. */
  readonly path?: string
  /** A script of the page's own in `public`. */
  readonly script?: string
}

/** A whole HTML page. */
export function page({ site, town, title, body, seen, path, script }: Page): string {
  const { www, avatar } = town.addresses.fieldwise
  const link = (label: string, to: Site, at: string, address: string) =>
    html`<a href="${address}${at}"${to === site && at === path ? html` aria-current="page"` : ''}>${label}</a>`
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <meta name="color-scheme" content="light dark">
  <title>${title} · Fieldwise</title>
  <link rel="icon" href="/public/mark.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/public/style.css">
  ${script !== undefined && html`<script type="module" src="/public/${script}"></script>`}
</head>
<body class="${site}">
  <a class="skip" href="#content">Skip to the content</a>
  <header>
    <div class="top">
      <a class="brand" href="${www}/"><img src="/public/mark.svg" alt="" width="32" height="32"><span>Fieldwise</span></a>
      <nav aria-label="Pages">
        ${link('Shop', 'www', '/', www)}
        ${link('Avatar', 'avatar', '/', avatar)}
        ${link('Race', 'www', '/race', www)}
      </nav>
      ${seen && account(seen)}
    </div>
    <p class="where">
      <span>This page: <strong>${new URL(town.addresses.fieldwise[site]).host}</strong></span>
      <span>process ${process.pid}</span>
      <span>store: ${town.storeName}</span>
    </p>
  </header>
  <main id="content" tabindex="-1">
${body}
  </main>
</body>
</html>
`.text
}

function account({ username, avatar }: Seen): Html {
  if (username === undefined) {
    return html`<form class="account" method="post" action="/login">
      <label for="username">Your name</label>
      <input id="username" name="username" required maxlength="40" autocomplete="username">
      <button>Log in</button>
    </form>`
  }
  return html`<form class="account" method="post" action="/logout">
      <img src="/public/avatars/${avatar}.svg" alt="" width="36" height="36">
      <span class="username">${username}</span>
      <button class="quiet">Log out</button>
    </form>`
}

/** The session as it is kept: one row a field. */
export function sessionPanel(seen: Seen): Html {
  const packets = seen.cart.map((line) => `${line.packets} × ${catalogue[line.good].name}`).join(', ')
  return html`<section class="panel session" aria-labelledby="session">
      <h2 id="session">Your session</h2>
      <p>Both servers read and write it. Each row is an item of its own in the store, so two requests never overwrite each other.</p>
      <table>
        <thead><tr><th scope="col">Field</th><th scope="col">Value</th></tr></thead>
        <tbody>
          ${row('username', seen.username ?? html`<i>not logged in</i>`)}
          ${row('visits', seen.visits.toLocaleString('en'))}
          ${row('cart', packets || html`<i>empty</i>`)}
          ${row('avatar', seen.avatar)}
        </tbody>
      </table>
    </section>`
}

function row(field: string, value: Html | string): Html {
  return html`<tr><th scope="row"><code>${field}</code></th><td data-field="${field}">${value}</td></tr>`
}
