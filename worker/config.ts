import { z } from 'zod'
import { geminiVariables } from './adapters/gemini.ts'
import { assetsVariables, spacesVariables } from './shared/object_store.ts'
import { logLevel, parseEnv, port, postgresUrl } from './shared/process.ts'
import { requireStore, templatesVariables } from './templates/config.ts'

const variables = z.object({
  /** As role `worker`; directly or through a session pooler, never transaction mode. */
  DATABASE_URL: postgresUrl,
  /** Jobs at a time. */
  WORKER_CONCURRENCY: z.coerce.number('must be a number from 1 to 200').int().min(1).max(200).default(10),
  /** Steps of runs at a time. */
  WORKER_STEP_CONCURRENCY: z.coerce.number('must be a number from 1 to 500').int().min(1).max(500).default(10),
  WORKER_HEALTH_HOST: z.string().default('127.0.0.1'),
  /** 0 takes any free port, and the log names it. */
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

/** Throws one Error that names each variable that is missing or wrong, and no value. */
export function parseConfig(env: NodeJS.ProcessEnv): Config {
  return parseEnv(schema, env)
}
