import { avatarSite } from './avatar.js'
import { serve } from './serve.js'
import { openSessions } from './sessions.js'
import { shop } from './shop.js'
import { webServer } from './web.js'

/** The program of the two web servers: both in one process, or one in each of two. */
await serve(({ memcached, storeName }, addresses) => {
  const sessions = openSessions(memcached)
  const town = { addresses, storeName }
  return {
    apps: {
      www: webServer('www', town, sessions, shop(town)),
      avatar: webServer('avatar', town, sessions, avatarSite(town)),
    },
    close: () => sessions.close(),
  }
})
