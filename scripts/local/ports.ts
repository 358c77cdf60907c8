import { createServer, type Server } from 'node:net'
import getPort from 'get-port'
import { StartError } from './process.ts'

/** The ports of the gateway and of Postgres, as in Supabase's CLI, if they are free. */
export const usualPorts = { gateway: 54_321, postgres: 54_322 }

/** Finds a free port of the loopback. This process does not return the same port again for 15 s or more. */
export function freePort(): Promise<number> {
  return getPort({ host: '127.0.0.1', exclude: Object.values(usualPorts) })
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
    // An abstract socket of Linux: it has a name and no file.
    const socket = await listen({ path: `\0plinth-port-${port}` })
    if (!socket) return false
    const server = await listen({ host: '127.0.0.1', port })
    server?.close()
    if (server) claims.push(socket)
    else socket.close()
    return server !== undefined
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

/** Returns a server that listens; undefined if its address is not free. */
async function listen(address: { path: string } | { host: string; port: number }): Promise<Server | undefined> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined))
    server.listen(address, () => resolve(server.unref()))
  })
}
