import { z } from 'zod'
import { geminiVariables } from './adapters/gemini.ts'
import { paymobVariables } from './adapters/paymob.ts'
import { requireWholeStorage, storageVariables } from './adapters/user_files.ts'
import { postgresUrl } from './shared/database_url.ts'
import { assetsVariables, type SpacesConfig, spacesVariables } from './shared/object_store.ts'
import { logLevel, parseEnv, port } from './shared/process.ts'
import { requireStore, templatesVariables } from './templates/config.ts'

const types = z
  .string()
  .transform((text) => text.split(',').map((name) => name.trim()))
  .refine((names) => names.every((name) => /^[a-z][a-z0-9_]*$/.test(name)), 'must be names of job types with commas')

const variables = {
  /** For role `worker`; directly or through a session pooler, never in transaction mode. */
  DATABASE_URL: postgresUrl,
  /** How many jobs of the queue run at a time. */
  WORKER_CONCURRENCY: z.coerce.number('must be a number from 1 to 200').int().min(1).max(200).default(10),
  /** How many steps of runs run at a time. */
  WORKER_STEP_CONCURRENCY: z.coerce.number('must be a number from 1 to 500').int().min(1).max(500).default(10),
  /** The job types that this process runs. A process with this variable is a pool: it runs no schedules and needs no store. */
  WORKER_TYPES: types.optional(),
  /** Job types that this process does not run, for example because another process with fewer keys runs them. */
  WORKER_EXCLUDED_TYPES: types.optional(),
  /** How long running steps and jobs may continue after SIGTERM. Above 300, one deploy would take too long. */
  WORKER_DRAIN_SECONDS: z.coerce.number('must be a number from 0 to 300').min(0).max(300).default(25),
  /** How long a handler may block this process before the process ends. */
  WORKER_STALL_SECONDS: z.coerce.number('must be a number from 3 to 3600').int().min(3).max(3600).default(60),
  WORKER_HEALTH_HOST: z.string().default('127.0.0.1'),
  /** 0 picks a free port, which the log names. */
  WORKER_HEALTH_PORT: port.default(3002),
  ...templatesVariables,
  ...geminiVariables,
  ...paymobVariables,
  ...storageVariables,
  LOG_LEVEL: logLevel,
}
const store = { ...assetsVariables, ...spacesVariables }
/** The part of {@link store} that has no defaults. */
const named = z.object(store).pick({
  ASSETS_CDN_URL: true,
  SPACES_ENDPOINT: true,
  SPACES_BUCKET: true,
  SPACES_ACCESS_KEY_ID: true,
  SPACES_SECRET_ACCESS_KEY: true,
})
const worker = z
  .object({ ...variables, ...store })
  .superRefine(requireStore)
  .superRefine(requireWholeStorage)
const pool = z
  .object({ ...variables, ...store, ...named.partial().shape })
  .superRefine(requireStore)
  .superRefine(requireAllOrNone)
  .superRefine(requireWholeStorage)

/** The worker's configuration, by the names of its variables. Only a pool may have no store. */
export type Config = z.output<typeof pool>

/** Throws one Error that names each missing or invalid variable, without values. */
export function parseConfig(env: NodeJS.ProcessEnv): Config {
  return parseEnv(env['WORKER_TYPES'] ? pool : worker, env)
}

/** The store of assets and the public URL of its bucket; undefined if none is configured. */
export function findStore(config: Config): { spaces: SpacesConfig; publicUrl: string } | undefined {
  const parsed = named.safeParse(config)
  return parsed.success ? { spaces: { ...config, ...parsed.data }, publicUrl: parsed.data.ASSETS_CDN_URL } : undefined
}

/** Reports each missing variable of the store, if another variable of the store is set. */
function requireAllOrNone(config: Record<string, unknown>, context: z.RefinementCtx): void {
  const names = named.keyof().options
  const missing = names.filter((name) => config[name] === undefined)
  if (missing.length === names.length) return
  for (const name of missing) context.addIssue({ code: 'custom', path: [name], message: 'is missing' })
}
