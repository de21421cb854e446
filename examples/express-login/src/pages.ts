import type { User } from './users.js'

export function welcomePage({ name }: User, visits: number): string {
  return page(`
    <h1>Hello, ${escaped(name)}</h1>
    <p>This is visit ${visits}.</p>
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

function page(content: string): string {
  return `<!doctype html><html lang="en"><title>Login</title>${content}</html>`
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
