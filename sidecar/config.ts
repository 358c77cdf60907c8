import { z } from 'zod'
import { logLevel, parseEnv, port, postgresUrl } from '../worker/service.ts'

const schema = z.object({
  /** As role `sidecar`; directly or through a session pooler. */
  DATABASE_URL: postgresUrl,
  SIDECAR_HOST: z.string().default('127.0.0.1'),
  /** 0 takes any free port, and the log names it. */
  SIDECAR_PORT: port.default(3001),
  LOG_LEVEL: logLevel,
})

/** The sidecar's configuration, by the names of its variables. */
export type Config = z.output<typeof schema>

/** Throws one Error that names each variable that is missing or wrong, and no value. */
export function parseConfig(env: NodeJS.ProcessEnv): Config {
  return parseEnv(schema, env)
}
