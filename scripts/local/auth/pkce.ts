import { AuthError } from './errors.ts'

/** Checks the challenge that clients send with flowType 'pkce'. Nothing uses it: mails have codes and no links. */
export function requireChallenge(params: {
  code_challenge?: string | null | undefined
  code_challenge_method?: string | null | undefined
}): void {
  const { code_challenge: challenge, code_challenge_method: method } = params
  const refuse = (message: string) => new AuthError(400, 'validation_failed', message)
  if (!challenge !== !method) {
    throw refuse('PKCE flow requires code_challenge_method and code_challenge to be specified')
  }
  if (!challenge) return
  if (!/^[a-zA-Z._~0-9-]{43,128}$/.test(challenge)) {
    throw refuse('code challenge has to be between 43 and 128 characters')
  }
  if (!/^(s256|plain)$/i.test(method ?? '')) throw refuse('invalid code challenge method')
}
