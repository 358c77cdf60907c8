import { z } from 'zod'
import { postgresUrl } from '../worker/shared/database_url.ts'
import { assetsVariables, spacesVariables } from '../worker/shared/object_store.ts'
import { logLevel, parseEnv, port } from '../worker/shared/process.ts'
import { isJwtSecret } from './credentials.ts'

const hmacSecret = z.string().min(16, 'must have 16 characters or more')

const schema = z.object({
  /** For role `sidecar`; directly or through a session pooler. */
  DATABASE_URL: postgresUrl,
  SIDECAR_HOST: z.string().default('127.0.0.1'),
  /** 0 picks a free port, which the log names. */
  SIDECAR_PORT: port.default(3001),
  /** Web origins whose pages may read the answers; `*` means any. */
  SIDECAR_CORS_ORIGINS: z
    .string()
    .regex(
      /^(\*|https?:\/\/[a-z0-9.:-]+)(, *(\*|https?:\/\/[a-z0-9.:-]+))*$/,
      'must be origins like https://example.com, or *',
    )
    .transform((list) => list.split(/, */))
    .default([]),
  /** Each upload may use as much disk space as the largest file. A client address has a tenth of the places. */
  SIDECAR_UPLOADS_AT_ONCE: z.coerce.number('must be a number from 1 to 10000').int().min(1).max(10_000).default(200),
  /** For the whole file. At the slowest allowed pace, 20 MB need 21 minutes. */
  SIDECAR_UPLOAD_TIMEOUT_SECONDS: z.coerce.number('must be a number from 1 to 3600').min(1).max(3600).default(1800),
  /** Verifies the tokens of uploads: as PostgREST has it, a secret or a JWKS. Without it every token is refused. */
  JWT_SECRET: z
    .string()
    .refine(isJwtSecret, 'must be a secret of 32 characters or more, or a JWKS whose secrets have 32 bytes or more')
    .optional(),
  /** Verifies Paymob's callbacks. Without it the routes below /api/paymob do not exist. */
  PAYMOB_HMAC_SECRET: hmacSecret.optional(),
  /** The secret before PAYMOB_HMAC_SECRET, which is accepted, too, while the secret is rotated. */
  PAYMOB_HMAC_SECRET_OLD: hmacSecret.optional(),
  /** The page to which customers return after a payment. Without it the route /api/paymob/return does not exist. */
  PAYMOB_RETURN_URL: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).optional(),
  ...assetsVariables,
  ...spacesVariables,
  LOG_LEVEL: logLevel,
})

/** The sidecar's configuration, by the names of its variables. */
export type Config = z.output<typeof schema>

/** Throws one Error that names each missing or invalid variable, without values. */
export function parseConfig(env: NodeJS.ProcessEnv): Config {
  return parseEnv(schema, env)
}
