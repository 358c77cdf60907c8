/** A service behind the gateway, and what its requests need. */
export type Upstream = {
  prefix: string
  /** The path, after the prefix, of a WebSocket with many messages. */
  socketPath?: string
  /** Replaces the prefix. */
  rewritePrefix: string
  /** Undefined if this stack has no such service. */
  port: number | undefined
  /** The message of the 404 if the service is missing. It has the next step, because supabase-js hides hints. */
  missing: string
  /** Whether a request with this method and path (after the prefix) passes without a key. */
  isOpen(method: string, path: string, query: URLSearchParams): boolean
  /** The service answers preflights and sends the headers of CORS itself. */
  handlesCors?: true
  /** PostgREST parses a whole body before Postgres can refuse it, and Postgres accepts six requests of a caller. */
  hasLimits?: true
  /** The answers are pages for people: no page of another origin may read them. */
  isPage?: true
  /** Only browsers on this machine may read the answers. */
  isForThisMachine?: true
  /** The service needs to know the URL that its client asked for. */
  getsClientUrl?: true
}

/** The ports of the services. */
export type UpstreamPorts = {
  postgrestPort: number
  sidecarPort: number
  /** The local servers for Auth, Storage and Realtime. */
  authPort?: number | undefined
  storagePort?: number | undefined
  realtimePort?: number | undefined
}

/** Lists the services. Like Supabase, those below `/v1` need a key, except what browsers load without headers. */
export function listUpstreams(ports: UpstreamPorts): Upstream[] {
  return [
    {
      prefix: '/rest/v1',
      rewritePrefix: '/',
      port: ports.postgrestPort,
      missing: '',
      isOpen: () => false,
      hasLimits: true,
    },
    {
      prefix: '/api',
      rewritePrefix: '/api',
      port: ports.sidecarPort,
      missing: '',
      isOpen: () => true,
      handlesCors: true,
    },
    {
      prefix: '/auth/v1',
      rewritePrefix: '/',
      port: ports.authPort,
      missing: 'The local stack has no Auth server. Get a token with npm run token.',
      isOpen: isOpenInAuth,
      getsClientUrl: true,
    },
    {
      prefix: '/storage/v1',
      rewritePrefix: '/',
      port: ports.storagePort,
      missing: 'The local stack has no Storage server. Upload files with POST /api/assets.',
      isOpen: isOpenInStorage,
      getsClientUrl: true,
    },
    {
      // The page of the mails that Auth sent.
      prefix: '/mail',
      rewritePrefix: '/mail',
      port: ports.authPort,
      missing: 'The local stack has no Auth server, so it sends no mail.',
      isOpen: () => true,
      isPage: true,
      isForThisMachine: true,
    },
    {
      prefix: '/realtime/v1',
      rewritePrefix: '/',
      port: ports.realtimePort,
      socketPath: '/websocket',
      missing: 'The local stack has no Realtime server. Poll the rows instead.',
      isOpen: () => false,
    },
    {
      prefix: '/functions/v1',
      rewritePrefix: '/',
      port: undefined,
      missing:
        "Plinth has no Edge Functions. Call a function of the database, such as supabase.rpc('process_image', {…}).",
      isOpen: () => true,
    },
    {
      prefix: '/graphql/v1',
      rewritePrefix: '/',
      port: undefined,
      missing:
        "Plinth has no GraphQL. Read tables with supabase.from('…').select(), and call functions with supabase.rpc().",
      isOpen: () => true,
    },
  ]
}

/** Browsers open the links of generateLink and signInWithOAuth, so these have no header. */
function isOpenInAuth(method: string, path: string): boolean {
  const isRead = method === 'GET' || method === 'HEAD'
  return isRead && ['/.well-known/jwks.json', '/health', '/verify', '/authorize', '/callback'].includes(path)
}

/** A signed URL has a token, and a request to the S3 API a signature: Storage checks both. */
function isOpenInStorage(method: string, path: string, query: URLSearchParams): boolean {
  const isRead = method === 'GET' || method === 'HEAD'
  if (/^\/s3(\/|$)/.test(path)) return true
  // Storage refuses transformations. Without a key, the refusal must say so, too.
  if (path.startsWith('/object/public/') || path.startsWith('/render/image/public/')) return isRead
  if (path.startsWith('/object/upload/sign/')) return method === 'PUT' && query.has('token')
  return /^\/(object|render\/image)\/sign\//.test(path) && isRead && query.has('token')
}
