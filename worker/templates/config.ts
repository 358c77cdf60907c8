import { join, resolve } from 'node:path'
import { z } from 'zod'
import { createSpaces, type Store } from '../shared/object_store.ts'

/** The variables for published templates, for the worker and the publishing commands. */
export const templatesVariables = {
  /** True: workers use published versions. False: only bundles. */
  FEATURE_TEMPLATE_VERSION_REMOTE_STORAGE: z.stringbool({ error: 'must be true or false' }).default(false),
  /** The age at which a cached file is downloaded again. */
  TEMPLATES_CACHE_TTL_SECONDS: z.coerce
    .number('must be a number of seconds')
    .int()
    .min(0)
    .max(31_536_000)
    .default(86_400),
  /** An S3 API. For Supabase Storage: https://<project>.storage.supabase.co/storage/v1/s3. */
  TEMPLATES_STORE_ENDPOINT: z.url({ protocol: /^https?$/, error: 'must be a URL' }).optional(),
  TEMPLATES_STORE_REGION: z.string().default('ca-central-1'),
  TEMPLATES_STORE_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket')
    .default('template-artifacts'),
  TEMPLATES_STORE_ACCESS_KEY_ID: z.string().optional(),
  TEMPLATES_STORE_SECRET_ACCESS_KEY: z.string().optional(),
  TEMPLATES_STORE_FORCE_PATH_STYLE: z.stringbool({ error: 'must be true or false' }).default(true),
  /** How long a call waits for the store: for all its attempts, and for the pauses between them. */
  TEMPLATES_STORE_TIMEOUT_SECONDS: z.coerce.number('must be a number from 1 to 60').min(1).max(60).default(5),
  /** The folder that contains the cache. */
  PLINTH_HOME: z.string().default(join(import.meta.dirname, '../../.local')),
}

const environment = z.object(templatesVariables)

export type TemplatesConfig = z.output<typeof environment>

/** Reports each missing variable of the store, if the store is needed. */
export function requireStore(config: TemplatesConfig, context: z.RefinementCtx): void {
  if (!config.FEATURE_TEMPLATE_VERSION_REMOTE_STORAGE && config.TEMPLATES_STORE_ENDPOINT === undefined) return
  const needed = [
    'TEMPLATES_STORE_ENDPOINT',
    'TEMPLATES_STORE_ACCESS_KEY_ID',
    'TEMPLATES_STORE_SECRET_ACCESS_KEY',
  ] as const
  for (const name of needed) {
    if (config[name] === undefined) context.addIssue({ code: 'custom', path: [name], message: 'is missing' })
  }
}

/** Opens the store of published templates; undefined if none is configured. */
export function openTemplateStore(config: TemplatesConfig): Store | undefined {
  const {
    TEMPLATES_STORE_ENDPOINT: endpoint,
    TEMPLATES_STORE_ACCESS_KEY_ID: accessKeyId,
    TEMPLATES_STORE_SECRET_ACCESS_KEY: secretAccessKey,
  } = config
  if (endpoint === undefined || accessKeyId === undefined || secretAccessKey === undefined) return undefined
  const spaces = {
    SPACES_ENDPOINT: endpoint,
    SPACES_REGION: config.TEMPLATES_STORE_REGION,
    SPACES_BUCKET: config.TEMPLATES_STORE_BUCKET,
    SPACES_ACCESS_KEY_ID: accessKeyId,
    SPACES_SECRET_ACCESS_KEY: secretAccessKey,
    SPACES_FORCE_PATH_STYLE: config.TEMPLATES_STORE_FORCE_PATH_STYLE,
    SPACES_TIMEOUT_SECONDS: config.TEMPLATES_STORE_TIMEOUT_SECONDS,
    // All its objects are private.
    SPACES_ACL: 'none' as const,
  }
  return createSpaces(spaces, { variables: 'TEMPLATES_STORE' })
}

/** The cache's folder: `{PLINTH_HOME}/cache/template-artifacts`. */
export function cacheFolder(config: TemplatesConfig): string {
  return join(resolve(config.PLINTH_HOME), 'cache', 'template-artifacts')
}
