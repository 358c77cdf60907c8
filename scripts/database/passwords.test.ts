import { createHash, createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { createVerifier, requirePassword } from './passwords.ts'

test('a verifier proves the exchange of RFC 7677, section 3', () => {
  const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
  const first = `r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`
  const exchange = ['n=user,r=rOprNGfwEbeRWgbNEkqO', first, `c=biws,r=${nonce}`].join(',')
  const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64')
  const verifier = createVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'))
  const [, storedKey = '', serverKey = ''] =
    verifier.match(/^SCRAM-SHA-256\$4096:W22ZaJ0SNY7soEsUEjb6gQ==\$(.*):(.*)$/) ?? []
  const sign = (key: string) => createHmac('sha256', Buffer.from(key, 'base64')).update(exchange).digest()
  expect(sign(serverKey).toString('base64')).toBe('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
  // The server learns the client's key from the proof, and compares its hash.
  const signature = sign(storedKey)
  const clientKey = proof.map((byte, index) => byte ^ (signature[index] ?? 0))
  expect(createHash('sha256').update(clientKey).digest('base64')).toBe(storedKey)
})

test('two verifiers of a password have different salts', () => {
  expect(createVerifier('pencil')).not.toBe(createVerifier('pencil'))
})

test.each(['pässword', 'tab\t', 'I\u00adX', ''])('refuses the password %j without printing it', (password) => {
  const refuse = () => requirePassword(password, 'WORKER_DATABASE_PASSWORD')
  expect(refuse).toThrow(
    /^WORKER_DATABASE_PASSWORD may contain only letters, digits, spaces and punctuation of ASCII\.$/,
  )
  expect(() => createVerifier(password)).toThrow('ASCII')
})
