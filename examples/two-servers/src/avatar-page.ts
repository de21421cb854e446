import { type Avatar, avatars } from './goods.js'
import { type Html, html } from './html.js'
import { page, sessionPanel, type Town } from './page.js'
import type { Seen } from './sessions.js'

export function avatarPage(town: Town, seen: Seen): string {
  const body = html`
    <div class="hero portrait">
      <img src="/public/avatars/${seen.avatar}.svg" alt="Your avatar: ${seen.avatar}" width="144" height="144">
      <div>
        <h1>${seen.username === undefined ? 'Hello, stranger' : html`Hello, ${seen.username}`}</h1>
        <p>${greeting(town, seen)}</p>
      </div>
    </div>
    <div class="columns">
      <form method="post" action="/avatar" aria-labelledby="choose">
        <h2 id="choose">Choose who you are</h2>
        <ul class="avatars">${avatars.map((avatar) => choice(avatar, seen.avatar))}</ul>
      </form>
      <aside aria-label="Session">${sessionPanel(seen)}</aside>
    </div>`
  return page({ site: 'avatar', town, title: 'Avatar', body, seen, path: '/' })
}

function greeting({ addresses }: Town, { username }: Seen): Html {
  const shop = html`<a href="${addresses.fieldwise.www}/">shop</a>`
  if (username === undefined) return html`Log in here or in the ${shop}. It is one session, so once is enough.`
  return html`You have logged in once, for this server and for the ${shop}. What you choose here shows up there at once.`
}

function choice(avatar: Avatar, current: Avatar): Html {
  return html`<li><button name="avatar" value="${avatar}" aria-pressed="${avatar === current ? 'true' : 'false'}">
          <img src="/public/avatars/${avatar}.svg" alt="" width="96" height="96">${avatar}
        </button></li>`
}
