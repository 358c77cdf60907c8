/** The npm commands in groups, with one line each, which `npm run help` and `--help` of each command print. */
export const groups = {
  Run: {
    start: 'Starts the whole platform in the foreground; Ctrl-C stops it.',
    dev: 'Starts the platform and applies changes of code and SQL while it runs.',
    demo: 'Uses every system as clients do, on the running stack or on a stack of its own.',
    token: 'Prints an access token for a local user, and creates the user if needed.',
    sql: 'Opens an SQL prompt on the running local stack, as one of its callers.',
    reset: 'Deletes the database, files, logs and secrets of the stopped local stack.',
    help: 'Lists the commands.',
  },
  Database: {
    'db:migrate': 'Applies new migrations and changed module files to a database.',
    'db:seed': 'Applies the seed data to a database; changes by operators are kept.',
    'db:new': 'Creates a migration file.',
    'db:check': 'Checks migrations, modules, docs and generated files, and a database made from them.',
    'db:types': 'Writes db/types.ts, the types for supabase-js, from the database that the files make.',
  },
  Documentation: {
    'docs:pictures': 'Draws the architecture and a diagram of each module’s tables.',
  },
  'Templates and dramas': {
    'upload-bundle': 'Publishes a version of a template bundle.',
    'templates:list': 'Lists the published versions of templates.',
    'templates:rollback': 'Makes an earlier version of a template its default.',
    'dramas:import': 'Imports dramas from an S3-compatible store.',
  },
  Payments: {
    'paymob:send': 'Sends signed callbacks of Paymob to the running stack, and prints what they change.',
  },
  'Tests and checks': {
    test: 'Lints, checks types and runs the quick tests; npx vitest run <path> runs all tests of a path.',
    'test:long': 'Runs the tests that start whole stacks, kill processes or take long.',
    lint: 'Checks style and format.',
    format: 'Formats every file, and applies the fixes of the linter.',
    types: 'Checks types.',
    'prove:attacks': 'Attacks a local stack as clients could, and verifies that each attack stays within its bound.',
    'prove:browser': 'Signs up, uploads and downloads in a real browser, from a page of another origin.',
    'prove:credits':
      'Raises a storm of grants, holds, charges, refunds, deletions and crashes, and checks that credits add up.',
    'prove:payments':
      'Sends callbacks of Paymob in any order and several times, and compares the ledger with a clean pass.',
    'chaos:jobs': 'Kills, pauses and disconnects workers at random, and verifies that every step ran once.',
  },
  Benchmarks: {
    'bench:sharing': 'Opening, sharing and deleting flows, against the origin’s own code.',
    'bench:uploads': 'Memory of the sidecar under many large uploads.',
    'bench:templates': 'Resolving a template from the cache and cold.',
    'bench:jobs': 'Runs of steps, against graphile-worker and a DAG written by hand.',
    'bench:dramas': 'Opening and generating dramas.',
    'bench:tasks': 'Submitting, listing and working on agent tasks.',
    'bench:credits': 'Holds and charges of credits, and the nightly check of the ledger.',
    'bench:studio': 'Cache hits and misses of the studio, and the cost of a generation.',
    'bench:payments': 'Callbacks per second, and the time of a callback over HTTP and in SQL alone.',
    'bench:realtime': 'The time from a change to its arrival at many subscribers.',
    'bench:compare': 'Runs a benchmark before and after a change, in alternating pairs.',
  },
} as const

type Groups = typeof groups
/** The name of an npm command. */
export type CommandName = { [Group in keyof Groups]: keyof Groups[Group] }[keyof Groups]

/** Each command's line. */
export const commands: Record<CommandName, string> = Object.assign({}, ...Object.values(groups))
