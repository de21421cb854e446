import type { ListedSession } from 'fieldwise'
import type { User } from './users.js'

export function welcomePage({ name }: User, visits: number): string {
  return page(`
    <h1>Hello, ${escaped(name)}</h1>
    <p>This is visit ${visits}.</p>
    <p><a href="/devices">Your devices</a></p>
    <form method="post" action="/logout"><button>Log out</button></form>`)
}

export function loginPage(hasFailed: boolean): string {
  return page(`
    <h1>Log in</h1>
    ${hasFailed ? '<p role="alert">No user has this name and password.</p>' : ''}
    <form method="post" action="/login">
      <p><label>Name <input name="username" autocomplete="username" required></label></p>
      <p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
      <p><label><input name="remember" type="checkbox"> Stay logged in when the browser is closed</label></p>
      <button>Log in</button>
    </form>`)
}

type Device = ListedSession<{ device: string | undefined; lastUse: Date | undefined }>

export function devicesPage({ name }: User, devices: readonly Device[], hasFailed: boolean): string {
  return page(`
    <h1>Your devices</h1>
    <table>
      <caption>Where ${escaped(name)} is logged in</caption>
      <tr><th scope="col">Device</th><th scope="col">Logged in</th><th scope="col">Last used</th><th scope="col">End</th></tr>
      ${devices.map(deviceRow).join('')}
    </table>
    <form method="post" action="/devices/end-others"><button>Log out all other devices</button></form>
    <h2>Change your password</h2>
    <p>All other devices are logged out.</p>
    ${hasFailed ? '<p role="alert">That is not your present password.</p>' : ''}
    <form method="post" action="/password">
      <p><label>Present password <input name="old" type="password" autocomplete="current-password" required></label></p>
      <p><label>New password <input name="password" type="password" autocomplete="new-password" required></label></p>
      <button>Change it</button>
    </form>
    <p><a href="/">Back</a></p>`)
}

function deviceRow({ id, isCurrent, boundAt, values: { device = 'Unknown', lastUse = boundAt } }: Device): string {
  const end = `
    <form method="post" action="/devices/end">
      <input type="hidden" name="id" value="${escaped(id)}"><button>Log out</button>
    </form>`
  return `
    <tr>
      <td>${escaped(device)}</td><td>${shown(boundAt)}</td><td>${shown(lastUse)}</td>
      <td>${isCurrent ? 'This device' : end}</td>
    </tr>`
}

function shown(date: Date): string {
  return `<time datetime="${date.toISOString()}">${date.toISOString().slice(0, 16).replace('T', ' ')} UTC</time>`
}

function page(content: string): string {
  return `<!doctype html><html lang="en"><title>Login</title><link rel="icon" href="data:,"><main>${content}</main></html>`
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
