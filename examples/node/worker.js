// The worker process: counts, and reports to the first web process.
'use strict'
const http = require('node:http')

let count = 0

function report () {
  count += 1
  const request = http.request({ host: '127.0.0.1', port: process.env.PROCMAN_WEB_PORT, method: 'POST', agent: false })
  request.on('error', () => {}) // the web process is not up yet, or is restarting
  request.on('response', response => response.resume())
  request.end(String(count))
  if (count % 10 === 0) console.log(`counted to ${count}`)
}

console.log('counting')
setInterval(report, 200)
process.on('SIGTERM', () => process.exit(0))
