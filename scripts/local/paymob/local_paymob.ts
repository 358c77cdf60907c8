import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { type PaymobStandIn, standInKeys, startPaymob } from './server.ts'

/** Paymob as the local stack uses it: the environment of worker and sidecar, and the stand-in if there is one. */
export type LocalPaymob = {
  worker: Record<string, string>
  sidecar: Record<string, string>
  standIn: PaymobStandIn | undefined
}

const variables = {
  worker: [
    'PAYMOB_SECRET_KEY',
    'PAYMOB_PUBLIC_KEY',
    'PAYMOB_API_KEY',
    'PAYMOB_BASE_URL',
    'PAYMOB_NOTIFICATION_URL',
    'PAYMOB_REDIRECTION_URL',
  ],
  sidecar: ['PAYMOB_HMAC_SECRET', 'PAYMOB_HMAC_SECRET_OLD', 'PAYMOB_RETURN_URL'],
}

/**
 * Uses the Paymob account of this environment. Without PAYMOB_SECRET_KEY, starts a stand-in whose page of the checkout pays
 * without money: for development only.
 */
export async function startLocalPaymob(
  home: string,
  { gatewayUrl, port }: { gatewayUrl: string; port: number },
  environment: NodeJS.ProcessEnv,
): Promise<LocalPaymob> {
  const given = (names: string[]) =>
    Object.fromEntries(names.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])))
  if (environment['PAYMOB_SECRET_KEY']) {
    return { worker: given(variables.worker), sidecar: given(variables.sidecar), standIn: undefined }
  }
  const log = join(home, 'logs', 'paymob-stand-in.log')
  const standIn = await startPaymob({
    port,
    log: (line) => appendFileSync(log, `${new Date().toISOString()} STAND-IN, NOT PAYMOB: ${line}\n`),
  })
  return {
    standIn,
    worker: {
      PAYMOB_SECRET_KEY: standInKeys.secretKey,
      PAYMOB_PUBLIC_KEY: standInKeys.publicKey,
      PAYMOB_API_KEY: standInKeys.apiKey,
      PAYMOB_BASE_URL: standIn.url,
      PAYMOB_NOTIFICATION_URL: `${gatewayUrl}/api/paymob/webhook`,
      PAYMOB_REDIRECTION_URL: `${gatewayUrl}/api/paymob/return`,
    },
    sidecar: { PAYMOB_HMAC_SECRET: standInKeys.hmacSecret, PAYMOB_RETURN_URL: `${standIn.url}/returned` },
  }
}

/** Makes the database accept the callbacks of the stand-in, unless an operator has named an account. */
export async function acceptStandIn(client: pg.Client): Promise<void> {
  await client.query(
    `update app.settings set paymob_integration_ids = $1, paymob_owner_id = $2
     where paymob_integration_ids = '{}' and paymob_owner_id is null`,
    [[standInKeys.integrationId], standInKeys.owner],
  )
}
