// npm passes SIGTERM on to a shell, which dies of it without passing it on. Whoever ends `npm start` ends what it started, too.
const parent = process.ppid

setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM')
}, 1000).unref()
