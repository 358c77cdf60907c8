import getPort from 'get-port'
import { StartError } from './process.ts'

/** Finds a free port of the loopback. This process does not return the same port again for 15 s or more. */
export function freePort(): Promise<number> {
  return getPort({ host: '127.0.0.1' })
}

/** Returns the port that an environment variable names; otherwise `preferred` if it is free; otherwise any free one. */
export async function choosePort(variable: string, preferred = 0): Promise<number> {
  const given = process.env[variable] || '0'
  if (!/^\d{1,5}$/.test(given) || Number(given) > 65_535) {
    throw new StartError(`${variable} must be a port number, 0 to 65535.`)
  }
  const wanted = Number(given) || preferred
  // get-port returns another port if the wanted one is not free or was returned a moment ago.
  const port = await getPort({ host: '127.0.0.1', ...(wanted > 0 && { port: wanted }) })
  if (Number(given) > 0 && port !== wanted) {
    throw new StartError(`Port ${wanted} is not free: choose another ${variable}, or leave it unset for any free one.`)
  }
  return port
}
