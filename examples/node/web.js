// The web process: reports how far the worker has counted.
'use strict'
const http = require('node:http')

const port = Number(process.argv[2])
let count = 0

const server = http.createServer((request, response) => {
  if (request.method === 'POST') {
    request.on('data', chunk => { count = Number(chunk) }).on('end', () => response.end())
    return
  }
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify({ process: process.env.PS, port, count }) + '\n')
})

server.on('error', error => { console.error(error.message); process.exit(1) })
server.listen(port, '127.0.0.1', () => console.log(`open at http://127.0.0.1:${port}/`))

process.on('SIGTERM', () => {
  server.close(() => console.log('closed'))
  setTimeout(() => server.closeAllConnections?.(), 1000).unref() // idle keep-alive connections
})
