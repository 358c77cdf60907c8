import { createServer, type Server } from 'node:net'
import { StartError } from './process.ts'

/** The ports of the gateway and of Postgres, as in Supabase's CLI, if they are free. */
export const usualPorts = { gateway: 54_321, postgres: 54_322 }

/** By default, the kernel chooses only ports from 32,768 on, for connections and for `listen(0)`. These ports are below. */
const choosable = { first: 20_000, count: 12_000 }

/**
 * Finds a free port of the loopback, and reserves it on this machine until this process ends. Without the reservation, another
 * caller could get the port before the service listens, or while the service restarts.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = choosable.first + Math.floor(Math.random() * choosable.count)
    if (await claimPort('plinth-free-port', port)) return port
  }
}

/** The ports that a stack has claimed. No other stack of this machine chooses them until they are released. */
export type Ports = {
  /** Claims the port that an environment variable names; otherwise the first free one of `wanted`; otherwise any free one. */
  choosePort(variable: string | undefined, wanted?: Iterable<number | undefined>): Promise<number>
  release(): void
}

/**
 * Opens the claims of a stack. A service listens only some time after its port was chosen, so two stacks that start at the
 * same moment could choose the same port. Therefore a stack also listens on a socket whose name contains the port. The
 * kernel closes the socket when the process ends.
 */
export function openPorts(): Ports {
  const claims: Server[] = []

  async function claim(port: number): Promise<boolean> {
    const socket = await claimPort('plinth-port', port)
    if (socket) claims.push(socket)
    return socket !== undefined
  }

  return {
    async choosePort(variable, wanted = []) {
      const given = (variable && process.env[variable]) || '0'
      if (!/^\d{1,5}$/.test(given) || Number(given) > 65_535) {
        throw new StartError(`${variable} must be a port number, 0 to 65535.`)
      }
      if (Number(given) > 0) {
        if (await claim(Number(given))) return Number(given)
        const fault = Number(given) < 1024 ? 'is not free, or only root may use it' : 'is not free'
        throw new StartError(`Port ${given} ${fault}: choose another ${variable}, or leave it unset for any free one.`)
      }
      for (const port of wanted) if (port !== undefined && (await claim(port))) return port
      for (;;) {
        const port = await freePort()
        if (await claim(port)) return port
      }
    },
    release() {
      for (const socket of claims.splice(0)) socket.close()
    },
  }
}

/** Lists a usual port and the ports that stacks use next to each other: ten further, and so on. */
export function listUsualPorts(first: number): number[] {
  return Array.from({ length: 100 }, (_, number) => first + 10 * number)
}

/** Claims a free port by an abstract socket of Linux, which has a name and no file. Undefined if the port is not free. */
async function claimPort(name: string, port: number): Promise<Server | undefined> {
  const socket = await listen({ path: `\0${name}-${port}` })
  if (!socket) return undefined
  const server = await listen({ host: '127.0.0.1', port })
  server?.close()
  if (server) return socket
  socket.close()
  return undefined
}

/** Returns a server that listens; undefined if its address is not free. */
async function listen(address: { path: string } | { host: string; port: number }): Promise<Server | undefined> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined))
    server.listen(address, () => resolve(server.unref()))
  })
}
