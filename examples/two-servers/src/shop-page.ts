import { catalogue, type Good, goods } from './goods.js'
import { type Html, html } from './html.js'
import { page, sessionPanel, type Town } from './page.js'
import type { Seen } from './sessions.js'

export function shopPage(town: Town, seen: Seen): string {
  const body = html`
    <div class="hero">
      <h1>Seeds for a wild meadow</h1>
      <p>Fill the cart and log in. Then go to the avatar server: another server on another port, and it knows you already.
        The race shows what happens to a session when many requests change it at once.</p>
      <p class="ways">
        <a class="button" href="/race">See the race</a>
        <a class="button quiet" href="${town.addresses.fieldwise.avatar}/">Go to the avatar server</a>
      </p>
    </div>
    <div class="columns">
      <ul class="goods">${goods.map(offer)}</ul>
      <aside aria-label="Cart and session">
        ${cartPanel(seen)}
        ${sessionPanel(seen)}
      </aside>
    </div>`
  return page({ site: 'www', town, title: 'Shop', body, seen, path: '/' })
}

function offer(good: Good): Html {
  const { name, price, note } = catalogue[good]
  return html`<li class="good">
        <img src="/public/goods/${good}.svg" alt="" width="160" height="140">
        <h2>${name}</h2>
        <p>${note}</p>
        <form method="post" action="/cart">
          <span class="price">${money(price)}</span>
          <button name="good" value="${good}" aria-label="Add ${name} to the cart">Add</button>
        </form>
      </li>`
}

function cartPanel({ cart }: Seen): Html {
  const total = cart.reduce((sum, { good, packets }) => sum + catalogue[good].price * packets, 0)
  return html`<section class="panel" id="cart" aria-labelledby="cart-title">
      <h2 id="cart-title">Cart</h2>
      ${cart.length === 0 && html`<p>Nothing in it yet.</p>`}
      ${cart.length > 0 && html`<ul class="cart">${cart.map(cartLine)}</ul><p class="total"><span>Total</span> <strong>${money(total)}</strong></p>`}
    </section>`
}

function cartLine({ good, packets }: Seen['cart'][number]): Html {
  const { name, price } = catalogue[good]
  return html`<li>
        <img src="/public/goods/${good}.svg" alt="" width="40" height="35">
        <span>${name} <small>× ${packets}</small></span>
        <span class="price">${money(price * packets)}</span>
        <form method="post" action="/cart/remove">
          <button class="quiet" name="good" value="${good}" aria-label="Remove ${name} from the cart">Remove</button>
        </form>
      </li>`
}

function money(cents: number): string {
  return (cents / 100).toLocaleString('en', { style: 'currency', currency: 'EUR' })
}
