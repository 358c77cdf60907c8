import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AuthError } from './errors.ts'

/** The answers for features that the local Auth server lacks. The codes are those of GoTrue for a disabled provider. */
export const refused = {
  oauth: new AuthError(
    400,
    'validation_failed',
    'Unsupported provider: provider is not enabled. The local Auth server has no OAuth: sign in with an email address.',
  ),
  anonymous: new AuthError(
    422,
    'anonymous_provider_disabled',
    'Anonymous sign-ins are disabled. The local Auth server needs an email address.',
  ),
  phone: new AuthError(
    400,
    'phone_provider_disabled',
    'Unsupported phone provider. The local Auth server needs an email address.',
  ),
  pkce: new AuthError(
    404,
    'flow_state_not_found',
    'invalid flow state, no valid flow state found. The local Auth server mails six-digit codes and no links: use verifyOtp.',
  ),
  idToken: new AuthError(400, 'provider_disabled', 'The local Auth server accepts no tokens of other providers.'),
  web3: new AuthError(422, 'web3_provider_disabled', 'Web3 provider is disabled'),
  sso: new AuthError(404, 'saml_provider_disabled', 'SAML 2.0 is disabled'),
  linking: new AuthError(404, 'manual_linking_disabled', 'Manual linking is disabled'),
  mfa: new AuthError(422, 'mfa_totp_enroll_not_enabled', 'The local Auth server has no second factors.'),
}

const providers = [
  ...['anonymous_users', 'apple', 'azure', 'bitbucket', 'discord', 'facebook', 'snapchat', 'figma', 'fly', 'github'],
  ...['gitlab', 'google', 'keycloak', 'kakao', 'linkedin', 'linkedin_oidc', 'notion', 'spotify', 'slack', 'slack_oidc'],
  ...['workos', 'twitch', 'twitter', 'phone', 'zoom'],
]

/** The answer of `/settings`. */
export const settings = {
  external: { ...Object.fromEntries(providers.map((name) => [name, false])), email: true },
  disable_signup: false,
  mailer_autoconfirm: false,
  phone_autoconfirm: false,
  sms_provider: '',
  saml_enabled: false,
  saml_private_key_next_configured: false,
  passkeys_enabled: false,
}

/** Adds the routes of Supabase Auth that the local server lacks: each answers with the reason. */
export function addRefusals(server: FastifyInstance): void {
  const refuse = (refusal: AuthError) => async (request: FastifyRequest, reply: FastifyReply) => {
    // signInWithOAuth sends the browser here.
    if (request.method !== 'GET' || !request.headers.accept?.includes('text/html')) throw refusal
    return reply
      .code(refusal.status)
      .type('text/html; charset=utf-8')
      .send(`<!doctype html>
<meta charset="utf-8"><title>Not available locally</title><p>${refusal.message}</p>`)
  }
  server.all('/authorize', refuse(refused.oauth))
  server.all('/callback', refuse(refused.oauth))
  server.all('/sso', refuse(refused.sso))
  server.all('/sso/*', refuse(refused.sso))
  server.all('/user/identities/*', refuse(refused.linking))
  server.all('/factors', refuse(refused.mfa))
  server.all('/factors/*', refuse(refused.mfa))
}
