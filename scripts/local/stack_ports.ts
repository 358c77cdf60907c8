import { readPorts, type StackPorts, writePorts } from './home.ts'
import { listUsualPorts, type Ports, usualPorts } from './ports.ts'

/** The variables that name a port of a stack. A part without a variable has a port that only the stack itself uses. */
const variables: { [part in keyof StackPorts]: string | undefined } = {
  gateway: 'PLINTH_PORT',
  postgres: 'POSTGRES_PORT',
  postgrest: 'POSTGREST_PORT',
  postgrestAdmin: 'POSTGREST_ADMIN_PORT',
  sidecar: 'SIDECAR_PORT',
  worker: 'WORKER_HEALTH_PORT',
  s3: 'S3_PORT',
  auth: undefined,
  storage: undefined,
  realtime: undefined,
  gemini: undefined,
  paymob: undefined,
}

/**
 * Claims the ports of a stack: those that variables name, otherwise those of the last start, otherwise the usual ones of
 * Supabase's CLI, otherwise free ones. The home remembers them, so that a client's URL stays.
 * Says when the URL has another port than clients expect.
 */
export async function chooseStackPorts(
  home: string,
  { choosePort }: Ports,
  say: (line: string) => void,
): Promise<StackPorts> {
  const last = readPorts(home)
  const ports: StackPorts = {
    gateway: await choosePort('PLINTH_PORT', [last.gateway, ...listUsualPorts(usualPorts.gateway)]),
    postgres: await choosePort('POSTGRES_PORT', [last.postgres, ...listUsualPorts(usualPorts.postgres)]),
    postgrest: await choosePort('POSTGREST_PORT', [last.postgrest]),
    postgrestAdmin: await choosePort('POSTGREST_ADMIN_PORT', [last.postgrestAdmin]),
    sidecar: await choosePort('SIDECAR_PORT', [last.sidecar]),
    worker: await choosePort('WORKER_HEALTH_PORT', [last.worker]),
    s3: await choosePort('S3_PORT', [last.s3]),
    auth: await choosePort(undefined, [last.auth]),
    storage: await choosePort(undefined, [last.storage]),
    realtime: await choosePort(undefined, [last.realtime]),
    gemini: await choosePort(undefined, [last.gemini]),
    paymob: await choosePort(undefined, [last.paymob]),
  }
  writePorts(home, { ...ports, ...keepUnnamed(last) })
  const expected = last.gateway ?? usualPorts.gateway
  if (ports.gateway !== expected && !(Number(process.env['PLINTH_PORT']) > 0)) {
    say(`Port ${expected} is not free, so the URL has port ${ports.gateway}: change it in your apps, too.`)
  }
  return ports
}

/** A port of a variable is for one start, except the S3 server's, which stored URLs of assets contain. */
function keepUnnamed(last: Partial<StackPorts>): Partial<StackPorts> {
  const kept = Object.entries(variables).filter(
    ([part, variable]) => part !== 's3' && variable !== undefined && Number(process.env[variable]) > 0,
  )
  return Object.fromEntries(kept.map(([part]) => [part, last[part as keyof StackPorts]]))
}
