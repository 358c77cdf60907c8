import { z } from 'zod'
import { geminiVariables } from './adapters/gemini.ts'
import { assetsVariables, spacesVariables } from './shared/object_store.ts'
import { logLevel, parseEnv, port, postgresUrl } from './shared/process.ts'
import { requireStore, templatesVariables } from './templates/config.ts'

const variables = z.object({
  /** For role `worker`; directly or through a session pooler, never in transaction mode. */
  DATABASE_URL: postgresUrl,
  /** How many jobs of the queue run at a time. */
  WORKER_CONCURRENCY: z.coerce.number('must be a number from 1 to 200').int().min(1).max(200).default(10),
  /** How many steps of runs run at a time. */
  WORKER_STEP_CONCURRENCY: z.coerce.number('must be a number from 1 to 500').int().min(1).max(500).default(10),
  WORKER_HEALTH_HOST: z.string().default('127.0.0.1'),
  /** 0 picks a free port, which the log names. */
  WORKER_HEALTH_PORT: port.default(3002),
  ...assetsVariables,
  ...spacesVariables,
  ...templatesVariables,
  ...geminiVariables,
  LOG_LEVEL: logLevel,
})
const schema = variables.superRefine(requireStore)

/** The worker's configuration, by the names of its variables. */
export type Config = z.output<typeof schema>

/** Throws one Error that names each missing or invalid variable, without values. */
export function parseConfig(env: NodeJS.ProcessEnv): Config {
  return parseEnv(schema, env)
}
