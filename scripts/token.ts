import { readArguments } from './commands/read_arguments.ts'
import { homeFolder, readEnv } from './local/home.ts'
import { tokenForEmail } from './local/user.ts'

const { options, refuse } = readArguments('token', {
  options: { email: { type: 'string', value: 'address', default: '', about: 'the user’s address; required' } },
  environment: ['PLINTH_HOME'],
  example: 'token -- --email ana@example.com',
})
const email = options.email.trim().toLowerCase()
if (!/^[^\s@]+@[^\s@]+$/.test(email) || email.length > 255) {
  refuse('--email needs an address. Example: npm run token -- --email ana@example.com')
}
const env = readEnv(homeFolder()) ?? refuse(`No local stack runs in ${homeFolder()}: start one with npm start.`)
console.log(await tokenForEmail(env, email))
