import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A proxy in front of Postgres that breaks the connection at chosen calls. */
export type FaultyDatabase = {
  /** Returns a connection string that leads through the proxy. */
  through(url: string): string
  /** Breaks connections that call this function, before Postgres sees the call or after it has answered, `times` times. */
  breakAt(name: string, when: 'before' | 'after', times?: number): void
  /** Refuses new connections, and breaks the open ones. */
  down(): void
  /** Drops all bytes of the open connections, in both directions, without closing them. New connections work. */
  freeze(): void
  /** Leads new connections to another Postgres, and breaks the open ones, as a failover does. */
  pointTo(port: number): void
  /** Records all bytes that clients send from now on. Returns a function that returns them. */
  record(): () => string
  /** How many connections clients have opened. */
  readonly accepted: number
  /** Ends all faults. */
  heal(): void
  stop(): void
}

export async function startFaultyDatabase(firstPort: number): Promise<FaultyDatabase> {
  let faults: { name: string; when: 'before' | 'after'; times: number }[] = []
  let isDown = false
  let upstreamPort = firstPort
  let freezes = 0
  let accepted = 0
  let recorded: Buffer[] | undefined
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (client) => {
    accepted += 1
    if (isDown) return void client.destroy()
    const openedAfter = freezes
    const upstream = connect(upstreamPort, '127.0.0.1')
    let losesAnswer = false
    const end = () => {
      client.destroy()
      upstream.destroy()
      sockets.delete(client)
    }
    sockets.add(client)
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
    client.on('end', () => {
      if (openedAfter === freezes) end()
    })
    client.on('data', (data) => {
      recorded?.push(data)
      if (openedAfter < freezes) return
      const found = faults.find(({ name, times }) => times > 0 && data.includes(name))
      if (found) found.times -= 1
      if (found?.when === 'before') return end()
      if (found) losesAnswer = true
      upstream.write(data)
    })
    // Postgres answers a call after its commit.
    upstream.on('data', (data) => {
      if (openedAfter < freezes) return
      if (losesAnswer) end()
      else client.write(data)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const breakAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  const down = () => {
    isDown = true
    breakAll()
  }
  return {
    through: (url) => Object.assign(new URL(url), { port: String(port) }).href,
    breakAt: (name, when, times = Number.POSITIVE_INFINITY) => {
      faults.push({ name, when, times })
    },
    down,
    freeze: () => {
      freezes += 1
    },
    pointTo: (port) => {
      upstreamPort = port
      breakAll()
    },
    record: () => {
      const bytes: Buffer[] = []
      recorded = bytes
      return () => Buffer.concat(bytes).toString('latin1')
    },
    get accepted() {
      return accepted
    },
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
