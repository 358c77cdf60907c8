import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A proxy in front of Postgres that can be told to break the connection at a call of ours. */
export type FaultyDatabase = {
  /** A connection string that leads through it. */
  through(url: string): string
  /** Breaks what calls this function, before Postgres sees it, or after it has answered; `times` times. */
  breakAt(name: string, when: 'before' | 'after', times?: number): void
  /** Takes no connection any more, and breaks those that there are. */
  down(): void
  /** Ends all faults. */
  heal(): void
  stop(): void
}

export async function startFaultyDatabase(upstreamPort: number): Promise<FaultyDatabase> {
  let faults: { name: string; when: 'before' | 'after'; times: number }[] = []
  let isDown = false
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    if (isDown) return void client.destroy()
    const upstream = connect(upstreamPort, '127.0.0.1')
    let losesAnswer = false
    const end = () => {
      client.destroy()
      upstream.destroy()
      sockets.delete(client)
    }
    sockets.add(client)
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
    client.on('data', (data) => {
      const found = faults.find(({ name, times }) => times > 0 && data.includes(name))
      if (found) found.times -= 1
      if (found?.when === 'before') return end()
      if (found) losesAnswer = true
      upstream.write(data)
    })
    // Postgres answers a call when it has committed it.
    upstream.on('data', (data) => (losesAnswer ? end() : client.write(data)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const down = () => {
    isDown = true
    for (const socket of sockets) socket.destroy()
  }
  return {
    through: (url) => Object.assign(new URL(url), { port: String(port) }).href,
    breakAt: (name, when, times = Number.POSITIVE_INFINITY) => {
      faults.push({ name, when, times })
    },
    down,
    heal: () => {
      faults = []
      isDown = false
    },
    stop: () => {
      down()
      server.close()
    },
  }
}
